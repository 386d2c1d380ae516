/**
 * Wraps the random key of a sealed backup for those who may open it. Implemented with sealing; stated here
 * because manifests name wrapped keys and nothing else of a key.
 */
export interface KeyRing {
  /** One wrapped copy of `dataKey` (32 bytes) for each recipient. */
  wrap(dataKey: Uint8Array): Promise<WrappedKey[]>;
  /** The data key, or null when no identity here fits. Throws `key_missing` when an identity cannot be read. */
  unwrap(keys: readonly WrappedKey[]): Promise<Uint8Array | null>;
}

export interface WrappedKey {
  /** `age-x25519`, `passphrase`, `kms`. */
  readonly kind: string;
  /** Public name of the recipient. */
  readonly recipient: string;
  /** Base64. */
  readonly wrapped: string;
}
