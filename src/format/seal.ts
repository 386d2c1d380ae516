import crypto from 'node:crypto';
import { BackupError, isBackupError } from '../core/errors.ts';
import { releaseBytes } from './release.ts';

/**
 * A 32-byte key of AES-256. Goes to threads as it is, and shows nothing of itself where it is printed or written as
 * JSON.
 */
export type SealKey = crypto.KeyObject;

/** What one kind of file of a vault is sealed with. `scope` says whose: what is sealed elsewhere does not open here. */
export interface Seal {
  readonly key: SealKey;
  /** Id of a backup, or name of a log's folder. */
  readonly scope: string;
}

/** Which piece of which file: held by the tag, so that none can be swapped, moved, doubled or cut off. */
export interface PiecePlace {
  /** Name of the file, without its folder. */
  readonly file: string;
  /** From 0. */
  readonly number: number;
  readonly isLast: boolean;
}

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Place of what is sealed in one piece. */
export const ONLY_PIECE = { number: 0, isLast: true } as const;

/** A sealed piece is longer than what is in it by this. */
export const SEAL_BYTES = NONCE_BYTES + TAG_BYTES;

export function makeSealKey(): SealKey {
  return crypto.createSecretKey(crypto.randomBytes(KEY_BYTES));
}

/** Throws `damaged` when it is no key of 32 bytes. */
export function importSealKey(bytes: Uint8Array): SealKey {
  if (bytes.length === KEY_BYTES) return crypto.createSecretKey(bytes);
  throw new BackupError('damaged', `a key has ${bytes.length} bytes instead of ${KEY_BYTES}`);
}

export function exportSealKey(key: SealKey): Uint8Array {
  return key.export();
}

/** Names a key without giving it away, and proves that a key is the one that is named (FORMAT.md §13.1). */
export function sealKeyId(key: SealKey): string {
  return hmac(key, 'eventcore key id 1').toString('hex', 0, 16);
}

/** A proof by who has the key that `text` is as it was (FORMAT.md §13.4). */
export function keyedDigest(key: SealKey, text: string): string {
  return hmac(key, text).toString('hex');
}

function hmac(key: SealKey, text: string): Buffer {
  return crypto.createHmac('sha256', key).update(text).digest();
}

/** `nonce ‖ ciphertext ‖ tag` (FORMAT.md §13.2). The bytes are the caller's. */
export function sealPiece({ key, scope }: Seal, place: PiecePlace, plain: Uint8Array): Uint8Array {
  // By chance, not counted: threads share a key, and an attempt that is taken up again writes a name anew. A key seals
  // some thousands of pieces; up to 2^32 the odds of a pair stay below 2^-32 (NIST SP 800-38D, 8.3).
  const nonce = crypto.randomBytes(NONCE_BYTES);
  const cipher = crypto.createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(placeBytes(scope, place));
  const sealed = cipher.update(plain);
  const piece = Buffer.concat([nonce, sealed, cipher.final(), cipher.getAuthTag()]);
  releaseBytes(sealed);
  return piece;
}

/** Throws `damaged` when it is not what was sealed with this key at this place. */
export function openPiece({ key, scope }: Seal, place: PiecePlace, stored: Uint8Array): Uint8Array {
  if (stored.length < SEAL_BYTES) throw notOpened('it is shorter than a seal');
  const decipher = crypto.createDecipheriv('aes-256-gcm', key, stored.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(placeBytes(scope, place));
  decipher.setAuthTag(stored.subarray(stored.length - TAG_BYTES));
  const plain = decipher.update(stored.subarray(NONCE_BYTES, stored.length - TAG_BYTES));
  try {
    decipher.final();
  } catch {
    throw notOpened('it was changed, or belongs elsewhere');
  }
  return plain;
}

function notOpened(reason: string): BackupError {
  return new BackupError('damaged', `the seal does not open: ${reason}`, { facts: { seal: 'broken' } });
}

/** Whether damage is, or was found as, a seal that does not open. */
export function isSealBroken(error: unknown): boolean {
  if (!isBackupError(error)) return false;
  return error.facts.seal === 'broken' || isSealBroken(error.cause);
}

function placeBytes(scope: string, { file, number, isLast }: PiecePlace): Buffer {
  return Buffer.from(`eventcore-sealed-1\n${scope}\n${file}\n${number}\n${isLast ? 'last' : 'more'}\n`);
}
