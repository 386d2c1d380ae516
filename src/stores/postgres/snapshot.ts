import pg from 'pg';
import type { BlockPlan, CompanionRow, StoreCursor, StoreSnapshot } from '../../core/event-store.ts';
import { COMPANIONS, EVENTS } from '../layouts/eventcore-postgres.ts';
import { type FoundCompanion, findCompanions, findTable, qualified, requireEvents } from './catalog.ts';
import { type Database, dropConnection, leaveConnection, openConnection, readPages } from './connection.ts';
import { readCursor, readFilenode, readLsn, settle, whyMoved, whyNotComparable } from './cursor.ts';
import { cutIntoPasses, type TableFacts } from './pass.ts';
import {
  type Changes,
  cutChanges,
  cutIntoBlocks,
  cutIntoRanges,
  cutTails,
  narrowRanges,
  sharedChanges,
} from './range.ts';
import {
  BEGIN_VIEW,
  joinedConnection,
  type PreparedReader,
  readerOver,
  type SnapshotToken,
} from './reader.ts';
import { toBackupError } from './server-error.ts';
import { readSampledSummaries, readSummaries } from './summaries.ts';

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
  const seenLsn = await readLsn(client);
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
  const cursor = { ...(await readCursor(client, oid)), filenode: await readFilenode(client, oid) };
  const stop = new AbortController();
  const summaries = { database, schema, open: () => joinedConnection(database, token) };
  return {
    token: JSON.stringify(token),
    servesJoined: false,
    cursor,
    // An updated row is a new one, of its transaction.
    showsRewritten: true,
    settledCursor: () => refusing(() => settle(database, client, cursor)),
    readRange: reader.readRange,
    readPass: reader.readPass,
    estimate: () => refusing(() => estimate(client, oid)),
    planRanges: (parallel, rangeBytes) =>
      refusing(async () => cutIntoRanges(await heapBytes(client, oid), parallel, rangeBytes)),
    planPasses: (ranges, parallel) =>
      refusing(async () => cutIntoPasses(await tableFacts(client, oid), ranges, parallel)),
    planChanges: (since, parallel) =>
      refusing(async () => {
        const reason = whyNotComparable(since, cursor, seenLsn);
        if (reason !== null) return reason;
        const bytes = await heapBytes(client, oid);
        const hasRoom = bytes <= (await sharedBytes(client)) / 2;
        const changes = changesBetween(since, cursor);
        const ranges = hasRoom ? cutChanges(bytes, parallel, changes) : sharedChanges(parallel, changes);
        // To look for what is new takes the server a while, in which whoever asks has much to do and answers no server.
        await reader.prepare(ranges.length);
        return ranges;
      }),
    planChangesIn: (since, ranges) =>
      refusing(async () => {
        const reason = whyNotComparable(since, cursor, seenLsn) ?? whyMoved(since, cursor);
        return reason ?? narrowRanges(ranges, changesBetween(since, cursor));
      }),
    planTails: async (tails) => cutTails(tails),
    planBlocks: () => refusing(() => planBlocks(client, oid, reader)),
    countEvents: () => refusing(() => countEvents(client, schema)),
    readSummaries: ({ sample } = {}) =>
      sample === undefined
        ? readSummaries(summaries, stop.signal)
        : readSampledSummaries(summaries, sample, stop.signal),
    readCompanions: () => readCompanions(client, schema, shown),
    close: async () => {
      stop.abort();
      leaveConnection(database, client);
      await reader.close();
    },
  };
}

async function planBlocks(client: pg.Client, oid: string, reader: PreparedReader): Promise<BlockPlan> {
  // So that a connection that cannot be had is no fault of the first block.
  await reader.prepare(1);
  return cutIntoBlocks(await tableFacts(client, oid));
}

function changesBetween(since: StoreCursor, here: StoreCursor): Changes {
  return { since: String(since.snapshot), until: String(here.snapshot) };
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

/**
 * Memory of the server for pages. A scan of a whole table that has no room in it goes through a few pages again and again;
 * one of some blocks pushes everything else out, and takes many times as long.
 */
async function sharedBytes(client: pg.Client): Promise<number> {
  const sql = "SELECT pg_size_bytes(current_setting('shared_buffers'))::text AS bytes";
  return Number((await client.query<{ bytes: string }>(sql)).rows[0]!.bytes);
}

async function tableFacts(client: pg.Client, oid: string): Promise<TableFacts> {
  const { rows } = await client.query<{ version: string }>(
    "SELECT current_setting('server_version_num') AS version",
  );
  return {
    bytes: await heapBytes(client, oid),
    sharedBytes: await sharedBytes(client),
    readsBlocks: Number(rows[0]!.version) >= 140_000,
  };
}

/** Up to these sizes one process counts quicker than several start, and leaves the other processors alone. */
const SHARE_LARGE =
  "SET LOCAL min_parallel_index_scan_size = '64MB'; SET LOCAL min_parallel_table_scan_size = '1GB'";

/** Where an index says all, the planner leaves the rows alone; else, and where there is much, processors share them. */
async function countEvents(client: pg.Client, schema: string): Promise<number> {
  const sql = `SELECT count(*)::text AS events FROM ${qualified(schema, EVENTS.name)}`;
  // Sent as one: the server then counts, however long nobody here has time to answer it.
  const results: unknown = await client.query(`${SHARE_LARGE}; ${sql}`);
  const counted = (results as pg.QueryResult<{ events: string }>[]).at(-1)!;
  return Number(counted.rows[0]!.events);
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
