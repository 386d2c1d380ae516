import crypto from 'node:crypto';
import type { Vault } from '../core/vault.ts';
import { writeObject } from './data-file-writer.ts';

/** Says that a store was taken back to an earlier point, or that another one took its place, and which events are no more (FORMAT.md §12). */
export interface EpochRecord {
  readonly epoch: string;
  /** RFC 3339: when the restored store became visible. */
  readonly recoveredAt: string;
  /** Address of the restored store, without secrets. */
  readonly store: string;
  /** Backups that it was made of, the full one first; none where a standby took over. */
  readonly chain: readonly string[];
  /** What was asked for, in words. */
  readonly target: string;
  /** Where a salvage says what vanished: the time of the first of those. */
  readonly reachedTime: string;
  readonly reachedLsn: string | null;
  /** The first commit that was left out; null when the log had none behind the point. Of a promotion: where it left the old timeline. */
  readonly cutLsn: string | null;
  readonly vanished: VanishedEvents;
}

/** Events that the log holds behind the cut, or that only the old primary has: consumers may have seen them. */
export interface VanishedEvents {
  readonly events: number;
  readonly firstId: string | null;
  readonly lastId: string | null;
  /** All of them in commit order, or in that of their times; null when they are too many to be listed. */
  readonly ids: readonly string[] | null;
}

/** More ids than these are counted, not listed. */
export const MOST_VANISHED_IDS = 100_000;

export const EPOCHS_PREFIX = 'epochs/';

export function epochName(epoch: string): string {
  return `${EPOCHS_PREFIX}epoch-${epoch}.json`;
}

export async function writeEpoch(vault: Vault, record: EpochRecord): Promise<string> {
  const name = epochName(record.epoch);
  await writeObject(vault, name, encodeEpoch(record));
  return name;
}

export function encodeEpoch(record: EpochRecord): Buffer {
  const { epoch, recoveredAt, store, chain, target, reachedTime, reachedLsn, cutLsn, vanished } = record;
  const { events, firstId, lastId, ids } = vanished;
  const value = {
    ...{ epochVersion: 1, epoch, recoveredAt, store, chain, target, reachedTime, reachedLsn, cutLsn },
    vanished: { events, firstId, lastId, ids },
  };
  const checksum = crypto.hash('sha256', JSON.stringify(value, null, 2), 'hex');
  return Buffer.from(`${JSON.stringify({ ...value, checksum }, null, 2)}\n`);
}
