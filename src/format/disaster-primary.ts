import { BackupError, isBackupError } from '../core/errors.ts';
import type { Vault } from '../core/vault.ts';
import { DISASTER_PREFIX } from './disaster-fields.ts';
import {
  decodeRecord,
  encodeRecord,
  type Fields,
  isCount,
  isInstant,
  isNullOr,
  isText,
  isUuid,
  putRecord,
  type RecordKind,
  readRecord,
} from './record.ts';

/** Who the primary is since a recovery (FORMAT.md §22): an old one that comes back is known by it. */
export interface PrimaryRecord {
  readonly systemIdentifier: string;
  /** Null where the place is no server of PostgreSQL that could be asked. */
  readonly timeline: number | null;
  readonly region: string;
  /** Without a password. */
  readonly server: string;
  /** Of the lease under which it was written: of records of several vaults, the one with the greatest epoch counts. */
  readonly epoch: number;
  readonly planId: string;
  /** RFC 3339, with milliseconds. */
  readonly recordedAt: string;
}

export const PRIMARIES_PREFIX = `${DISASTER_PREFIX}primaries/`;
const NAME = new RegExp(`^${PRIMARIES_PREFIX}(\\d{5})\\.json$`);

export function primaryName(number: number): string {
  return `${PRIMARIES_PREFIX}${String(number).padStart(5, '0')}.json`;
}

/** Null when an object of this name is no such record. */
export function parsePrimaryName(name: string): number | null {
  const number = Number(NAME.exec(name)?.[1] ?? 0);
  return number === 0 ? null : number;
}

const PRIMARY: RecordKind<PrimaryRecord> = {
  what: 'the record of the primary',
  versionKey: 'primaryVersion',
  signed: null,
  maxBytes: 1 << 16,
  isOne: isPrimaryRecord,
  pick: pickPrimaryRecord,
};

export function encodePrimary(record: PrimaryRecord): Buffer {
  return encodeRecord(PRIMARY, record, null);
}

/** Throws `damaged`. */
export function decodePrimary(bytes: Uint8Array): PrimaryRecord {
  return decodeRecord(PRIMARY, bytes);
}

export interface NewestPrimary {
  /** Null when there never was a recovery, or none can be read. */
  readonly record: PrimaryRecord | null;
  /** 0 when there is no object at all. */
  readonly number: number;
  /** Newer ones that cannot be read: who the primary is may have changed since. */
  readonly unreadable: readonly string[];
}

export async function readNewestPrimary(vault: Vault): Promise<NewestPrimary> {
  const numbers: number[] = [];
  for await (const { name } of vault.list(PRIMARIES_PREFIX)) {
    const number = parsePrimaryName(name);
    if (number !== null) numbers.push(number);
  }
  const unreadable: string[] = [];
  for (const number of numbers.toReversed()) {
    const record = await readPrimary(vault, primaryName(number));
    if (record !== null) return { record, number: numbers.at(-1)!, unreadable };
    unreadable.push(primaryName(number));
  }
  return { record: null, number: numbers.at(-1) ?? 0, unreadable };
}

async function readPrimary(vault: Vault, name: string): Promise<PrimaryRecord | null> {
  try {
    const bytes = await readRecord(vault, name, PRIMARY.maxBytes);
    return bytes === null ? null : decodePrimary(bytes);
  } catch (error) {
    if (isBackupError(error, 'damaged', 'object_archived')) return null;
    throw error;
  }
}

/** More than one other writes meanwhile only where a lease does not hold. */
const MOST_TRIES = 5;

/**
 * Says in a vault who the primary is. Done again for the same plan and server it changes nothing. Throws `plan_outdated` where a record of a
 * greater epoch is there: a later recovery has decided otherwise.
 */
export async function recordPrimary(vault: Vault, record: PrimaryRecord): Promise<void> {
  for (let tries = 0; tries < MOST_TRIES; tries += 1) {
    const { record: newest, number } = await readNewestPrimary(vault);
    if (newest !== null && isSame(newest, record)) return;
    if (newest !== null && newest.epoch > record.epoch) throw outdated(newest);
    if (await putRecord(vault, primaryName(number + 1), encodePrimary(record))) return;
  }
  throw new BackupError('lease_held', `others write who the primary is in ${vault.address} just now`, {
    hint: 'look at eventcore dr status, and resume when nobody else recovers',
  });
}

function isSame(a: PrimaryRecord, b: PrimaryRecord): boolean {
  return (
    a.planId === b.planId &&
    a.server === b.server &&
    a.systemIdentifier === b.systemIdentifier &&
    a.timeline === b.timeline
  );
}

function outdated({ server, planId, recordedAt }: PrimaryRecord): BackupError {
  return new BackupError('plan_outdated', `since ${recordedAt} the primary is ${server}, by plan ${planId}`, {
    hint: 'another recovery came after this one: assess anew and make a new plan',
  });
}

/** Of the newest records of several vaults, the one that counts. */
export function newestOf(records: readonly PrimaryRecord[]): PrimaryRecord | null {
  const sorted = records.toSorted((a, b) => a.epoch - b.epoch || (a.recordedAt < b.recordedAt ? -1 : 1));
  return sorted.at(-1) ?? null;
}

function isPrimaryRecord(value: Fields): boolean {
  const { systemIdentifier, timeline, region, server, epoch, planId, recordedAt } = value;
  return (
    [systemIdentifier, region, server].every(isText) &&
    isNullOr(isCount)(timeline) &&
    isCount(epoch) &&
    isUuid(planId) &&
    isInstant(recordedAt)
  );
}

function pickPrimaryRecord(record: PrimaryRecord): PrimaryRecord {
  const { systemIdentifier, timeline, region, server, epoch, planId, recordedAt } = record;
  return { systemIdentifier, timeline, region, server, epoch, planId, recordedAt };
}
