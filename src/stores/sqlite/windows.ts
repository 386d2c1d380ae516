import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { BackupError } from '../../core/errors.ts';
import { MAX_VERSION } from '../../core/event-batch.ts';
import type { SqliteEventsTable } from '../layouts/eventcore-sqlite.ts';
import type { RowKey } from './inspector.ts';
import { quoted } from './sql.ts';

/**
 * A window is a run of events, chosen so that its bytes are about a batch. SQLite hands out a window as one row of two
 * values: the concatenated bytes of all its fields, and their lengths and versions as text. So neither an event nor a
 * field becomes a JavaScript value. This is exact for every value that SQLite can hold: concat() and group_concat() join
 * values by their length in bytes, with embedded NULs, bytes that are no UTF-8 and BLOBs as they are, and
 * octet_length() counts the same bytes.
 */
export interface Window {
  readonly events: number;
  readonly range: KeyRange;
}

/** The keys behind `after` (null: from the first on) up to and with `last`. */
export interface KeyRange {
  readonly after: Key | null;
  readonly last: Key;
}

/** A rowid, or an id with its storage class: SQLite sorts all texts before all BLOBs. */
export type Key = { readonly sql: '?' | 'CAST(? AS TEXT)'; readonly value: bigint | Uint8Array };

export interface WindowBytes {
  /** The fields of the first event in the order of FIELDS, then those of the second, and so on. */
  readonly bytes: Uint8Array;
  /** For each event, joined by commas: the lengths of its fields (-1 for NULL), its version (`x`: not exact). */
  readonly facts: Uint8Array;
}

/** In the order in which the bytes of an event lie in its window. */
export const FIELDS = ['id', 'stream', 'type', 'data', 'metadata', 'time'] as const;

const MAX_WINDOW_EVENTS = 65_536;
/** A window that is not the first may have this many times the events of the one before. */
const MAX_GROWTH = 8;
const FIRST_WINDOW_EVENTS = 256;
/** A window may be this much larger than asked for before a smaller one is tried. */
const TOLERANCE = 1.25;

export interface WindowSource {
  readonly db: DatabaseSync;
  readonly table: SqliteEventsTable;
  readonly rowKey: RowKey;
}

/** Chooses window after window, at most about `windowBytes` of event bytes each (or one event). */
export function* chooseWindows(source: WindowSource, windowBytes: number): Generator<Window> {
  const measure = measureStatement(source);
  let after: Key | null = null;
  let limit = FIRST_WINDOW_EVENTS;
  for (;;) {
    const found = measure(after, limit);
    if (found === null) return;
    if (found.events > 1 && found.sizeBytes > windowBytes * TOLERANCE) {
      limit = Math.max(1, Math.floor((found.events * windowBytes) / found.sizeBytes));
      continue;
    }
    yield { events: found.events, range: { after, last: found.last } };
    after = found.last;
    const fitting = Math.floor((found.events * windowBytes) / Math.max(1, found.sizeBytes));
    limit = Math.max(1, Math.min(MAX_WINDOW_EVENTS, found.events * MAX_GROWTH, fitting));
  }
}

interface Measured {
  readonly events: number;
  readonly sizeBytes: number;
  readonly last: Key;
}

/** octet_length() of a column reads the row's header only, so measuring costs little even where events are large. */
function measureStatement({
  db,
  table,
  rowKey,
}: WindowSource): (after: Key | null, limit: number) => Measured | null {
  const key = keyColumn(table, rowKey);
  const size = FIELDS.map((field) => `ifnull(octet_length(${column(table, field)}), 0)`).join(' + ');
  return (after, limit) => {
    const where = after === null ? '' : `WHERE ${key} > ${after.sql}`;
    const statement = db.prepare(
      `SELECT count(*) AS events, sum(size) AS size, typeof(max(k)) AS type,
              iif(typeof(max(k)) = 'integer', max(k), CAST(max(k) AS BLOB)) AS last
       FROM (SELECT ${key} AS k, ${size} AS size FROM ${quoted(table.table)} ${where} ORDER BY ${key} LIMIT ?)`,
    );
    statement.setReadBigInts(true);
    const row = statement.get(...bound(after), limit)!;
    if (row.events === 0n) return null;
    const sql = row.type === 'text' ? 'CAST(? AS TEXT)' : '?';
    const value = row.last as bigint | Uint8Array;
    return { events: Number(row.events), sizeBytes: Number(row.size), last: { sql, value } };
  };
}

/** Reads a window's events as two values. */
export function readWindow(source: WindowSource, range: KeyRange): WindowBytes {
  const { db, table } = source;
  const lengths = FIELDS.map((field) => `ifnull(octet_length(${column(table, field)}), -1)`);
  const version = column(table, 'version');
  const { where, values } = condition(source, range);
  const row = db
    .prepare(
      `SELECT CAST(group_concat(concat(${FIELDS.map((field) => column(table, field)).join(', ')}), '') AS BLOB) AS bytes,
              CAST(group_concat(concat_ws(',', ${lengths.join(', ')}, iif(${isExact(version)}, ${version}, 'x')))
                   AS BLOB) AS facts
       FROM ${quoted(table.table)} WHERE ${where}`,
    )
    .get(...values)!;
  return { bytes: row.bytes as Uint8Array, facts: row.facts as Uint8Array };
}

function isExact(version: string): string {
  return `typeof(${version}) = 'integer' AND ${version} BETWEEN -${MAX_VERSION} AND ${MAX_VERSION}`;
}

/**
 * Names the first event of a window that this program cannot back up exactly: one whose version is no integer
 * within ±(2^53 − 1), or that has no id, stream, type or time.
 */
export function unsupportedEvent(source: WindowSource, range: KeyRange, address: string): BackupError {
  const { db, table } = source;
  const version = column(table, 'version');
  const needed = (['id', 'stream', 'type', 'time'] as const).map(
    (field) => `${column(table, field)} IS NULL`,
  );
  const { where, values } = condition(source, range);
  const row = db
    .prepare(
      `SELECT quote(${column(table, 'id')}) AS id, quote(${column(table, 'stream')}) AS stream,
              quote(${version}) AS version, (${isExact(version)}) AS exact
       FROM ${quoted(table.table)} WHERE ${where} AND (NOT (${isExact(version)}) OR ${needed.join(' OR ')}) LIMIT 1`,
    )
    .get(...values);
  const says =
    row?.exact === 0
      ? `a version that is no integer within ±${MAX_VERSION}`
      : 'NULL for its id, stream, type or time';
  const which = `event ${row?.id} (stream ${row?.stream}, version ${row?.version})`;
  return new BackupError('store_unsupported', `${which} of ${address} has ${says}`, {
    hint: 'correct the row; such an event cannot be kept exactly, so nothing was backed up',
  });
}

function condition(
  { table, rowKey }: WindowSource,
  { after, last }: KeyRange,
): { where: string; values: SQLInputValue[] } {
  const key = keyColumn(table, rowKey);
  const above = after === null ? '' : `${key} > ${after.sql} AND `;
  return { where: `${above}${key} <= ${last.sql}`, values: [...bound(after), last.value] };
}

function bound(key: Key | null): SQLInputValue[] {
  return key === null ? [] : [key.value];
}

function keyColumn(table: SqliteEventsTable, rowKey: RowKey): string {
  return rowKey === 'id' ? column(table, 'id') : rowKey;
}

function column(table: SqliteEventsTable, field: keyof SqliteEventsTable['columns']): string {
  return quoted(table.columns[field]);
}
