import type { Clock } from '../core/clock.ts';
import { BackupError, isBackupError } from '../core/errors.ts';
import type { ObjectInfo, Vault } from '../core/vault.ts';
import { writeObject } from '../format/data-file-writer.ts';
import {
  decodeLease,
  encodeLease,
  type LeaseRecord,
  leaseFolder,
  leaseName,
  MAX_LEASE_BYTES,
  MAX_LEASE_NUMBER,
  parseLeaseNumber,
} from '../format/lease-record.ts';
import { LEASE_TTL_MS } from '../policy/lease.ts';

/** The objects that a lease consists of: a row of records of which the newest counts. */

export interface FoundRecord {
  readonly number: number;
  /** By the vault's clock. */
  readonly writtenAtMs: number;
  readonly record: Pick<LeaseRecord, 'state' | 'ttlMs' | 'holder'> & Partial<LeaseRecord>;
}

/** Behind the newest one: who was held up between looking and writing finds its number taken, and not free again. */
const KEPT_RECORDS = 8;
/** Each time; records that a vault does not let go are tried again, and no more of them than that. */
const MOST_REMOVALS = 16;
const MOST_LOOKS = 10;
/** What a process that died left. */
const PROBE_STALE_MS = 3_600_000;

const PROBE = 'now-';

export async function readNewest(vault: Vault, lease: string): Promise<FoundRecord | null> {
  for (let looks = 0; looks < MOST_LOOKS; looks += 1) {
    const newest = (await listRow(vault, lease)).records.at(-1);
    if (newest === undefined) return null;
    const { number, info } = newest;
    const record = await readRecord(vault, info);
    // Removed since it was listed: there are newer ones.
    if (record === undefined) continue;
    return { number, writtenAtMs: info.modifiedAtMs, record: record ?? UNREADABLE };
  }
  throw new BackupError('vault_unreachable', `${vault.address} lists records of leases that are not there`);
}

/** Somebody may hold it. */
const UNREADABLE = { state: 'held', ttlMs: LEASE_TTL_MS, holder: 'somebody who cannot be told' } as const;

interface Row {
  /** In the order of their numbers. */
  readonly records: readonly { readonly number: number; readonly info: ObjectInfo }[];
  readonly probes: readonly ObjectInfo[];
}

async function listRow(vault: Vault, lease: string): Promise<Row> {
  const records: { number: number; info: ObjectInfo }[] = [];
  const probes: ObjectInfo[] = [];
  for await (const info of vault.list(leaseFolder(lease))) {
    const number = parseLeaseNumber(info.name);
    if (number !== null) records.push({ number, info });
    else if (info.name.startsWith(leaseFolder(lease) + PROBE)) probes.push(info);
  }
  return { records, probes };
}

/** Undefined when it is gone, null when it is none. */
async function readRecord(
  vault: Vault,
  { name, sizeBytes }: ObjectInfo,
): Promise<LeaseRecord | null | undefined> {
  if (sizeBytes > MAX_LEASE_BYTES) return null;
  try {
    return decodeLease(await vault.readRange(name, 0, sizeBytes));
  } catch (error) {
    if (isBackupError(error, 'vault_object_missing')) return undefined;
    if (isBackupError(error, 'damaged', 'object_archived')) return null;
    throw error;
  }
}

/** False when another one has that number. A record that is this claim's was written, though its answer may have been lost. */
export async function writeRecord(vault: Vault, record: LeaseRecord): Promise<boolean> {
  const { lease, number, claim, state } = record;
  if (number > MAX_LEASE_NUMBER) {
    throw new BackupError('vault_refused', `the lease "${lease}" of ${vault.address} has no number left`, {
      hint: `somebody wrote ${leaseName(lease, MAX_LEASE_NUMBER)}: remove the objects in ${leaseFolder(lease)} when nobody holds it`,
    });
  }
  const name = leaseName(lease, number);
  try {
    await writeObject(vault, name, encodeLease(record));
    return true;
  } catch (error) {
    if (!isBackupError(error, 'vault_object_exists')) throw error;
    const info = await vault.stat(name);
    const found = info === null ? null : await readRecord(vault, info);
    return found?.claim === claim && found.state === state;
  }
}

/** Clears away what nobody looks at any more; a vault that keeps it all the same does no harm. Gives the newest number. */
export async function removeOld(vault: Vault, lease: string): Promise<number> {
  const { records, probes } = await listRow(vault, lease);
  const newest = records.at(-1);
  if (newest === undefined) return 0;
  const old = records.slice(0, -KEPT_RECORDS).map(({ info }) => info);
  const stale = probes.filter(({ modifiedAtMs }) => newest.info.modifiedAtMs - modifiedAtMs > PROBE_STALE_MS);
  for (const { name } of [...old, ...stale].slice(0, MOST_REMOVALS)) {
    try {
      await vault.removeObject(name);
    } catch (error) {
      if (!isBackupError(error)) throw error;
      break;
    }
  }
  return newest.number;
}

/** What time it is by the vault's clock: that of an object that is written now. */
export async function vaultNow(vault: Vault, lease: string, clock: Clock): Promise<number> {
  const name = `${leaseFolder(lease)}${PROBE}${clock.uuid()}`;
  await writeObject(vault, name, new Uint8Array(0));
  try {
    const info = await vault.stat(name);
    if (info !== null) return info.modifiedAtMs;
    throw new BackupError('vault_unreachable', `${vault.address} does not show what was just written`);
  } finally {
    await vault.removeObject(name).catch((error: unknown) => {
      if (!isBackupError(error)) throw error;
    });
  }
}
