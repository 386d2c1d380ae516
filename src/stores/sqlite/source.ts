import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { nameBytes } from '../../core/name-text.ts';
import type { SqliteForeignLayout } from '../layouts/foreign-sqlite.ts';
import type { SqliteConfig } from './config.ts';
import { foreignSource } from './foreign-rows.ts';
import { describeTable } from './inspector.ts';
import { quoted } from './sql.ts';

/**
 * What to read events from, as SQL that can stand where a table's name may: the table itself, or a subquery over one of others, with EventCore's
 * columns and the rowid. To be asked for in the transaction that reads: others may add a column at any time.
 */
export function sourceOf(db: DatabaseSync, { layout, address }: SqliteConfig): string {
  const { foreign, events } = layout;
  if (foreign === null) return quoted(events.table);
  return foreignSource(foreign, describeTable(db, foreign.table)?.columns ?? [], address);
}

/** What holds for the rows of one stream, `stream` being the column with its name; to be bound in this order, and a number from 1 on. */
export function streamCondition(
  foreign: SqliteForeignLayout | null,
  stream: string,
): { readonly sql: string; readonly valuesOf: (streamId: string) => SQLInputValue[] } {
  if (foreign === null)
    return { sql: `${stream} = CAST(? AS TEXT)`, valuesOf: (streamId) => [nameBytes(streamId)] };
  const { separator } = foreign.streamKey;
  return {
    sql: `stream_key IN (SELECT value FROM json_each(?)) AND ${stream} = CAST(? AS TEXT)`,
    valuesOf: (streamId) => [JSON.stringify(endsOf(streamId, separator)), nameBytes(streamId)],
  };
}

/** The name, and all that stands in it behind a separator: which part is whose is not said in it. */
export function endsOf(name: string, separator: string | null): string[] {
  if (separator === null) return [name];
  const parts = name.split(separator);
  return parts.map((_, from) => parts.slice(from).join(separator));
}
