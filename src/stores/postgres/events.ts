import type pg from 'pg';
import { BackupError } from '../../core/errors.ts';
import type { StoredEvent } from '../../core/event.ts';
import type { StreamHead } from '../../core/event-store.ts';
import { formatTime, parseTime } from '../../core/time.ts';
import { CHECKPOINTS, EVENTS, SNAPSHOTS } from '../layouts/eventcore-postgres.ts';
import { findTable, qualified, requireEvents, requireOwn } from './catalog.ts';
import {
  begin,
  type Database,
  dropConnection,
  endConnection,
  openShared,
  readPages,
  withClient,
} from './connection.ts';
import { BEGIN_VIEW } from './reader.ts';
import { toBackupError } from './server-error.ts';

/** Operations on single events and streams: for looking, never for bulk. */

const STREAM_PAGE_ROWS = 2000;
/** Few, since one event may be large. */
const EVENT_PAGE_ROWS = 50;
const DEFAULT_LIMIT = 1000;

interface EventRow {
  readonly id: string;
  readonly stream: string;
  readonly version: string;
  readonly type: string;
  readonly data: string;
  readonly metadata: string | null;
  /** The eight bytes that PostgreSQL sends for a time, as hex digits. */
  readonly time: string;
}

const EVENT_FIELDS = `event_id::text AS id, stream_id::text AS stream, stream_version::text AS version,
  event_type::text AS type, event_data::text AS data, metadata::text AS metadata,
  encode(timestamptz_send(created_at), 'hex') AS time`;

function toEvent(row: EventRow): StoredEvent {
  return {
    id: row.id,
    streamId: row.stream,
    version: BigInt(row.version),
    type: row.type,
    data: row.data,
    metadata: row.metadata,
    recordedAt: formatTime(BigInt.asIntN(64, BigInt(`0x${row.time}`))),
  };
}

/** Runs `work` where the events are there; `events` stands where a table's name may. */
function withEvents<Result>(
  database: Database,
  work: (client: pg.Client, events: string) => Promise<Result>,
): Promise<Result> {
  return withClient(database, async (client) => {
    const { source } = await requireEvents(client, database.address);
    return work(client, `${source} AS events`);
  });
}

export async function* listStreams(
  database: Database,
  options: { after?: string; limit?: number } = {},
): AsyncGenerator<StreamHead> {
  // Empty stream ids come first, so that "after nothing" is not "after the empty one".
  const sql = (
    events: string,
  ): string => `SELECT stream_id::text AS stream, max(stream_version)::text AS version,
            count(*)::text AS events
      FROM ${events}
     WHERE $1::text IS NULL OR stream_id COLLATE "C" > $1
     GROUP BY stream_id ORDER BY stream_id COLLATE "C" LIMIT $2`;
  const parameters = [options.after ?? null, options.limit ?? null];
  for await (const page of viewPages<{ stream: string; version: string; events: string }>(
    database,
    sql,
    parameters,
    STREAM_PAGE_ROWS,
  )) {
    for (const { stream, version, events } of page) {
      yield { streamId: stream, version: BigInt(version), events: Number(events) };
    }
  }
}

/** Throws `usage` when `since` is no time. */
export async function* readSince(
  database: Database,
  since: string,
  options: { limit?: number } = {},
): AsyncGenerator<StoredEvent> {
  const time = parseTime(since);
  if (time === null) {
    throw new BackupError('usage', `${JSON.stringify(since)} is no time`, {
      hint: 'write 2026-11-23T04:05:06Z',
    });
  }
  const sql = (events: string): string => `SELECT ${EVENT_FIELDS} FROM ${events}
     WHERE created_at >= $1::timestamptz ORDER BY created_at, event_id LIMIT $2`;
  const parameters = [serverTime(time), options.limit ?? null];
  for await (const page of viewPages<EventRow>(database, sql, parameters, EVENT_PAGE_ROWS)) {
    for (const row of page) yield toEvent(row);
  }
}

/** A time as PostgreSQL reads it: years of more than four digits without sign and zeros, and years BC. */
function serverTime(time: bigint): string {
  const [, sign, year, rest] = /^([+-])(\d+)(-.*)$/.exec(formatTime(time)) ?? [];
  if (rest === undefined) return formatTime(time);
  return sign === '+' ? `${Number(year)}${rest}` : `${String(Number(year) + 1).padStart(4, '0')}${rest} BC`;
}

/** Pages of a query in a view and on a connection of their own, however slowly they are taken. */
async function* viewPages<Row extends pg.QueryResultRow>(
  database: Database,
  sql: (events: string) => string,
  parameters: readonly unknown[],
  pageRows: number,
): AsyncGenerator<Row[]> {
  const client = await openShared(database);
  let whole = false;
  try {
    await begin(database, client, BEGIN_VIEW);
    const { source } = await requireEvents(client, database.address);
    yield* readPages<Row>(client, sql(`${source} AS events`), parameters, pageRows);
    whole = true;
  } catch (error) {
    throw toBackupError(error, database.address.shown);
  } finally {
    if (whole) await endConnection(database, client);
    else dropConnection(database, client);
  }
}

export function readStream(
  database: Database,
  streamId: string,
  options: { fromVersion?: bigint; limit?: number } = {},
): Promise<StoredEvent[]> {
  return withEvents(database, async (client, events) => {
    const { rows } = await client.query<EventRow>(
      `SELECT ${EVENT_FIELDS} FROM ${events}
        WHERE stream_id = $1 AND ($2::bigint IS NULL OR stream_version >= $2)
        ORDER BY stream_version LIMIT $3`,
      [streamId, options.fromVersion?.toString() ?? null, options.limit ?? DEFAULT_LIMIT],
    );
    return rows.map(toEvent);
  });
}

export function sampleEvents(database: Database, size: number): Promise<StoredEvent[]> {
  return withEvents(database, async (client, events) => {
    const { rows } = await client.query<EventRow>(
      `SELECT ${EVENT_FIELDS} FROM ${events}
        WHERE event_id = ANY (ARRAY(SELECT event_id FROM ${events} ORDER BY random() LIMIT $1))`,
      [size],
    );
    return rows.map(toEvent);
  });
}

export function countEvents(database: Database): Promise<{ events: number; streams: number }> {
  return withEvents(database, async (client, events) => {
    const { rows } = await client.query<{ events: string; streams: string }>(
      `SELECT coalesce(sum(n), 0)::text AS events, count(*)::text AS streams
         FROM (SELECT count(*) AS n FROM ${events} GROUP BY stream_id) AS per_stream`,
    );
    return { events: Number(rows[0]!.events), streams: Number(rows[0]!.streams) };
  });
}

/** TRUNCATE, since the layout's triggers refuse DELETE. The ledger of migrations stays. */
export function clearEvents(database: Database): Promise<void> {
  const { schema } = database.address;
  requireOwn(database.address, 'its events are not removed');
  return withEvents(database, async (client) => {
    const tables: string[] = [];
    for (const { name } of [EVENTS, CHECKPOINTS, SNAPSHOTS]) {
      if ((await findTable(client, schema, name)) !== null) tables.push(qualified(schema, name));
    }
    await client.query(`TRUNCATE ${tables.join(', ')}`);
  });
}
