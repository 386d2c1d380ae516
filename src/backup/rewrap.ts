import { BackupError, isBackupError, throwIfAborted } from '../core/errors.ts';
import type { KeyRing } from '../core/key-ring.ts';
import { whyNotTrusted } from '../core/trust.ts';
import type { Vault } from '../core/vault.ts';
import { writeObject } from '../format/data-file-writer.ts';
import { encodeKeyRecord, type KeyRecord, keyRecordName, unwrapKey } from '../format/key-record.ts';
import type { ReadKeys } from '../format/open-bundle.ts';
import { exportSealKey, type SealKey } from '../format/seal.ts';
import { judgeRecord, newestRecord, readVaultKeys, recordPath, type VaultKey } from '../format/vault-keys.ts';
import { planRewrap, type RewrapRequest, type RewrapStep } from '../policy/rewrap.ts';

export interface RewrapOptions {
  readonly vault: Vault;
  readonly keys: ReadKeys;
  /** A ring of those who are added. */
  readonly add: KeyRing;
  readonly drop: readonly string[];
  /** False: only looks whether all of it could be done. */
  readonly apply: boolean;
  readonly removeSuperseded: boolean;
  /** RFC 3339. */
  readonly createdAt: string;
  readonly software: string;
  readonly signal?: AbortSignal;
  /** Called for each key that has a new record. */
  readonly onRewrapped?: (name: string) => void;
}

export interface RewrapReport {
  readonly keys: number;
  readonly steps: readonly RewrapStep<RewrapKey>[];
  /** Records that are superseded and were removed, or would be. */
  readonly removed: readonly string[];
  /** Superseded records that stay: nobody has shown that the newer one opens. */
  readonly stay: readonly string[];
}

export interface RewrapKey extends VaultKey {
  readonly recipients: readonly string[];
}

/**
 * Writes a new record for each key that has not the wished recipients; data and older records stay as they are. All keys are opened
 * before the first is written. Throws `key_missing`, `key_wrong` or `key_refused` when one does not open, `signature_invalid` for a
 * record that is forged or not by a signer whom the policy wants, `damaged` for one that is not as it was written.
 */
export async function rewrapKeys(options: RewrapOptions): Promise<RewrapReport> {
  const { vault, keys, add, drop, apply } = options;
  requireSigner(keys);
  const found = (await readVaultKeys(vault)).map((key) => withRecipients(key, keys));
  const steps = planRewrap(found, { add: add.recipients, drop } satisfies RewrapRequest);
  const needed = steps.filter(({ isNeeded }) => isNeeded);
  const opened: SealKey[] = [];
  for (const { key } of needed) {
    throwIfAborted(options.signal);
    opened.push(await openKey(key, keys));
  }
  if (apply) for (const [index, step] of needed.entries()) await writeNext(step, opened[index]!, options);
  return { keys: found.length, steps, ...(await removeSuperseded(steps, options)) };
}

function requireSigner({ signer, trust }: ReadKeys): void {
  if (!trust.requireSignature || signer !== null) return;
  throw new BackupError('key_missing', 'the new records must be signed, and no signing key is given', {
    hint: 'pass --sign-key FILE, or name it under `encryption:` in the configuration',
  });
}

function withRecipients(key: VaultKey, { trust }: ReadKeys): RewrapKey {
  const newest = newestRecord(key);
  const reason = whyNotTrusted(judgeRecord(newest, trust), trust);
  if (reason !== null) {
    const file = recordPath(key, newest);
    throw new BackupError('signature_invalid', `${file} is not to be used: ${reason}`, {
      hint: 'somebody else wrote it; compare it with another copy of the vault, and put it aside',
      facts: { file },
    });
  }
  return { ...key, recipients: newest.recipients.map(({ recipient }) => recipient) };
}

async function openKey({ folder, keyId, records }: RewrapKey, { ring }: ReadKeys): Promise<SealKey> {
  try {
    return await unwrapKey(records, { keyId, scope: records[0]!.scope }, ring);
  } catch (cause) {
    if (!isBackupError(cause)) throw cause;
    throw new BackupError(cause.code, `key ${keyId} of ${folder}: ${cause.message}`, {
      ...{ hint: cause.hint ?? 'give an identity that opens it', facts: { ...cause.facts, keyId, folder } },
      cause,
    });
  }
}

/** Copies of recipients who stay go over as they are: nobody is let in because an older record names him. */
async function writeNext(
  { key, kept, added }: RewrapStep<RewrapKey>,
  seal: SealKey,
  { vault, keys, add, createdAt, software, signal, onRewrapped }: RewrapOptions,
): Promise<void> {
  throwIfAborted(signal);
  const { scope, number: last, recipients } = newestRecord(key);
  const { keyId } = key;
  const fresh = added.length === 0 ? [] : await add.wrap(exportSealKey(seal), keyId);
  const record: KeyRecord = {
    ...{ keyId, number: last + 1, scope, createdAt, software },
    recipients: [
      ...recipients.filter(({ recipient }) => kept.includes(recipient)),
      ...fresh.filter(({ recipient }) => added.includes(recipient)),
    ],
  };
  const name = key.folder + keyRecordName(keyId, record.number);
  await writeObject(vault, name, encodeKeyRecord(record, keys.signer));
  onRewrapped?.(name);
}

/** A dropped recipient still opens an older record, so it may be wished away; the data's key stays the same all the same. */
async function removeSuperseded(
  steps: readonly RewrapStep<RewrapKey>[],
  { vault, keys, apply, removeSuperseded: isWished, signal }: RewrapOptions,
): Promise<Pick<RewrapReport, 'removed' | 'stay'>> {
  const report = { removed: [] as string[], stay: [] as string[] };
  if (!isWished) return report;
  for (const { key, isNeeded } of steps) {
    const older = key.records.slice(isNeeded ? 0 : 1).map((record) => recordPath(key, record));
    if (older.length === 0) continue;
    throwIfAborted(signal);
    if (!isNeeded && !(await opensAlone(key, keys))) {
      report.stay.push(...older);
      continue;
    }
    // Oldest first: whatever stops here, the newer ones are there.
    for (const name of apply ? older.reverse() : []) await vault.removeObject(name);
    report.removed.push(...older);
  }
  return report;
}

/** Whether the newest record opens without the older ones. One that was written just now does. */
async function opensAlone(key: RewrapKey, keys: ReadKeys): Promise<boolean> {
  try {
    await openKey({ ...key, records: [newestRecord(key)] }, keys);
    return true;
  } catch (error) {
    if (isBackupError(error, 'key_missing', 'key_wrong')) return false;
    throw error;
  }
}
