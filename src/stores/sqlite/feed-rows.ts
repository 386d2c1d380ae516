import type { DatabaseSync } from 'node:sqlite';
import { BackupError } from '../../core/errors.ts';
import type { SqliteConfig } from './config.ts';
import { column, type EventRows, eventRows, valuesOf } from './event-rows.ts';

/** The rows of the events table, which has rowids. */
export interface FeedRows extends EventRows {
  readonly config: SqliteConfig;
}

/** Where a feed stands: every row up to `rowid` was handed out, and the last one of them is the event `id`. */
export interface Place {
  readonly rowid: bigint;
  /** Null before the first row. */
  readonly id: string | null;
}

export function feedRows(db: DatabaseSync, config: SqliteConfig): FeedRows {
  return { ...eventRows(db, config, '_rowid_'), config };
}

/** Behind this SQLite has no more numbers to count up, and takes any. */
const MAX_ROWID = 2n ** 62n;

/** The greatest rowid; 0 in an empty table. */
export function maxRowid(rows: FeedRows): bigint {
  const [greatest] = valuesOf(rows.prepare(`SELECT max(_rowid_) FROM ${tableOf(rows)}`).get());
  if (greatest === null) return 0n;
  if (typeof greatest === 'bigint' && greatest > 0n && greatest < MAX_ROWID) return greatest;
  throw new BackupError(
    'store_unsupported',
    `the last row of ${rows.config.address} has the rowid ${greatest}`,
    {
      hint: 'a log follows rowids that count up from 1, as SQLite gives them by itself; take incremental backups',
    },
  );
}

/** Id of the event in a row; null when there is no such row, or no id in it. */
export function idAt(rows: EventRows, rowid: bigint): string | null {
  return idOf(rows.prepare(`SELECT ${idColumn(rows)} FROM ${tableOf(rows)} WHERE _rowid_ = ?`).get(rowid));
}

/** Id of the event in the first row; null in an empty table. */
export function firstId(rows: FeedRows): string | null {
  return idOf(rows.prepare(`SELECT ${idColumn(rows)} FROM ${tableOf(rows)} ORDER BY _rowid_ LIMIT 1`).get());
}

/** How many rows there are up to this rowid: all, which an index counts, without the few behind it. */
export function countUpTo(rows: FeedRows, rowid: bigint): number {
  const from = tableOf(rows);
  const sql = `SELECT (SELECT count(*) FROM ${from}) - (SELECT count(*) FROM ${from} WHERE _rowid_ > ?)`;
  return Number(valuesOf(rows.prepare(sql).get(rowid))[0]);
}

/** Changes with every commit of another connection. */
export function dataVersion(rows: FeedRows): bigint {
  return valuesOf(rows.prepare('PRAGMA data_version').get())[0] as bigint;
}

/** The error for a row that is no longer the event that it was. */
export function feedLost(rows: FeedRows, { rowid, id }: Place): BackupError {
  const { address } = rows.config;
  const found = idAt(rows, rowid);
  const sql = `SELECT _rowid_ FROM ${tableOf(rows)} WHERE ${column(rows, 'id')} = ?`;
  const row = id === null ? undefined : rows.prepare(sql).get(id);
  const movedTo = row === undefined ? null : String(valuesOf(row)[0]);
  const says =
    movedTo === null
      ? `event ${id ?? 'of the last row'} is gone from row ${rowid} of ${address}: rows were deleted`
      : `event ${id} of ${address} has moved from row ${rowid} to row ${movedTo}: rows were numbered anew`;
  return lost(says, {
    reason: movedTo === null ? 'deleted' : 'renumbered',
    ...{ rowid: String(rowid), expectedEventId: id, foundEventId: found, movedTo },
  });
}

/** The error for rows that were taken from what the feed has handed out, or put into it. */
export function countLost(rows: FeedRows, rowid: bigint, expected: number, found: number): BackupError {
  const what = found < expected ? `${expected - found} were deleted` : `${found - expected} were added`;
  return lost(`of the rows up to ${rowid} of ${rows.config.address} ${what}`, {
    reason: found < expected ? 'deleted' : 'renumbered',
    ...{ rowid: String(rowid), expectedRows: expected, foundRows: found },
  });
}

function lost(says: string, facts: Readonly<Record<string, string | number | null>>): BackupError {
  return new BackupError('feed_lost', says, {
    hint: 'a new log has to begin with a full backup; find out who deletes events or runs VACUUM on the store',
    facts,
  });
}

function idOf(row: unknown): string | null {
  const [id] = row === undefined ? [] : valuesOf(row);
  return id instanceof Uint8Array ? Buffer.from(id).toString() : null;
}

function idColumn(rows: EventRows): string {
  return `CAST(${column(rows, 'id')} AS BLOB)`;
}

function tableOf({ source }: EventRows): string {
  return source;
}
