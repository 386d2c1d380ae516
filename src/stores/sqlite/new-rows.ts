import crypto from 'node:crypto';
import fs from 'node:fs';
import type { StoreCursor, StoreRange } from '../../core/event-store.ts';
import type { SqliteConfig } from './config.ts';
import type { EventRows } from './event-rows.ts';
import { idAt } from './feed-rows.ts';

/** The last row is where a later reading begins; file and schema tell whether it is still the same store. */
export function readCursor(rows: EventRows, { path }: SqliteConfig): StoreCursor {
  const { dev, ino } = fs.statSync(path, { bigint: true });
  const last = rows.rowKey === 'id' ? null : lastRowid(rows);
  return {
    kind: 'sqlite',
    file: `${dev}:${ino}`,
    schemaVersion: Number(rows.db.prepare('PRAGMA schema_version').get()?.schema_version),
    maxRowid: last === null ? null : String(last),
    lastEvent: last === null ? null : idDigest(rows, last),
  };
}

/** A cursor stands in the manifest, which shows nothing of an event where the rest is sealed. */
function idDigest(rows: EventRows, rowid: bigint): string | null {
  const id = idAt(rows, rowid);
  return id === null ? null : crypto.hash('sha256', id, 'hex');
}

function lastRowid({ prepare, source }: EventRows): bigint | null {
  const [last] = prepare(`SELECT max(_rowid_) FROM ${source}`).get() as unknown as unknown[];
  return typeof last === 'bigint' ? last : null;
}

/** From here on SQLite may have no more numbers to count up, and takes any. */
const MAX_ROWID = 2n ** 62n;

/**
 * The rows behind the last one that the view of `since` saw, or why what is new may lie elsewhere, in words. A new row's number
 * is the greatest one and 1: where rows were only added, all that is new lies behind. Rows that were taken away in the middle show when all are counted;
 * at the end, when the next one takes the number of the last row, which is another event then, or is not there. Whatever numbers rows
 * anew (VACUUM, a restore) changes the schema's version, or the file.
 */
export function planNewRows(rows: EventRows, since: StoreCursor, here: StoreCursor): StoreRange[] | string {
  if (since.kind !== 'sqlite') return `the parent was taken from a store of another kind, ${since.kind}`;
  if (since.file !== here.file) return 'it is another file than when the parent was taken';
  if (since.schemaVersion !== here.schemaVersion)
    return 'its tables were changed, or its rows numbered anew (VACUUM, a restore), since the parent was taken';
  const last = rowidOf(since);
  const now = rowidOf(here);
  if (last === null || now === null || typeof since.lastEvent !== 'string')
    return 'its rows are not numbered in the order of the commits';
  if (idDigest(rows, last) !== since.lastEvent)
    return 'the last event that the parent saw is no longer where it was';
  return [{ index: 0, spec: `${last}..` }];
}

/** Null where there is no row, and where numbers do not tell which row came later. */
function rowidOf({ maxRowid }: StoreCursor): bigint | null {
  if (typeof maxRowid !== 'string' || !/^\d+$/.test(maxRowid)) return null;
  const rowid = BigInt(maxRowid);
  return rowid > 0n && rowid < MAX_ROWID ? rowid : null;
}
