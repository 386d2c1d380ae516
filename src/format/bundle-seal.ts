import { BackupError } from '../core/errors.ts';
import type { KeyRing, Signer } from '../core/key-ring.ts';
import type { ManifestSealing } from '../core/manifest.ts';
import type { Vault } from '../core/vault.ts';
import { BACKUPS_PREFIX, SEALED_SUFFIX } from './bundle.ts';
import type { BundleKeys } from './bundle-keys.ts';
import { type NewKey, parseKeyRecordName, writeNewKey } from './key-record.ts';
import { LOG_PREFIX } from './log-name.ts';
import { importSealKey, makeSealKey, type Seal, sealKeyId } from './seal.ts';

/** Who may open what is written, and who signs it. */
export interface WriteKeys {
  /** Without recipients nothing is sealed. */
  readonly ring: KeyRing;
  readonly signer: Signer | null;
}

export function isSealing(keys: WriteKeys | undefined): keys is WriteKeys {
  return keys !== undefined && keys.ring.recipients.length > 0;
}

/** What a bundle, or a log, is sealed with while it is written. */
export interface BundleSeal {
  readonly data: Seal;
  /** For the heads that this host keeps for itself; null without a signing key. */
  readonly memory: Seal | null;
  readonly sealing: ManifestSealing;
}

export interface NewBundle {
  readonly folder: string;
  readonly backupId: string;
  readonly createdAt: string;
  readonly software: string;
}

/**
 * Makes the key of a new bundle and writes its record; null when nothing is to be sealed. Throws `seal_required`, with nothing
 * written, when a vault that holds sealed things would get plain ones.
 */
export async function beginSeal(
  vault: Vault,
  keys: WriteKeys | undefined,
  { folder, backupId, createdAt, software }: NewBundle,
): Promise<BundleSeal | null> {
  if (!isSealing(keys)) {
    await refusePlain(vault);
    return null;
  }
  return makeSeal(vault, keys, { folder, scope: backupId, createdAt, software });
}

/** Makes a key and writes its record, which does no harm when nothing is ever sealed with it. */
export async function makeSeal(
  vault: Vault,
  { ring, signer }: WriteKeys,
  about: NewKey,
): Promise<BundleSeal> {
  const key = makeSealKey();
  const { scope } = about;
  const keyId = await writeNewKey(vault, key, ring, signer, about);
  const memoryKey = signer === null ? null : importSealKey(signer.memoryKey);
  const memoryKeyId = memoryKey === null ? null : sealKeyId(memoryKey);
  return {
    data: { key, scope },
    memory: memoryKey === null ? null : { key: memoryKey, scope },
    sealing: { cipher: 'AES-256-GCM', keyId, memoryKeyId },
  };
}

/** What opens a bundle that is being written, for whoever checks it. */
export function keysOf(seal: BundleSeal | null): BundleKeys | undefined {
  return seal === null ? undefined : { data: seal.data.key, memory: seal.memory?.key ?? null };
}

/** Throws `seal_required` when there is something sealed in the vault. */
export async function refusePlain(vault: Vault): Promise<void> {
  for (const prefix of [BACKUPS_PREFIX, LOG_PREFIX]) {
    for await (const { name } of vault.list(prefix)) {
      const isKey = parseKeyRecordName(name.slice(name.lastIndexOf('/') + 1)) !== null;
      if (isKey || name.endsWith(SEALED_SUFFIX)) throw plainInSealed(vault, name);
    }
  }
}

export function plainInSealed(vault: Vault, name: string): BackupError {
  return new BackupError('seal_required', `${vault.address} is sealed, and nobody is named to seal for`, {
    hint: 'name recipients (--recipient age1…, or `encryption:` in the configuration), or use another vault for plain backups',
    facts: { found: name },
  });
}
