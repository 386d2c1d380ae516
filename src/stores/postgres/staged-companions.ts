import pg from 'pg';
import { BackupError } from '../../core/errors.ts';
import type { CompanionRow } from '../../core/event-store.ts';
import type { CompanionLayout } from '../layouts/eventcore-postgres.ts';
import { qualified } from './catalog.ts';
import { tableSql } from './schema.ts';
import { sqlState } from './server-error.ts';

/** Rows that belong to the events, gathered in tables of the staging schema until they are published. */
export interface StagedCompanions {
  readonly targetSchema: string;
  readonly stagingSchema: string;
  /** Of the tables that the target may have. */
  readonly layouts: readonly CompanionLayout[];
  /** By name; null: the target has no place for it. */
  readonly tables: Map<string, StagedTable | null>;
}

export interface StagedTable {
  readonly layout: CompanionLayout;
  /** Name and type of each column that the target has. */
  readonly columns: ReadonlyMap<string, string>;
  /** Columns that a row must bring. */
  readonly required: readonly string[];
  pending: CompanionRow[];
  pendingCharacters: number;
}

const MAX_PENDING_ROWS = 200;
const MAX_PENDING_CHARACTERS = 4 * 1024 * 1024;

/** Takes a row, or returns false when the target has no place for it. */
export async function stageCompanion(
  client: pg.Client,
  companions: StagedCompanions,
  row: CompanionRow,
): Promise<boolean> {
  const table = await stagedTable(client, companions, row);
  if (table === null) return false;
  const names = Object.keys(row.values);
  if (!names.every((name) => table.columns.has(name))) return false;
  if (!table.required.every((name) => names.includes(name))) return false;
  table.pending.push(row);
  for (const value of Object.values(row.values)) table.pendingCharacters += value?.length ?? 0;
  if (table.pending.length >= MAX_PENDING_ROWS || table.pendingCharacters >= MAX_PENDING_CHARACTERS) {
    await flushTable(client, companions, table);
  }
  return true;
}

/** Writes what is pending. Throws `value_not_storable`, naming the row. */
export async function flushCompanions(client: pg.Client, companions: StagedCompanions): Promise<void> {
  for (const table of companions.tables.values()) {
    if (table !== null) await flushTable(client, companions, table);
  }
}

async function stagedTable(
  client: pg.Client,
  companions: StagedCompanions,
  row: CompanionRow,
): Promise<StagedTable | null> {
  const known = companions.tables.get(row.table);
  if (known !== undefined) return known;
  const layout = companions.layouts.find(({ name, role }) => name === row.table && role === row.role);
  // Not remembered: a name of another backup may come with the right role later.
  if (layout === undefined) return null;
  const table = await createStagedTable(client, companions, layout);
  companions.tables.set(row.table, table);
  return table;
}

async function createStagedTable(
  client: pg.Client,
  companions: StagedCompanions,
  layout: CompanionLayout,
): Promise<StagedTable | null> {
  const target = qualified(companions.targetSchema, layout.name);
  const staged = qualified(companions.stagingSchema, layout.name);
  const { rows } = await client.query<{ oid: string | null }>('SELECT to_regclass($1)::oid::text AS oid', [
    target,
  ]);
  if (rows[0]!.oid === null) {
    // Tables of others are made by their own tools.
    if (layout.columns.length === 0) return null;
    await client.query(tableSql(companions.stagingSchema, layout));
  } else {
    // A filled ledger says what the target's own schema is; that stays.
    if (layout.role === 'ledger' && (await hasRows(client, target))) return null;
    await client.query(`CREATE TABLE ${staged} (LIKE ${target} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)`);
  }
  const columns = await client.query<{ name: string; type: string; required: boolean }>(
    `SELECT attname AS name, format_type(atttypid, atttypmod) AS type, attnotnull AND NOT atthasdef AS required
       FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped`,
    [staged],
  );
  return {
    layout,
    columns: new Map(columns.rows.map(({ name, type }) => [name, type])),
    required: columns.rows.filter(({ required }) => required).map(({ name }) => name),
    pending: [],
    pendingCharacters: 0,
  };
}

export async function hasRows(client: pg.Client, table: string): Promise<boolean> {
  const { rows } = await client.query<{ filled: boolean }>(`SELECT EXISTS (SELECT FROM ${table}) AS filled`);
  return rows[0]!.filled;
}

async function flushTable(
  client: pg.Client,
  companions: StagedCompanions,
  table: StagedTable,
): Promise<void> {
  const rows = table.pending;
  table.pending = [];
  table.pendingCharacters = 0;
  for (const part of groupByColumns(rows)) {
    try {
      await insertRows(client, companions, table, part);
    } catch (error) {
      if (!isAboutRow(error)) throw error;
      // The server does not say which row it was: the same again, one by one.
      for (const row of part) await insertOne(client, companions, table, row);
      throw error;
    }
  }
}

function groupByColumns(rows: readonly CompanionRow[]): CompanionRow[][] {
  const groups = Object.groupBy(rows, (row) => JSON.stringify(Object.keys(row.values)));
  return Object.values(groups).filter((group) => group !== undefined);
}

function isAboutRow(error: unknown): boolean {
  const state = sqlState(error);
  return state !== null && (state.startsWith('22') || state.startsWith('23') || state === '54000');
}

async function insertRows(
  client: pg.Client,
  companions: StagedCompanions,
  table: StagedTable,
  rows: readonly CompanionRow[],
): Promise<void> {
  const names = Object.keys(rows[0]!.values);
  const quoted = names.map(pg.escapeIdentifier);
  const cast = names.map((name, i) => `${quoted[i]!}::${table.columns.get(name)!}`);
  const parameters = names.map((_, i) => `$${i + 1}::text[]`);
  await client.query(
    `INSERT INTO ${qualified(companions.stagingSchema, table.layout.name)} (${quoted.join(', ')})
     SELECT ${cast.join(', ')} FROM unnest(${parameters.join(', ')}) AS given(${quoted.join(', ')})`,
    names.map((name) => rows.map((row) => row.values[name] ?? null)),
  );
}

async function insertOne(
  client: pg.Client,
  companions: StagedCompanions,
  table: StagedTable,
  row: CompanionRow,
): Promise<void> {
  try {
    await insertRows(client, companions, table, [row]);
  } catch (error) {
    if (!isAboutRow(error)) throw error;
    const { name, primaryKey } = table.layout;
    const key = row.values[primaryKey.column.split(',')[0]!.replaceAll('"', '')] ?? '';
    throw new BackupError(
      'value_not_storable',
      `row ${JSON.stringify(key)} of ${name} cannot be stored: ${String(error)}`,
      { hint: 'restore with --checkpoints reset, or correct the row in the source', cause: error },
    );
  }
}

/** Puts the staged rows into the target's tables that are wanted. To be called in the publishing transaction, tables locked. */
export async function publishCompanions(
  client: pg.Client,
  companions: StagedCompanions,
  isWanted: (layout: CompanionLayout) => boolean = () => true,
): Promise<void> {
  for (const table of companions.tables.values()) {
    if (table === null || !isWanted(table.layout)) continue;
    const target = qualified(companions.targetSchema, table.layout.name);
    // Filled by someone else since it was staged: then it is theirs.
    if (table.layout.role === 'ledger' && (await hasRows(client, target))) continue;
    const names = [...table.columns.keys()].map(pg.escapeIdentifier).join(', ');
    const staged = qualified(companions.stagingSchema, table.layout.name);
    await client.query(
      `INSERT INTO ${target} (${names}) OVERRIDING SYSTEM VALUE SELECT ${names} FROM ${staged}`,
    );
  }
}
