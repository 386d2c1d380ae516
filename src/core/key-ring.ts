/** Wraps the random keys that seal a vault for those who may open it. */
export interface KeyRing {
  /** Public names of all that a key is wrapped for; none: nothing is sealed. */
  readonly recipients: readonly string[];
  /** Whether there is an identity here that could open something. */
  readonly canOpen: boolean;
  /** One wrapped copy of `dataKey` (32 bytes) for each recipient. `keyId` names the key in public. */
  wrap(dataKey: Uint8Array, keyId: string): Promise<WrappedKey[]>;
  /**
   * The key that one of `keys` holds for who has this ring. Throws `key_missing` when there is no identity here,
   * `key_wrong` when none fits, `key_refused` when one cannot be read, is malformed, or is open to other users.
   */
  unwrap(keys: readonly WrappedKey[], keyId: string): Promise<Uint8Array>;
}

export interface WrappedKey {
  /** `age`, `passphrase`, `aws-kms`. */
  readonly kind: string;
  /** Public name of the recipient. */
  readonly recipient: string;
  /** Base64. */
  readonly wrapped: string;
}

/** Signs what a host writes, so that others know it for its own. */
export interface Signer {
  /** `ed25519:` and the public key in base64url. */
  readonly name: string;
  sign(message: Uint8Array): Uint8Array;
  /** 32 bytes that only this host has: what it seals for itself, to know later what its own backups hold. */
  readonly memoryKey: Uint8Array;
}
