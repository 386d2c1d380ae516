import type pg from 'pg';
import { awaitedLater } from '../../core/concurrency.ts';
import { BackupError } from '../../core/errors.ts';
import type { StreamSummary } from '../../core/event-store.ts';
import type { StreamSample } from '../../core/inspection.ts';
import { nameBytes } from '../../core/name-text.ts';
import { bucketFilter } from '../../core/stream-bucket.ts';
import { EVENTS } from '../layouts/eventcore-postgres.ts';
import { hashesAlike, inBucketSql } from './buckets.ts';
import { raiseMemory } from './bulk-session.ts';
import { qualified, requireEvents } from './catalog.ts';
import { type Database, dropConnection, endConnection, openConnection, withClient } from './connection.ts';
import { toBackupError } from './server-error.ts';

/** Names may be long. */
const PAGE_ROWS = 2000;
/** Of the memory that may be spared, since aggregates may use twice as much as they are allowed. */
const MEMORY_SHARE = 4;

/** Sums up a staged table by stream, on a connection of its own, which is cut when the signal fires. */
export function readStagedSummaries(
  database: Database,
  schema: string,
  signal: AbortSignal,
): AsyncGenerator<StreamSummary> {
  const open = async (): Promise<pg.Client> => {
    const client = await openConnection(database);
    await client.query('BEGIN READ ONLY');
    return client;
  };
  return readSummaries({ database, events: qualified(schema, EVENTS.name), isOwn: true, open }, signal);
}

/** Where to sum up: `open` gives a connection in a transaction that sees the table. */
export interface SummariesSource {
  readonly database: Database;
  /** Table or subquery with the columns of EventCore's. */
  readonly events: string;
  /** It is a table of EventCore's. */
  readonly isOwn: boolean;
  readonly open: () => Promise<pg.Client>;
}

export function readSummaries(source: SummariesSource, signal: AbortSignal): AsyncGenerator<StreamSummary> {
  return readCursor(source, signal, (client) => startSummaries(client, source.events));
}

/** Only of the streams of some buckets. */
export async function* readSampledSummaries(
  source: SummariesSource,
  sample: StreamSample,
  signal: AbortSignal,
): AsyncGenerator<StreamSummary> {
  const isWanted = bucketFilter(sample);
  const start = (client: pg.Client): Promise<void> => startSampled(client, source, sample);
  for await (const summary of readCursor(source, signal, start)) {
    if (isWanted(nameBytes(summary.streamId))) yield summary;
  }
}

/** Of one stream, by the index on stream and version; null when there is none. */
export function findSummary(database: Database, streamId: string): Promise<StreamSummary | null> {
  return withClient(database, async (client) => {
    const table = `${(await requireEvents(client, database.address)).source} AS events`;
    // No name holds one here, and none can be asked for.
    if (streamId.includes('\0')) return null;
    const text = `SELECT $1::text, events::text, first::text, last::text,
        (SELECT event_id::text FROM ${table} WHERE stream_id = $1 AND stream_version = last LIMIT 1) AS id
      FROM (SELECT count(*) AS events, min(stream_version) AS first, max(stream_version) AS last
              FROM ${table} WHERE stream_id = $1) AS one`;
    const { rows } = await client.query<[...SummaryRow]>({ text, values: [streamId], rowMode: 'array' });
    const row = rows[0]!;
    return row[1] === '0' ? null : toSummary(row);
  });
}

/** One page is fetched ahead of the consumer. */
async function* readCursor(
  { database, open }: SummariesSource,
  signal: AbortSignal,
  start: (client: pg.Client) => Promise<void>,
): AsyncGenerator<StreamSummary> {
  const client = await open();
  const drop = (): void => dropConnection(database, client);
  signal.addEventListener('abort', drop, { once: true });
  let whole = false;
  try {
    await start(client);
    let page = await fetchPage(client);
    while (page.length > 0) {
      const next = page.length < PAGE_ROWS ? [] : awaitedLater(fetchPage(client));
      for (const row of page) yield toSummary(row);
      page = await next;
    }
    whole = true;
  } catch (error) {
    throw toBackupError(error, database.address.shown);
  } finally {
    signal.removeEventListener('abort', drop);
    if (whole) await endConnection(database, client);
    else drop();
  }
}

async function startSummaries(client: pg.Client, events: string): Promise<void> {
  await raiseMemory(client, 'work_mem', MEMORY_SHARE, 'transaction');
  // Other processors have the indexes to build, and by an index that
  // is there already the rows would be read in the order of their streams: each from another place of the disk.
  await client.query('SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL enable_indexscan = off');
  await client.query(`DECLARE summaries NO SCROLL CURSOR FOR ${summarySql(events)}`);
}

/** The server leaves the streams of other buckets out, where its hash of a name is ours. */
async function startSampled(
  client: pg.Client,
  { events, isOwn }: SummariesSource,
  sample: StreamSample,
): Promise<void> {
  await raiseMemory(client, 'work_mem', MEMORY_SHARE, 'transaction');
  await client.query('SET LOCAL max_parallel_workers_per_gather = 0');
  const condition = (await hashesAlike(client, sample)) ? inBucketSql('stream_id', sample) : 'true';
  const sql =
    isOwn && (await hasStreamIndex(client, events))
      ? sampledSql(events, condition)
      : summarySql(events, condition);
  await client.query(`DECLARE summaries NO SCROLL CURSOR FOR ${sql}`);
}

/** Without one, to look up a single event means to look through the whole table. */
async function hasStreamIndex(client: pg.Client, table: string): Promise<boolean> {
  const { rows } = await client.query<{ found: boolean }>(
    `SELECT EXISTS (SELECT FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
       WHERE indrelid = $1::regclass AND indisvalid AND indpred IS NULL AND attname = 'stream_id') AS found`,
    [table],
  );
  return rows[0]!.found;
}

/** The index on stream and version says all but the id of the last event, which is looked up for each stream. */
function sampledSql(table: string, condition: string): string {
  return `SELECT stream, events::text, first::text, last::text,
           (SELECT event_id::text FROM ${table} WHERE stream_id = stream AND stream_version = last LIMIT 1) AS id
      FROM (SELECT stream_id AS stream, count(*) AS events, min(stream_version) AS first, max(stream_version) AS last
              FROM ${table} WHERE ${condition} GROUP BY stream_id) AS streams
     ORDER BY stream COLLATE "C"`;
}

/**
 * One pass over the table, without an index or a join: the greatest version's id comes out of the greatest text of a
 * version and its id. With its sign bit turned, a version sorts as its bytes do.
 */
function summarySql(events: string, condition = 'true'): string {
  return `SELECT stream_id AS stream, events::text, first::text, last::text, right(versioned_id, 32)::uuid::text AS id
      FROM (
        SELECT stream_id, count(*) AS events, min(stream_version) AS first, max(stream_version) AS last,
               max(encode(int8send(stream_version # '-9223372036854775808'::bigint) || uuid_send(event_id), 'hex')
                   COLLATE "C") AS versioned_id
          FROM ${events} AS events WHERE ${condition} GROUP BY stream_id) AS streams
     ORDER BY stream_id COLLATE "C"`;
}

/** `id` is null where an index tells of an event that the table does not have. */
type SummaryRow = readonly [stream: string, events: string, first: string, last: string, id: string | null];

async function fetchPage(client: pg.Client): Promise<SummaryRow[]> {
  const text = `FETCH ${PAGE_ROWS} FROM summaries`;
  return (await client.query<[...SummaryRow]>({ text, rowMode: 'array' })).rows;
}

function toSummary([stream, events, first, last, id]: SummaryRow): StreamSummary {
  if (id === null) {
    throw new BackupError('damaged', 'an index of the events tells of some that the table does not have', {
      hint: 'REINDEX the table, then look again',
    });
  }
  return {
    streamId: stream,
    events: Number(events),
    firstVersion: Number(first),
    lastVersion: Number(last),
    lastEventId: id,
  };
}
