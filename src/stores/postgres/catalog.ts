import pg from 'pg';
import { BackupError } from '../../core/errors.ts';
import {
  CHECKPOINTS,
  COMPANIONS,
  type CompanionLayout,
  EVENTS,
  SNAPSHOTS,
  type TableLayout,
} from '../layouts/eventcore-postgres.ts';

/** A table that is there. */
export interface FoundTable {
  /** As text: an oid may pass what a driver makes of it. */
  readonly oid: string;
  readonly columns: ReadonlyMap<string, string>;
}

/** `"schema"."table"`. */
export function qualified(schema: string, table: string): string {
  return `${pg.escapeIdentifier(schema)}.${pg.escapeIdentifier(table)}`;
}

export function columnNames(table: TableLayout): string {
  return table.columns.map((column) => pg.escapeIdentifier(column.name)).join(', ');
}

/** Looks in the catalog only, so that no right on the table is needed. Null when there is no such table. */
export async function findTable(
  client: pg.Client,
  schema: string,
  table: string,
): Promise<FoundTable | null> {
  const { rows } = await client.query<{ oid: string; name: string | null; type: string | null }>(
    `SELECT c.oid::text, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type
       FROM pg_class c
       JOIN pg_namespace n ON n.oid = c.relnamespace
       LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p')
      ORDER BY a.attnum`,
    [schema, table],
  );
  const first = rows[0];
  if (first === undefined) return null;
  const columns = rows.flatMap(({ name, type }): [string, string][] =>
    name === null || type === null ? [] : [[name, type]],
  );
  return { oid: first.oid, columns: new Map(columns) };
}

/**
 * The events table, or null. Throws `store_unsupported` when a table of that name has not the columns that the
 * layout gives it.
 */
export async function findEvents(client: pg.Client, schema: string): Promise<FoundTable | null> {
  const table = await findTable(client, schema, EVENTS.name);
  if (table === null) return null;
  for (const { name, type } of EVENTS.columns) {
    const found = table.columns.get(name);
    if (found === type || (type === 'text' && found?.startsWith('character varying'))) continue;
    throw new BackupError(
      'store_unsupported',
      `${schema}.${EVENTS.name}.${name} is ${found ?? 'missing'} where the layout has ${type}`,
      { hint: 'bring the store up to date with EventCore’s own migrations' },
    );
  }
  return table;
}

/** The events table; throws `not_an_event_store` when there is none. */
export async function requireEvents(client: pg.Client, schema: string): Promise<FoundTable> {
  const table = await findEvents(client, schema);
  if (table !== null) return table;
  throw new BackupError('not_an_event_store', `there is no table ${schema}.${EVENTS.name}`, {
    hint: 'check the address, make the tables with `eventcore init --create-store`, or name the schema with ?schema=',
  });
}

export interface FoundCompanion extends FoundTable {
  readonly layout: CompanionLayout;
}

/** The tables that belong to the events and are there. */
export async function findCompanions(client: pg.Client, schema: string): Promise<FoundCompanion[]> {
  const found: FoundCompanion[] = [];
  for (const layout of COMPANIONS) {
    const table = await findTable(client, schema, layout.name);
    if (table !== null) found.push({ ...table, layout });
  }
  return found;
}

/** Names of those of the store's own tables (not the migrations' ledger) that hold rows. */
export async function filledTables(client: pg.Client, schema: string): Promise<string[]> {
  const filled: string[] = [];
  for (const { name } of [EVENTS, CHECKPOINTS, SNAPSHOTS]) {
    if ((await findTable(client, schema, name)) === null) continue;
    const { rows } = await client.query<{ filled: boolean }>(
      `SELECT EXISTS (SELECT FROM ${qualified(schema, name)}) AS filled`,
    );
    if (rows[0]!.filled) filled.push(name);
  }
  return filled;
}
