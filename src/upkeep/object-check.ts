import { BackupError, isBackupError, throwIfAborted } from '../core/errors.ts';
import { NO_TRUST_POLICY, type TrustPolicy, whyNotTrusted } from '../core/trust.ts';
import type { Vault } from '../core/vault.ts';
import { parseBundleName } from '../format/bundle.ts';
import { hasOwnChecksum } from '../format/checked-json.ts';
import { makeFileDigest } from '../format/file-digest.ts';
import { passingLog } from '../format/log-digests.ts';
import { decodeManifest, MAX_MANIFEST_BYTES, manifestChecksum } from '../format/manifest-codec.ts';
import { findSignature } from '../format/open-bundle.ts';

/** Tells whether an object is what was written, from its bytes as they pass by. No key is needed. */
export interface ObjectCheck {
  /** Throws `damaged`. */
  update(bytes: Uint8Array): void;
  /** Throws `damaged`, or `store_unsupported` where a newer program wrote it. */
  end(): void;
}

export type MakeCheck = () => ObjectCheck;

/** A data file or chunk table, by what the manifest says of it. */
export function digestCheck(expected: { readonly sizeBytes: number; readonly sha256: string }): ObjectCheck {
  const digest = makeFileDigest();
  let sizeBytes = 0;
  return {
    update: (bytes) => {
      sizeBytes += bytes.length;
      digest.update(bytes);
    },
    end: () => {
      if (sizeBytes !== expected.sizeBytes) {
        throw new BackupError('damaged', `it has ${sizeBytes} bytes instead of ${expected.sizeBytes}`);
      }
      if (digest.hex() !== expected.sha256) throw new BackupError('damaged', 'it does not have its checksum');
    },
  };
}

/** What is known of a manifest beside what it says itself. */
export interface KnownOfManifest {
  /** Whose signature it must have. */
  readonly trust?: TrustPolicy | undefined;
  /** Its checksum, as a backup names it that builds on it. */
  readonly checksum?: string | undefined;
}

/** A manifest, by its own checksum, the folder that it lies in, its signature, if it has one, and what is known of it. */
export function manifestCheck(name: string, known: KnownOfManifest = {}): ObjectCheck {
  return wholeCheck(MAX_MANIFEST_BYTES, (bytes) => {
    const manifest = decodeManifest(bytes);
    const { backupId, kind } = manifest;
    const place = parseBundleName(name);
    if (place?.backupId !== backupId || place.kind !== kind)
      throw new BackupError('damaged', `it is the manifest of ${kind} backup ${backupId}`);
    if (known.checksum !== undefined && manifestChecksum(manifest) !== known.checksum)
      throw new BackupError('damaged', 'it is not the manifest that another backup was built on');
    const trust = known.trust ?? NO_TRUST_POLICY;
    const reason = whyNotTrusted(findSignature(manifest, trust), trust);
    if (reason !== null) throw new BackupError('damaged', reason);
  });
}

/** No record is larger. */
const MAX_RECORD_BYTES = 16 << 20;

/** What holds its own checksum: key records, gap markers, epoch records, holds. */
export function recordCheck(): ObjectCheck {
  return wholeCheck(MAX_RECORD_BYTES, (bytes) => {
    if (!hasOwnChecksum(bytes)) throw new BackupError('damaged', 'it does not have its checksum');
  });
}

/** A file of the change log that ends at `to`. */
export function logCheck(to: bigint): ObjectCheck {
  return passingLog(to);
}

function wholeCheck(maxBytes: number, check: (bytes: Uint8Array) => void): ObjectCheck {
  const parts: Uint8Array[] = [];
  let sizeBytes = 0;
  return {
    update: (bytes) => {
      sizeBytes += bytes.length;
      if (sizeBytes > maxBytes) throw new BackupError('damaged', `it has more than ${maxBytes} bytes`);
      parts.push(Uint8Array.from(bytes));
    },
    end: () => check(Buffer.concat(parts)),
  };
}

export const PIECE_BYTES = 4 << 20;

/** `missing`, or why it is not sound; null when it is. */
export type Soundness = { readonly state: 'sound' | 'missing' } | Unsound;

export interface Unsound {
  readonly state: 'unsound';
  readonly reason: string;
}

/** Reads an object to its end. Throws what the vault does, `object_archived` among it. */
export async function checkObject(
  vault: Vault,
  name: string,
  make: MakeCheck,
  signal?: AbortSignal,
): Promise<Soundness> {
  const info = await vault.stat(name);
  if (info === null) return { state: 'missing' };
  return judging(async () => {
    const check = make();
    for (let offset = 0; offset < info.sizeBytes; offset += PIECE_BYTES) {
      throwIfAborted(signal);
      check.update(await vault.readRange(name, offset, Math.min(PIECE_BYTES, info.sizeBytes - offset)));
    }
    check.end();
    return { state: 'sound' };
  });
}

/** Damage that work meets is what it finds, not a failure; so is an object that went away meanwhile. */
export async function judging<Result>(
  work: () => Promise<Result>,
): Promise<Result | Unsound | { readonly state: 'missing' }> {
  try {
    return await work();
  } catch (error) {
    if (isBackupError(error, 'vault_object_missing')) return { state: 'missing' };
    if (!isBackupError(error, 'damaged', 'store_unsupported')) throw error;
    return { state: 'unsound', reason: error.message };
  }
}
