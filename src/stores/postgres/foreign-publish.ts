import pg from 'pg';
import { BackupError } from '../../core/errors.ts';
import { EVENTS } from '../layouts/eventcore-postgres.ts';
import type { ForeignLayout, ForeignSequence } from '../layouts/foreign.ts';
import { companionsOf, type FoundEvents, qualified, requireEvents } from './catalog.ts';
import { type ForeignPlace, foreignColumns, placed } from './foreign-rows.ts';
import { type Publication, requireEmpty } from './publish.ts';
import { publishCompanions, type StagedCompanions } from './staged-companions.ts';
import { readTargetColumns, type TargetColumn } from './target-columns.ts';
import { disableTriggers, enableTriggers } from './triggers.ts';

/**
 * Writes what was loaded into the tables of another store, in the transaction that the session is in. They are made by that store's own
 * tools, and are never altered: rows are added, sequences go on behind them.
 */
export async function publishForeign(
  client: pg.Client,
  own: ForeignLayout,
  publication: Publication,
): Promise<void> {
  const { address, stagingSchema, replace, adopt, companions } = publication;
  const layout = adopt ? adopting(own) : own;
  const { schema } = address;
  const events = await requireEvents(client, address);
  const place = { schema, columns: events.columns };
  const others = (await companionsOf(client, address)).map(({ name }) => qualified(schema, name));
  const there = await existing(client, others);
  await client.query(`LOCK TABLE ${[events.table, ...there].join(', ')} IN ACCESS EXCLUSIVE MODE`);
  if (replace) await client.query(`TRUNCATE ${[events.table, ...there].join(', ')}`);
  else await requireEmpty(client, address);
  const table = qualified(stagingSchema, EVENTS.name);
  const staged = adopt ? enveloped(table) : table;
  const target = await readTargetColumns(client, events.oid);
  await numberStaged(client, placed(layout.order, place), staged);
  await requirePlaces(client, layout, events, target);
  await gatherRows(client, companions);
  await runStatements(client, layout.before, place);
  // Rows of streams first: events may refer to them, and others to events.
  await publishCompanions(client, companions, (table) => table.refersToEvents !== true);
  const triggers = await disableTriggers(client, events.table);
  await insertStaged(client, layout, { events, place, target, staged });
  await enableTriggers(client, triggers);
  await publishCompanions(client, companions, (table) => table.refersToEvents === true);
  for (const sequence of layout.sequences) await moveSequence(client, schema, layout.table, sequence);
  await runStatements(client, layout.after, place);
  await client.query(`DROP SCHEMA ${pg.escapeIdentifier(stagingSchema)} CASCADE`);
}

/** As it is written for events of EventCore, whose ids are their order. */
function adopting(layout: ForeignLayout): ForeignLayout {
  const rewritten = { ...layout.rewritten, ...layout.adopts };
  return { ...layout, rewritten, order: 's.event_id' };
}

/** Events of EventCore as stores of others have theirs, with nothing beside. */
function enveloped(table: string): string {
  return `(SELECT event_id, stream_id, stream_version, event_type, event_data, created_at,
      jsonb_build_object('metadata', metadata, 'columns', '{}'::jsonb) AS metadata FROM ${table})`;
}

/** In the order in which the store has them delivered: so `number` is an event's place in it, from 1. */
async function numberStaged(client: pg.Client, order: string, staged: string): Promise<void> {
  await client.query(
    `CREATE TEMP TABLE restored ON COMMIT DROP AS
     SELECT event_id, stream_id, stream_version, metadata -> 'columns' AS columns,
            row_number() OVER (ORDER BY ${order}, stream_id COLLATE "C", stream_version) AS number
       FROM ${staged} AS s`,
  );
  await client.query('ALTER TABLE pg_temp.restored ADD PRIMARY KEY (stream_id, stream_version)');
}

/** So that statements of a layout find the rows of companions, whichever there are. */
async function gatherRows(client: pg.Client, { tables, stagingSchema }: StagedCompanions): Promise<void> {
  await client.query('CREATE TEMP TABLE restored_rows (companion text, columns jsonb) ON COMMIT DROP');
  for (const [name, table] of tables) {
    if (table === null) continue;
    await client.query(
      `INSERT INTO pg_temp.restored_rows SELECT $1, to_jsonb(s) FROM ${qualified(stagingSchema, name)} AS s`,
      [name],
    );
  }
}

/** Functions of others name their tables without a schema. */
async function runStatements(
  client: pg.Client,
  statements: readonly string[],
  place: ForeignPlace,
): Promise<void> {
  if (statements.length === 0) return;
  await client.query(`SET LOCAL search_path = ${pg.escapeIdentifier(place.schema)}, pg_catalog`);
  for (const statement of statements) await client.query(placed(statement, place));
  await client.query('SET LOCAL search_path = pg_catalog');
}

async function existing(client: pg.Client, tables: readonly string[]): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    'SELECT name FROM unnest($1::text[]) AS name WHERE to_regclass(name) IS NOT NULL',
    [tables],
  );
  return rows.map(({ name }) => name);
}

/** What the manifests say is not taken on trust: nothing that a row has is left behind in silence. */
async function requirePlaces(
  client: pg.Client,
  layout: ForeignLayout,
  events: FoundEvents,
  target: readonly TargetColumn[],
): Promise<void> {
  const { rows } = await client.query<{ names: string[] }>(
    `SELECT array(SELECT jsonb_object_keys(columns - $1::text[]) ORDER BY 1) AS names
       FROM pg_temp.restored WHERE columns - $1::text[] <> '{}' LIMIT 1`,
    [target.map(({ name }) => name)],
  );
  const names = rows[0]?.names.join(', ');
  if (names === undefined) return;
  throw new BackupError('value_not_storable', `${events.table} has no place for ${names} of an event`, {
    hint: `the target has to have the same columns as the store of ${layout.name} that was backed up`,
  });
}

interface InsertTarget {
  readonly events: FoundEvents;
  readonly place: ForeignPlace;
  readonly target: readonly TargetColumn[];
  readonly staged: string;
}

async function insertStaged(
  client: pg.Client,
  layout: ForeignLayout,
  { events, place, target, staged }: InsertTarget,
): Promise<void> {
  const columns = foreignColumns(layout, place, target);
  const names = columns.map(({ name }) => pg.escapeIdentifier(name)).join(', ');
  const values = columns.map(({ sql }) => sql).join(', ');
  try {
    await client.query(
      `INSERT INTO ${events.table} (${names}) OVERRIDING SYSTEM VALUE
       SELECT ${values} FROM (SELECT staged.*, restored.number FROM ${staged} AS staged JOIN pg_temp.restored USING (stream_id, stream_version)) AS s
        ORDER BY s.number`,
    );
  } catch (cause) {
    throw notStorable(cause, layout, events.table) ?? cause;
  }
}

/** What the target's own columns, types and constraints refuse. */
function notStorable(error: unknown, { name }: ForeignLayout, table: string): BackupError | null {
  if (!(error instanceof pg.DatabaseError) || !/^2[23]/.test(error.code ?? '')) return null;
  return new BackupError(
    'value_not_storable',
    `${table} does not take an event: ${error.detail ?? error.message}`,
    {
      hint: `the target has to have the same columns and partitions as the store of ${name} that was backed up`,
      cause: error,
    },
  );
}

/** Of a column that takes its values of one: by being its own, or by its default. */
const SEQUENCE_OF = `SELECT coalesce(
    pg_get_serial_sequence($1, $2),
    (SELECT sequence.oid::regclass::text
       FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
       JOIN pg_depend p ON p.classid = 'pg_attrdef'::regclass AND p.objid = d.oid AND p.refclassid = 'pg_class'::regclass
       JOIN pg_class sequence ON sequence.oid = p.refobjid AND sequence.relkind = 'S'
      WHERE d.adrelid = to_regclass($1) AND a.attname = $2 LIMIT 1)) AS name`;

/**
 * Where there is no such table or sequence, the store has none. Not by setval(), which no rollback takes back: a store that is in use would
 * give numbers a second time.
 */
async function moveSequence(
  client: pg.Client,
  schema: string,
  events: string,
  { name, column, table = events }: ForeignSequence,
): Promise<void> {
  const from = qualified(schema, table);
  if ((await existing(client, [from])).length === 0) return;
  const sequence = name === undefined ? await sequenceOf(client, from, column) : qualified(schema, name);
  const { rows } = await client.query<{ isThere: boolean; next: string }>(
    `SELECT to_regclass($1) IS NOT NULL AS "isThere", greatest(coalesce(max(${pg.escapeIdentifier(column)}), 0) + 1, 1)::text AS next
       FROM ${from}`,
    [sequence],
  );
  const { isThere, next } = rows[0]!;
  if (isThere) await client.query(`ALTER SEQUENCE ${sequence} RESTART WITH ${BigInt(next)}`);
}

async function sequenceOf(client: pg.Client, table: string, column: string): Promise<string | null> {
  const { rows } = await client.query<{ name: string | null }>(SEQUENCE_OF, [table, column]);
  return rows[0]!.name;
}
