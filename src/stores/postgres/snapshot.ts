import pg from 'pg';
import type {
  BlockPlan,
  CompanionRow,
  StoreCursor,
  StoreRange,
  StoreSnapshot,
} from '../../core/event-store.ts';
import {
  type FoundCompanion,
  type FoundEvents,
  findCompanions,
  qualified,
  requireEvents,
} from './catalog.ts';
import type { PostgresAddress } from './config.ts';
import {
  begin,
  type Database,
  dropConnection,
  inTransaction,
  leaveConnection,
  openShared,
  readPages,
} from './connection.ts';
import { readCursor, readFilenode, readLsn, settle, whyMoved, whyNotComparable } from './cursor.ts';
import { cutIntoPasses, type TableFacts } from './pass.ts';
import { isPooled } from './pooler.ts';
import {
  type Changes,
  cutChanges,
  cutIntoBlocks,
  cutIntoRanges,
  cutLeaves,
  cutTails,
  joinBlocks,
  narrowRanges,
  oneBlock,
  sharedChanges,
  worthwhile,
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
  const client = await openShared(database);
  try {
    return await startSnapshot(database, client);
  } catch (error) {
    dropConnection(database, client);
    throw toBackupError(error, database.address.shown);
  }
}

async function startSnapshot(database: Database, client: pg.Client): Promise<StoreSnapshot> {
  const { schema, shown } = database.address;
  const look = () => lookBefore(database, client);
  const { table, present, seenLsn } = isPooled(client)
    ? await inTransaction(database, client, 'BEGIN', look)
    : await look();
  await begin(database, client, BEGIN_VIEW);
  // Before the snapshot is taken: TRUNCATE and DROP do not care for snapshots, but they wait for this lock.
  const tables = [table, ...present.map(({ layout }) => qualified(schema, layout.name))];
  await client.query(`LOCK TABLE ${tables.join(', ')} IN ACCESS SHARE MODE`);
  const { rows } = await client.query<{ snapshot: string }>('SELECT pg_export_snapshot() AS snapshot');
  const events = await requireEvents(client, database.address);
  const token: SnapshotToken = {
    ...{ snapshot: rows[0]!.snapshot, relation: events.oid },
    ...(database.at === null ? {} : { at: database.at }),
  };
  const reader = readerOver(database, token);
  const refusing = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    try {
      return await work();
    } catch (error) {
      throw toBackupError(error, shown);
    }
  };
  const cursor = {
    ...(await readCursor(client, relationOf(events))),
    filenode: await readFilenodes(client, events),
  };
  const stop = new AbortController();
  const summaries = {
    ...{ database, events: events.source, isOwn: events.foreign === null },
    open: () => joinedConnection(database, token),
  };
  return {
    token: JSON.stringify(token),
    servesJoined: false,
    cursor,
    // An updated row is a new one, of its transaction.
    showsRewritten: true,
    archivedAs: events.foreign?.archivedAs,
    settledCursor: () => refusing(() => settle(database, client, cursor)),
    readRange: reader.readRange,
    readPass: reader.readPass,
    estimate: () => refusing(() => estimate(client, events)),
    ...plansOf({ client, events, cursor, seenLsn, reader }, refusing),
    planTails: async (tails) => cutTails(tails),
    planBlocks: () => refusing(() => planBlocks(client, events, reader)),
    countEvents: () => refusing(() => countEvents(client, events)),
    readSummaries: ({ sample } = {}) =>
      sample === undefined
        ? readSummaries(summaries, stop.signal)
        : readSampledSummaries(summaries, sample, stop.signal),
    readCompanions: () => readCompanions(client, database.address),
    close: async () => {
      stop.abort();
      leaveConnection(database, client);
      await reader.close();
    },
  };
}

/** What has to be known before the view begins. */
async function lookBefore(database: Database, client: pg.Client) {
  const { table } = await requireEvents(client, database.address);
  const present = await findCompanions(client, database.address);
  return { table, present, seenLsn: await readLsn(client) };
}

/** What a plan is made from. */
interface Seen {
  readonly client: pg.Client;
  readonly events: FoundEvents;
  readonly cursor: StoreCursor;
  /** Read before the view began. */
  readonly seenLsn: string | null;
  readonly reader: PreparedReader;
}

function plansOf(
  { client, events, cursor, seenLsn, reader }: Seen,
  refusing: <Result>(work: () => Promise<Result>) => Promise<Result>,
): Pick<StoreSnapshot, 'planRanges' | 'planPasses' | 'planChanges' | 'planChangesIn'> {
  return {
    planRanges: (parallel, rangeBytes) => refusing(() => cut(client, events, parallel, rangeBytes)),
    planPasses: (ranges, parallel) =>
      refusing(async () =>
        events.isParted ? null : cutIntoPasses(await tableFacts(client, events.oid), ranges, parallel),
      ),
    planChanges: (since, parallel) =>
      refusing(async () => {
        const reason = whyNotComparable(since, cursor, seenLsn);
        if (reason !== null) return reason;
        const ranges = await planChanges(client, events, parallel, changesBetween(since, cursor));
        // To look for what is new takes the server a while, in which whoever asks has much to do and answers no server.
        await reader.prepare(ranges.length);
        return ranges;
      }),
    planChangesIn: (since, ranges) =>
      refusing(async () => {
        const reason = whyNotComparable(since, cursor, seenLsn) ?? whyMoved(since, cursor);
        return reason ?? narrowRanges(ranges, changesBetween(since, cursor));
      }),
  };
}

/** Of a table with parts there may be more of these than connections: so the server goes through them. */
async function planChanges(
  client: pg.Client,
  events: FoundEvents,
  parallel: number,
  changes: Changes,
): Promise<StoreRange[]> {
  const bytes = await heapBytes(client, events);
  if (bytes > (await sharedBytes(client)) / 2) return sharedChanges(parallel, changes);
  if (events.isParted) return sharedChanges(worthwhile(bytes, parallel), changes);
  return cutChanges(bytes, parallel, changes);
}

async function planBlocks(
  client: pg.Client,
  { leaves, isParted, isReadByLeaf }: FoundEvents,
  reader: PreparedReader,
): Promise<BlockPlan> {
  // So that a connection that cannot be had is no fault of the first block.
  await reader.prepare(1);
  if (isParted && !isReadByLeaf) return oneBlock();
  const parts = [];
  for (const { oid } of leaves) parts.push({ oid, plan: cutIntoBlocks(await tableFacts(client, oid)) });
  return isParted ? joinBlocks(parts) : parts[0]!.plan;
}

/** The table as a whole, or each of its parts by itself. */
async function cut(
  client: pg.Client,
  events: FoundEvents,
  parallel: number,
  rangeBytes: number | undefined,
): Promise<StoreRange[]> {
  if (!events.isParted) return cutIntoRanges(await heapBytes(client, events), parallel, rangeBytes);
  if (!events.isReadByLeaf) return cutIntoRanges(0, 1);
  const leaves = [];
  for (const leaf of events.leaves)
    leaves.push({ oid: leaf.oid, bytes: await heapBytes(client, { leaves: [leaf] }) });
  return cutLeaves(leaves, parallel, (bytes, share) => cutIntoRanges(bytes, share, rangeBytes));
}

/** Where parts were added or taken away, rows may lie elsewhere: that is another table, as far as changes go. */
function relationOf(events: FoundEvents): string {
  return events.isParted ? [events.oid, ...events.leaves.map(({ oid }) => oid)].join(' ') : events.oid;
}

async function readFilenodes(client: pg.Client, { leaves }: FoundEvents): Promise<string | null> {
  const filenodes = [];
  for (const { oid } of leaves) filenodes.push(await readFilenode(client, oid));
  return filenodes.includes(null) ? null : filenodes.join(' ');
}

function changesBetween(since: StoreCursor, here: StoreCursor): Changes {
  return { since: String(since.snapshot), until: String(here.snapshot) };
}

async function estimate(
  client: pg.Client,
  { leaves }: FoundEvents,
): Promise<{ events: number | null; bytes: number | null }> {
  const { rows } = await client.query<{ events: number; pages: number; bytes: string }>(
    `SELECT sum(reltuples)::float8 AS events, sum(relpages)::float8 AS pages, sum(pg_table_size(oid)) AS bytes
       FROM pg_class WHERE oid = ANY ($1::oid[])`,
    [leaves.map(({ oid }) => oid)],
  );
  const { events, pages, bytes } = rows[0]!;
  // Without ANALYZE: -1, or before PostgreSQL 14 no rows in no pages.
  const analysed = events > 0 || (events === 0 && pages > 0);
  return { events: analysed ? events : null, bytes: Number(bytes) };
}

async function heapBytes(
  client: pg.Client,
  { leaves }: { readonly leaves: readonly { readonly oid: string }[] },
): Promise<number> {
  const { rows } = await client.query<{ bytes: string | null }>(
    'SELECT sum(pg_relation_size(oid)) AS bytes FROM unnest($1::oid[]) AS oid',
    [leaves.map(({ oid }) => oid)],
  );
  return Number(rows[0]!.bytes ?? 0);
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
    bytes: await heapBytes(client, { leaves: [{ oid }] }),
    sharedBytes: await sharedBytes(client),
    readsBlocks: Number(rows[0]!.version) >= 140_000,
  };
}

/** Up to these sizes one process counts quicker than several start, and leaves the other processors alone. */
const SHARE_LARGE =
  "SET LOCAL min_parallel_index_scan_size = '64MB'; SET LOCAL min_parallel_table_scan_size = '1GB'";

/** Where an index says all, the planner leaves the rows alone; else, and where there is much, processors share them. */
async function countEvents(client: pg.Client, { table }: FoundEvents): Promise<number> {
  const sql = `SELECT count(*)::text AS events FROM ${table}`;
  // Sent as one: the server then counts, however long nobody here has time to answer it.
  const results: unknown = await client.query(`${SHARE_LARGE}; ${sql}`);
  const counted = (results as pg.QueryResult<{ events: string }>[]).at(-1)!;
  return Number(counted.rows[0]!.events);
}

async function* readCompanions(client: pg.Client, address: PostgresAddress): AsyncGenerator<CompanionRow> {
  try {
    for (const table of await findCompanions(client, address))
      yield* readCompanionTable(client, address.schema, table);
  } catch (error) {
    throw toBackupError(error, address.shown);
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
