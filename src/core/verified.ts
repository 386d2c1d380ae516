import type { Rung } from './rungs.ts';

/** What a verification found of one thing that it read to its end: a data file of a backup, a whole backup, a file of a log. */
export interface VerifiedUnit {
  /** Of a file the whole name of the object, of a whole backup its folder. */
  readonly name: string;
  /** SHA-256 (hex) that the manifest gives the file, or `checksum` of the manifest; null of a file of a log. */
  readonly digest: string | null;
  /** RFC 3339 with milliseconds, by the clock of who verified. */
  readonly verifiedAt: string;
  /** In the order of the ladder, as `failed`. */
  readonly passed: readonly Rung[];
  /** Sound when there is none. */
  readonly failed: readonly Rung[];
}
