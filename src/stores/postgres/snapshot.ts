import pg from 'pg';
import type { CompanionRow, StoreCursor, StoreSnapshot } from '../../core/event-store.ts';
import { COMPANIONS, EVENTS } from '../layouts/eventcore-postgres.ts';
import { type FoundCompanion, findCompanions, findTable, qualified, requireEvents } from './catalog.ts';
import { type Database, dropConnection, endConnection, openConnection, readPages } from './connection.ts';
import { cutIntoRanges } from './range.ts';
import { BEGIN_VIEW, readerOver, type SnapshotToken } from './reader.ts';
import { toBackupError } from './server-error.ts';

/** Few, since the state of a snapshot may be large. */
const PAGE_ROWS = 50;

/**
 * One view of the store, held open by a connection of its own that reads nothing in bulk: ranges are read by further
 * connections that join it.
 */
export async function openSnapshot(database: Database): Promise<StoreSnapshot> {
  const client = await openConnection(database);
  try {
    return await startSnapshot(database, client);
  } catch (error) {
    dropConnection(database, client);
    throw toBackupError(error, database.address.shown);
  }
}

async function startSnapshot(database: Database, client: pg.Client): Promise<StoreSnapshot> {
  const { schema, shown } = database.address;
  await requireEvents(client, schema);
  const present = await findCompanions(client, schema);
  await client.query(BEGIN_VIEW);
  // Before the snapshot is taken: TRUNCATE and DROP do not care for snapshots, but they wait for this lock.
  const tables = [EVENTS, ...present.map(({ layout }) => layout)].map(({ name }) => qualified(schema, name));
  await client.query(`LOCK TABLE ${tables.join(', ')} IN ACCESS SHARE MODE`);
  const { rows } = await client.query<{ snapshot: string }>('SELECT pg_export_snapshot() AS snapshot');
  const { oid } = await requireEvents(client, schema);
  const token: SnapshotToken = { snapshot: rows[0]!.snapshot, relation: oid };
  const reader = readerOver(database, token);
  const refusing = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    try {
      return await work();
    } catch (error) {
      throw toBackupError(error, shown);
    }
  };
  return {
    token: JSON.stringify(token),
    servesJoined: false,
    cursor: await readCursor(client, oid),
    readRange: reader.readRange,
    estimate: () => refusing(() => estimate(client, oid)),
    planRanges: (parallel) => refusing(async () => cutIntoRanges(await heapBytes(client, oid), parallel)),
    readCompanions: () => readCompanions(client, schema, shown),
    close: async () => {
      await reader.close();
      await endConnection(database, client);
    },
  };
}

/**
 * Identifies the state that the snapshot saw: transactions are comparable only on the same system and timeline. The
 * control functions may be kept from a role; the fields are null then.
 */
async function readCursor(client: pg.Client, relation: string): Promise<StoreCursor> {
  const { rows } = await client.query<{ database: string; snapshot: string; recovering: boolean }>(
    `SELECT (SELECT oid::text FROM pg_database WHERE datname = current_database()) AS database,
            pg_current_snapshot()::text AS snapshot,
            pg_is_in_recovery() AS recovering`,
  );
  const { database, snapshot, recovering } = rows[0]!;
  const systemIdentifier = await readSystemIdentifier(client);
  const timeline = await readTimeline(client, recovering);
  return { kind: 'postgres', systemIdentifier, timeline, database, relation, snapshot };
}

async function readSystemIdentifier(client: pg.Client): Promise<string | null> {
  if (!(await mayCall(client, ['pg_control_system()']))) return null;
  const { rows } = await client.query<{ id: string }>(
    'SELECT system_identifier::text AS id FROM pg_control_system()',
  );
  return rows[0]!.id;
}

/**
 * A primary's timeline is in the name of the file that it writes: the control file may still have the old one for a
 * while after a promotion. A standby has the later of its last restart point's and the one it must replay to.
 */
async function readTimeline(client: pg.Client, recovering: boolean): Promise<number | null> {
  const sql = recovering
    ? `SELECT greatest(c.timeline_id, r.min_recovery_end_timeline) AS timeline
         FROM pg_control_checkpoint() c, pg_control_recovery() r`
    : `SELECT ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int AS timeline`;
  const functions = recovering
    ? ['pg_control_checkpoint()', 'pg_control_recovery()']
    : ['pg_walfile_name(pg_lsn)', 'pg_current_wal_lsn()'];
  if (!(await mayCall(client, functions))) return null;
  const { rows } = await client.query<{ timeline: number }>(sql);
  return rows[0]!.timeline;
}

async function mayCall(client: pg.Client, functions: readonly string[]): Promise<boolean> {
  const { rows } = await client.query<{ allowed: boolean }>(
    `SELECT bool_and(has_function_privilege(f, 'EXECUTE')) AS allowed FROM unnest($1::text[]) AS f`,
    [functions],
  );
  return rows[0]!.allowed;
}

async function estimate(
  client: pg.Client,
  oid: string,
): Promise<{ events: number | null; bytes: number | null }> {
  const { rows } = await client.query<{ events: number; pages: number; bytes: string }>(
    `SELECT reltuples AS events, relpages AS pages, pg_table_size(oid) AS bytes FROM pg_class WHERE oid = $1`,
    [oid],
  );
  const { events, pages, bytes } = rows[0]!;
  // Without ANALYZE: -1, or before PostgreSQL 14 no rows in no pages.
  const analysed = events > 0 || (events === 0 && pages > 0);
  return { events: analysed ? events : null, bytes: Number(bytes) };
}

async function heapBytes(client: pg.Client, oid: string): Promise<number> {
  const { rows } = await client.query<{ bytes: string }>('SELECT pg_relation_size($1::oid) AS bytes', [oid]);
  return Number(rows[0]!.bytes);
}

async function* readCompanions(
  client: pg.Client,
  schema: string,
  shown: string,
): AsyncGenerator<CompanionRow> {
  try {
    for (const layout of COMPANIONS) {
      const table = await findTable(client, schema, layout.name);
      if (table !== null) yield* readCompanionTable(client, schema, { ...table, layout });
    }
  } catch (error) {
    throw toBackupError(error, shown);
  }
}

async function* readCompanionTable(
  client: pg.Client,
  schema: string,
  table: FoundCompanion,
): AsyncGenerator<CompanionRow> {
  const { name, role, primaryKey } = table.layout;
  const texts = [...table.columns.keys()].map((column) => `${pg.escapeIdentifier(column)}::text`);
  const sql = `SELECT ${texts.join(', ')} FROM ${qualified(schema, name)} ORDER BY ${primaryKey.column}`;
  for await (const page of readPages<Record<string, string | null>>(client, sql, [], PAGE_ROWS)) {
    for (const values of page) yield { table: name, role, values };
  }
}
