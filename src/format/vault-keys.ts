import { BackupError } from '../core/errors.ts';
import { judgeSignature, type SignatureFinding, type TrustPolicy } from '../core/trust.ts';
import type { Vault } from '../core/vault.ts';
import { BACKUPS_PREFIX } from './bundle.ts';
import { RUNS_PREFIX } from './disaster-journal.ts';
import {
  isKeyRecordForged,
  type KeyRecord,
  keyRecordName,
  parseKeyRecordName,
  readKeyRecords,
} from './key-record.ts';
import { LOG_PREFIX } from './log-name.ts';

/** A key of a vault by its records; what it opens lies in the same folder. */
export interface VaultKey {
  readonly folder: string;
  readonly keyId: string;
  /** Newest first, at least one. */
  readonly records: readonly KeyRecord[];
}

/** All keys of a vault, in the order of their folders. Throws `damaged`, naming a record that is not as it was written. */
export async function readVaultKeys(vault: Vault): Promise<VaultKey[]> {
  const keys: VaultKey[] = [];
  for (const folder of await keyFolders(vault)) {
    for (const [keyId, records] of await readKeyRecords(vault, folder)) keys.push({ folder, keyId, records });
  }
  return keys;
}

async function keyFolders(vault: Vault): Promise<string[]> {
  const folders = new Set<string>();
  for (const prefix of [BACKUPS_PREFIX, LOG_PREFIX, RUNS_PREFIX]) {
    for await (const { name } of vault.list(prefix)) {
      const slash = name.lastIndexOf('/') + 1;
      if (parseKeyRecordName(name.slice(slash)) !== null) folders.add(name.slice(0, slash));
    }
  }
  return [...folders];
}

export function recordPath({ folder, keyId }: VaultKey, { number }: KeyRecord): string {
  return folder + keyRecordName(keyId, number);
}

/** The record that says who may open the key now. */
export function newestRecord({ keyId, records }: VaultKey): KeyRecord {
  const [newest] = records;
  if (newest === undefined) throw new BackupError('internal', `key ${keyId} has no record`);
  return newest;
}

export function judgeRecord(record: KeyRecord, trust: TrustPolicy): SignatureFinding {
  return judgeSignature(record.signature, !isKeyRecordForged(record), trust);
}
