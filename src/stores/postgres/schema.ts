import pg from 'pg';
import {
  CHECKPOINTS,
  EVENTS,
  type IndexLayout,
  SNAPSHOTS,
  type TableLayout,
  TRIGGERS,
  type TriggerLayout,
} from '../layouts/eventcore-postgres.ts';
import { qualified } from './catalog.ts';

/**
 * Creates what the layout has and the database has not: schema, tables, indexes, functions, triggers. What is there is
 * never altered, so that a role that only uses the tables may run it. To be called in a transaction.
 */
export async function createMissing(client: pg.Client, schema: string): Promise<void> {
  // Two sessions that create the same table at once would fail on the catalog's own unique indexes.
  await client.query("SELECT pg_advisory_xact_lock(hashtext('eventcore-backup'), hashtext('schema'))");
  if (!(await isThere(client, SCHEMA_EXISTS, [schema]))) {
    await client.query(`CREATE SCHEMA ${pg.escapeIdentifier(schema)}`);
  }
  for (const table of [EVENTS, CHECKPOINTS, SNAPSHOTS]) await createTable(client, schema, table);
  for (const trigger of TRIGGERS) await createTrigger(client, schema, trigger);
}

/**
 * Creates a table with its key and indexes where they are missing. A partitioned one is as its owner made it: a key that does not name what it is
 * partitioned by cannot be had there.
 */
export async function createTable(client: pg.Client, schema: string, table: TableLayout): Promise<void> {
  if (!(await isThere(client, RELATION_EXISTS, [schema, table.name]))) {
    await client.query(tableSql(schema, table));
    await client.query(primaryKeySql(schema, table));
  }
  if (await isThere(client, PARTED_EXISTS, [schema, table.name])) return;
  for (const index of table.indexes) {
    if (await isThere(client, RELATION_EXISTS, [schema, index.name])) continue;
    await client.query(indexSql(schema, table, index));
  }
}

/** CREATE TABLE with its checks, without key and indexes. */
export function tableSql(schema: string, table: TableLayout, kind: 'UNLOGGED ' | 'TEMP ' | '' = ''): string {
  const columns = table.columns.map(({ name, type, modifiers }) => `${name} ${type} ${modifiers}`);
  const checks = table.checks.map((check) => `CHECK (${check})`);
  return `CREATE ${kind}TABLE ${qualified(schema, table.name)} (${[...columns, ...checks].join(', ')})`;
}

export function primaryKeySql(schema: string, table: TableLayout): string {
  const { name, column } = table.primaryKey;
  return `ALTER TABLE ${qualified(schema, table.name)} ADD CONSTRAINT ${name} PRIMARY KEY (${column})`;
}

export function indexSql(schema: string, table: TableLayout, index: IndexLayout): string {
  const unique = index.unique ? 'UNIQUE ' : '';
  return `CREATE ${unique}INDEX ${index.name} ON ${qualified(schema, table.name)} (${index.columns})`;
}

/** Creates a trigger of the events table, and its function, where they are missing. */
async function createTrigger(client: pg.Client, schema: string, trigger: TriggerLayout): Promise<void> {
  if (!(await isThere(client, FUNCTION_EXISTS, [schema, trigger.functionName]))) {
    await client.query(`CREATE ${functionSql(schema, trigger)}`);
  }
  if (await isThere(client, TRIGGER_EXISTS, [schema, EVENTS.name, trigger.name])) return;
  await client.query(triggerSql(schema, trigger));
}

/** What stands behind CREATE, or CREATE OR REPLACE. */
export function functionSql(schema: string, { functionName, functionBody }: TriggerLayout): string {
  return `FUNCTION ${qualified(schema, functionName)}() RETURNS trigger LANGUAGE plpgsql
       AS ${pg.escapeLiteral(functionBody)}`;
}

export function triggerSql(schema: string, trigger: TriggerLayout): string {
  const { name, event, functionName } = trigger;
  return `CREATE TRIGGER ${name} BEFORE ${event} ON ${qualified(schema, EVENTS.name)} FOR EACH ROW EXECUTE FUNCTION ${qualified(schema, functionName)}()`;
}

const SCHEMA_EXISTS = 'SELECT FROM pg_namespace WHERE nspname = $1';
const RELATION_EXISTS = `SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE n.nspname = $1 AND c.relname = $2`;
const PARTED_EXISTS = `${RELATION_EXISTS} AND relkind = 'p'`;
const FUNCTION_EXISTS = `SELECT FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
   WHERE n.nspname = $1 AND p.proname = $2 AND p.pronargs = 0`;
const TRIGGER_EXISTS = `SELECT FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
   JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE n.nspname = $1 AND c.relname = $2 AND t.tgname = $3 AND NOT t.tgisinternal`;

async function isThere(client: pg.Client, sql: string, parameters: string[]): Promise<boolean> {
  const { rows } = await client.query<{ there: boolean }>(`SELECT EXISTS (${sql}) AS there`, parameters);
  return rows[0]!.there;
}
