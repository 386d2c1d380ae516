import type { WrappedKey } from '../core/key-ring.ts';

/** Somebody that keys are wrapped for. */
export interface Recipient {
  readonly kind: string;
  /** Public name. */
  readonly name: string;
  /** The wrapped key in base64. `keyId` goes along where the kind can bind it. */
  wrap(key: Uint8Array, keyId: string): Promise<string>;
}

/** Something that opens what was wrapped for its recipient. */
export interface Identity {
  readonly kind: string;
  /** Public name of the recipient that it opens for. */
  readonly name: string;
  /** Null when it does not fit, or what was wrapped is damaged: the two cannot be told apart. Throws when it cannot be asked. */
  unwrap(wrapped: WrappedKey, keyId: string): Promise<Uint8Array | null>;
}
