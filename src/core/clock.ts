/** Time and chance, passed in so that decisions can be repeated in tests. */
export interface Clock {
  /** Now, in milliseconds since 1970. */
  now(): number;
  /** A random (version 4) UUID in lower case. */
  uuid(): string;
}
