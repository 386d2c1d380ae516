import pg from 'pg';
import { BackupError } from '../../core/errors.ts';
import { COMPANIONS, type CompanionLayout, EVENTS, type TableLayout } from '../layouts/eventcore-postgres.ts';
import type { ForeignLayout } from '../layouts/foreign.ts';
import { FOREIGN_LAYOUTS } from '../layouts/postgres-layouts.ts';
import type { PostgresAddress } from './config.ts';
import { foreignSource } from './foreign-rows.ts';
import { findLeaves, type Leaf } from './leaves.ts';

/** A table that is there. */
export interface FoundTable {
  /** As text: an oid may pass what a driver makes of it. */
  readonly oid: string;
  readonly columns: ReadonlyMap<string, string>;
  /** It is partitioned: it has no rows of its own. */
  readonly isParted: boolean;
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
  const { rows } = await client.query<ColumnRow>(
    `SELECT c.oid::text, relkind = 'p' AS parted, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type
       FROM pg_class c
       JOIN pg_namespace n ON n.oid = c.relnamespace
       LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
             AND a.attgenerated = ''
      WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p')
      ORDER BY a.attnum`,
    [schema, table],
  );
  const first = rows[0];
  if (first === undefined) return null;
  const columns = rows.flatMap(({ name, type }): [string, string][] =>
    name === null || type === null ? [] : [[name, type]],
  );
  return { oid: first.oid, columns: new Map(columns), isParted: first.parted };
}

interface ColumnRow {
  readonly oid: string;
  readonly parted: boolean;
  readonly name: string | null;
  readonly type: string | null;
}

/** The events of a store, wherever they lie. */
export interface FoundEvents extends FoundTable {
  /** `"schema"."table"`. */
  readonly table: string;
  /** What to read from, with the columns of EventCore's table: the table itself, or a subquery over one of others. */
  readonly source: string;
  /** The tables that have the rows, and what to read each from: the parts of a partitioned one, by their names. */
  readonly leaves: readonly EventsLeaf[];
  /** Parts are read one by one; else, also where this role may read them by way of their table only, all as one table. */
  readonly isReadByLeaf: boolean;
  /** Null: it is EventCore's. */
  readonly foreign: ForeignLayout | null;
}

export interface EventsLeaf extends Leaf {
  readonly source: string;
}

/**
 * The events table, or null. Throws `store_unsupported` when a table of that name has not the columns that the
 * layout gives it.
 */
export async function findEvents(
  client: pg.Client,
  { schema, foreign }: PostgresAddress,
): Promise<FoundEvents | null> {
  if (foreign !== null) return findForeign(client, schema, foreign);
  const found = await findTable(client, schema, EVENTS.name);
  if (found === null) return null;
  for (const { name, type } of EVENTS.columns) {
    const is = found.columns.get(name);
    if (is === type || (type === 'text' && is?.startsWith('character varying'))) continue;
    throw unlike(
      `${schema}.${EVENTS.name}.${name}`,
      is,
      type,
      'bring the store up to date with EventCore’s own migrations',
    );
  }
  const table = qualified(schema, EVENTS.name);
  const parts = await partsOf(client, found, table, (leaf) => leaf);
  return { ...found, table, source: table, ...parts, foreign: null };
}

/** `sourceOf` gives what to read a table from. */
async function partsOf(
  client: pg.Client,
  { oid, isParted }: FoundTable,
  table: string,
  sourceOf: (table: string) => string,
): Promise<Pick<FoundEvents, 'leaves' | 'isReadByLeaf'>> {
  if (!isParted) return { leaves: [{ oid, table, source: sourceOf(table) }], isReadByLeaf: false };
  const { leaves, areReadable } = await findLeaves(client, oid);
  return {
    leaves: leaves.map((leaf) => ({ ...leaf, source: sourceOf(leaf.table) })),
    isReadByLeaf: areReadable,
  };
}

async function findForeign(
  client: pg.Client,
  schema: string,
  layout: ForeignLayout,
): Promise<FoundEvents | null> {
  const found = await findTable(client, schema, layout.table);
  if (found === null) return null;
  for (const [name, types] of Object.entries(layout.columns)) {
    const is = found.columns.get(name);
    if (isOneOf(is, types)) continue;
    const where = `${schema}.${layout.table}.${name}`;
    throw unlike(
      where,
      is,
      types.join(' or '),
      `the layout ${layout.name} is made for another version of this store`,
    );
  }
  const table = qualified(schema, layout.table);
  const place = { schema, columns: found.columns };
  const sourceOf = (name: string): string => foreignSource(layout, name, place);
  const parts = await partsOf(client, found, table, sourceOf);
  return { ...found, table, source: sourceOf(table), ...parts, foreign: layout };
}

/** With whatever length or precision it may have. */
function isOneOf(is: string | undefined, types: readonly string[]): boolean {
  return is !== undefined && types.some((type) => is.replace(/\(\d+\)/, '') === type);
}

function unlike(where: string, is: string | undefined, type: string, hint: string): BackupError {
  return new BackupError('store_unsupported', `${where} is ${is ?? 'missing'} where the layout has ${type}`, {
    hint,
  });
}

/** The events table; throws `not_an_event_store` when there is none. */
export async function requireEvents(client: pg.Client, address: PostgresAddress): Promise<FoundEvents> {
  const found = await findEvents(client, address);
  if (found !== null) return found;
  const { schema, foreign } = address;
  throw new BackupError(
    'not_an_event_store',
    `there is no table ${schema}.${foreign?.table ?? EVENTS.name}`,
    {
      hint: hintOf(foreign),
    },
  );
}

function hintOf(foreign: ForeignLayout | null): string {
  if (foreign !== null)
    return `check the address, make the tables with ${foreign.made}, or name their schema with ?schema=`;
  return 'check the address, make the tables with `eventcore init --create-store`, or name the schema with ?schema=';
}

/** For what is not done to stores of others. Throws `store_unsupported`. */
export function requireOwn({ foreign }: PostgresAddress, what: string): void {
  if (foreign === null) return;
  throw new BackupError('store_unsupported', `a store of ${foreign.name}: ${what}`, {
    hint: 'docs/layouts.md says what can be done with a store of which layout',
  });
}

/**
 * Whose events lie here, where the address names no layout: EventCore's come first, and stay what is meant where there are none of anybody.
 * Looks in the schema of the address, or, where it names none, in the usual one of each layout.
 */
export async function findLayout(client: pg.Client, address: PostgresAddress): Promise<PostgresAddress> {
  if (address.isLayoutNamed || (await findTable(client, address.schema, EVENTS.name)) !== null)
    return address;
  for (const foreign of FOREIGN_LAYOUTS) {
    const schema = address.isSchemaNamed ? address.schema : foreign.schema;
    const found = await findNamed(client, schema, foreign);
    if (found !== null) return { ...address, schema, foreign: found };
  }
  return address;
}

/**
 * The layout if its table is there, by its usual name or, where its users name it, by all columns that it must have. Throws `store_unsupported` when
 * several tables have these.
 */
async function findNamed(
  client: pg.Client,
  schema: string,
  layout: ForeignLayout,
): Promise<ForeignLayout | null> {
  const found = await findTable(client, schema, layout.table);
  if (layout.renamed === undefined) {
    const isIt = found !== null && Object.keys(layout.columns).every((name) => found.columns.has(name));
    return isIt ? layout : null;
  }
  // Other programs may well have a table of that name.
  const fits = ({ columns }: FoundTable): boolean =>
    Object.entries(layout.columns).every(([name, types]) => isOneOf(columns.get(name), types));
  if (found !== null && fits(found)) return layout;
  const names: string[] = [];
  for (const name of await tablesWith(client, schema, Object.keys(layout.columns))) {
    if (fits((await findTable(client, schema, name))!)) names.push(name);
  }
  if (names.length > 1) throw ambiguous(schema, layout, names);
  return names.length === 0 ? null : layout.renamed(names[0]!);
}

function ambiguous(schema: string, { name }: ForeignLayout, tables: readonly string[]): BackupError {
  const listed = tables.map((table) => `${schema}.${table}`).join(', ');
  return new BackupError('store_unsupported', `${listed} all look like the events of ${name}`, {
    hint: `say which one: ?layout=${name}&table=${encodeURIComponent(tables[0]!)}; each is a store of its own, with backups of its own`,
  });
}

async function tablesWith(client: pg.Client, schema: string, columns: readonly string[]): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attname = ANY ($2::name[])
      GROUP BY c.relname HAVING count(*) = cardinality($2::name[]) ORDER BY c.relname COLLATE "C"`,
    [schema, columns],
  );
  return rows.map(({ name }) => name);
}

export interface FoundCompanion extends FoundTable {
  readonly layout: CompanionLayout;
}

/** The tables that belong to the events and are there. */
export async function findCompanions(client: pg.Client, address: PostgresAddress): Promise<FoundCompanion[]> {
  const found: FoundCompanion[] = [];
  for (const layout of await companionsOf(client, address)) {
    const table = await findTable(client, address.schema, layout.name);
    if (table !== null) found.push({ ...table, layout });
  }
  return found;
}

/** Tables of others are read whole, whatever they look like. */
export async function companionsOf(
  client: pg.Client,
  { schema, foreign }: PostgresAddress,
): Promise<readonly CompanionLayout[]> {
  if (foreign === null) return COMPANIONS;
  const found: CompanionLayout[] = [];
  for (const { name: pattern, key, ...companion } of foreign.companions) {
    const names = pattern.endsWith('%') ? await tablesLike(client, schema, pattern.slice(0, -1)) : [pattern];
    const without = { columns: [], indexes: [], checks: [], primaryKey: { name: '', column: key } };
    found.push(...names.map((name) => ({ ...companion, ...without, name })));
  }
  return found;
}

/** Parts of a partitioned table are read with it. */
async function tablesLike(client: pg.Client, schema: string, prefix: string): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
      WHERE nspname = $1 AND starts_with(relname::text, $2) AND relkind IN ('r', 'p') AND NOT relispartition
      ORDER BY relname COLLATE "C"`,
    [schema, prefix],
  );
  return rows.map(({ name }) => name);
}

/** Names of those of the store's own tables (not the migrations' ledger) that hold rows. */
export async function filledTables(client: pg.Client, address: PostgresAddress): Promise<string[]> {
  const { schema, foreign } = address;
  const companions = (await companionsOf(client, address)).filter(({ role }) => role !== 'ledger');
  const names = [foreign?.table ?? EVENTS.name, ...companions.map(({ name }) => name)];
  const filled: string[] = [];
  for (const name of names) {
    if ((await findTable(client, schema, name)) === null) continue;
    const { rows } = await client.query<{ filled: boolean }>(
      `SELECT EXISTS (SELECT FROM ${qualified(schema, name)}) AS filled`,
    );
    if (rows[0]!.filled) filled.push(name);
  }
  return filled;
}
