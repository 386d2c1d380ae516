import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import type { SqliteEventsTable } from '../layouts/eventcore-sqlite.ts';
import type { SqliteForeignLayout } from '../layouts/foreign-sqlite.ts';
import type { SqliteConfig } from './config.ts';
import type { RowKey } from './inspector.ts';
import { sourceOf } from './source.ts';
import { quoted } from './sql.ts';

/** The rows of an events table, in the order of their keys, as one connection sees them. */
export interface EventRows {
  readonly db: DatabaseSync;
  readonly table: SqliteEventsTable;
  /** SQL of what to read from: the table, or a subquery with its columns. */
  readonly source: string;
  readonly foreign: SqliteForeignLayout | null;
  readonly rowKey: RowKey;
  /** Prepares a statement once; it gives rows as arrays, and integers as BigInt. */
  readonly prepare: (sql: string) => StatementSync;
}

/** A rowid, or an id with its storage class: SQLite sorts all texts before all BLOBs. */
export interface Key {
  readonly sql: '?' | 'CAST(? AS TEXT)';
  readonly value: bigint | Uint8Array;
}

/** The keys behind `after` (null: from the first on) up to and with `last` (null: to the end). */
export interface KeyRange {
  readonly after: Key | null;
  readonly last: Key | null;
}

/** In the order in which the bytes of an event lie one behind the other. */
export const FIELDS = ['id', 'stream', 'type', 'data', 'metadata', 'time'] as const;

/** False where SQL NULL is kept as such. */
export function isNeeded(field: (typeof FIELDS)[number]): boolean {
  return field !== 'data' && field !== 'metadata';
}

export function eventRows(db: DatabaseSync, config: SqliteConfig, rowKey: RowKey): EventRows {
  const table = config.layout.events;
  const prepared = new Map<string, StatementSync>();
  const prepare = (sql: string): StatementSync => {
    const known = prepared.get(sql);
    if (known !== undefined) return known;
    const statement = db.prepare(sql);
    statement.setReadBigInts(true);
    statement.setReturnArrays(true);
    prepared.set(sql, statement);
    return statement;
  };
  return { db, table, source: sourceOf(db, config), foreign: config.layout.foreign, rowKey, prepare };
}

export function column({ table }: EventRows, field: keyof SqliteEventsTable['columns']): string {
  return quoted(table.columns[field]);
}

/** `FROM … ORDER BY key LIMIT ?` for the first rows of a range, the limit being the last value to bind. */
export function firstRows(
  rows: EventRows,
  { after, last }: KeyRange,
): { sql: string; values: SQLInputValue[] } {
  const key = keyColumn(rows);
  const bounds = [
    ...(after === null ? [] : [`${key} > ${after.sql}`]),
    ...(last === null ? [] : [`${key} <= ${last.sql}`]),
  ];
  const where = bounds.length === 0 ? '' : `WHERE ${bounds.join(' AND ')}`;
  return {
    sql: `FROM ${rows.source} ${where} ORDER BY ${key} LIMIT ?`,
    values: [after, last].flatMap((bound) => (bound === null ? [] : [bound.value])),
  };
}

export function keyColumn(rows: EventRows): string {
  return rows.rowKey === 'id' ? column(rows, 'id') : rows.rowKey;
}

/** Two columns that `readKey` takes: the class of a key, and its value, of which no byte is lost. */
export function keyColumns(key: string): string {
  return `typeof(${key}), iif(typeof(${key}) = 'integer', ${key}, CAST(${key} AS BLOB))`;
}

/** What a statement of `EventRows.prepare` gave for a row. */
export function valuesOf(row: unknown): readonly unknown[] {
  return row as readonly unknown[];
}

export function readKey(type: unknown, value: unknown): Key {
  return { sql: type === 'text' ? 'CAST(? AS TEXT)' : '?', value: value as bigint | Uint8Array };
}
