import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { BackupError } from '../../core/errors.ts';
import type { AppendResult, NewEvent, StreamAppend } from '../../core/event.ts';
import { assertAppends } from '../../core/new-event.ts';
import { compareUtf8 } from '../../core/text-order.ts';
import { uuidV7Source } from '../../core/uuid-v7.ts';
import { EVENTS, EXPECTED_VERSIONS_SETTING, VERSION_BASE } from '../layouts/eventcore-postgres.ts';
import { qualified, requireEvents, requireOwn } from './catalog.ts';
import { type Database, inTransaction, withClient } from './connection.ts';
import { sqlState } from './server-error.ts';

const MAX_ROWS_PER_INSERT = 1000;
const MAX_CHARACTERS_PER_INSERT = 8 * 1024 * 1024;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

const nextId = uuidV7Source(Date.now, randomBytes);

interface NewRow {
  readonly id: string;
  readonly streamId: string;
  readonly event: NewEvent;
}

/** Appends as EventCore's own client does: locks per stream in the order of their names, versions by the trigger. */
export async function appendEvents(
  database: Database,
  appends: readonly StreamAppend[],
): Promise<AppendResult> {
  assertAppends(appends);
  const rows = appends.flatMap(newRows);
  const { schema } = database.address;
  return withClient(database, async (client) => {
    requireOwn(database.address, 'events are appended by its own functions');
    await requireEvents(client, database.address);
    const heads = await inTransaction(database, client, 'BEGIN', async () => {
      // The layout's trigger names the table without its schema.
      await client.query(`SET LOCAL search_path = ${pg.escapeIdentifier(schema)}, pg_catalog`);
      try {
        const before = await lockStreams(client, schema, appends);
        requireVersions(appends, before);
        await declareVersions(client, before);
        return await insertRows(client, schema, rows);
      } catch (error) {
        throw refusedRow(error) ?? error;
      }
    });
    return { heads };
  });
}

function newRows({ streamId, events }: StreamAppend): NewRow[] {
  return events.map((event) => {
    const id = event.id ?? nextId();
    if (UUID.test(id)) return { id, streamId, event };
    throw new BackupError('value_not_storable', `event id ${JSON.stringify(id)} is no UUID`, {
      hint: 'leave the id out and one is made',
    });
  });
}

/** Locks the streams against other appends and returns their heads, 0 where there is no event yet. */
async function lockStreams(
  client: pg.Client,
  schema: string,
  appends: readonly StreamAppend[],
): Promise<Map<string, bigint>> {
  const streams = [...new Set(appends.map((append) => append.streamId))].sort(compareUtf8);
  await client.query('SELECT pg_advisory_xact_lock(hashtextextended(s, 0)) FROM unnest($1::text[]) AS s', [
    streams,
  ]);
  const { rows } = await client.query<{ stream: string; head: string }>(
    `SELECT s AS stream, coalesce((SELECT max(stream_version) FROM ${qualified(schema, EVENTS.name)}
            WHERE stream_id = s), ${VERSION_BASE - 1})::text AS head
       FROM unnest($1::text[]) AS s`,
    [streams],
  );
  return new Map(rows.map(({ stream, head }) => [stream, BigInt(head)]));
}

/** A stream that is named again is expected where the events given before leave it. */
function requireVersions(appends: readonly StreamAppend[], before: ReadonlyMap<string, bigint>): void {
  const heads = new Map(before);
  for (const { streamId, expectedVersion, events } of appends) {
    const head = heads.get(streamId)!;
    if (expectedVersion !== undefined && expectedVersion !== head) {
      throw versionConflict(
        `stream ${JSON.stringify(streamId)} is at version ${head}, not at ${expectedVersion}`,
      );
    }
    heads.set(streamId, head + BigInt(events.length));
  }
}

function versionConflict(message: string, cause?: unknown): BackupError {
  return new BackupError('version_conflict', message, {
    hint: 'read the stream again and decide anew',
    cause,
  });
}

/** For the layout's trigger, which checks each row against it. */
async function declareVersions(client: pg.Client, before: ReadonlyMap<string, bigint>): Promise<void> {
  // Written by hand: JSON.stringify would round a version past 2^53.
  const members = Array.from(before, ([stream, head]) => `${JSON.stringify(stream)}:${head}`);
  await client.query('SELECT set_config($1, $2, true)', [
    EXPECTED_VERSIONS_SETTING,
    `{${members.join(',')}}`,
  ]);
}

async function insertRows(
  client: pg.Client,
  schema: string,
  rows: readonly NewRow[],
): Promise<Map<string, bigint>> {
  const heads = new Map<string, bigint>();
  for (const part of cutRows(rows)) {
    const inserted = await insertPart(client, schema, part);
    for (const { stream, version } of inserted) {
      const head = BigInt(version);
      if (head > (heads.get(stream) ?? -1n)) heads.set(stream, head);
    }
  }
  return heads;
}

/** Parts that one statement takes: bounded in rows and in characters, one row at least. */
function* cutRows(rows: readonly NewRow[]): Generator<NewRow[]> {
  let part: NewRow[] = [];
  let characters = 0;
  for (const row of rows) {
    const size = row.event.data.length + (row.event.metadata?.length ?? 0);
    const isFull = part.length === MAX_ROWS_PER_INSERT || characters + size > MAX_CHARACTERS_PER_INSERT;
    if (part.length > 0 && isFull) {
      yield part;
      part = [];
      characters = 0;
    }
    part.push(row);
    characters += size;
  }
  if (part.length > 0) yield part;
}

async function insertPart(
  client: pg.Client,
  schema: string,
  rows: readonly NewRow[],
): Promise<{ stream: string; version: string }[]> {
  const result = await client.query<{ stream: string; version: string }>(
    `INSERT INTO ${qualified(schema, EVENTS.name)} (event_id, stream_id, event_type, event_data, metadata)
       SELECT id, stream, type, data::jsonb, metadata::jsonb
         FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[])
           WITH ORDINALITY AS given(id, stream, type, data, metadata, place)
        ORDER BY place
       RETURNING stream_id::text AS stream, stream_version::text AS version`,
    [
      rows.map((row) => row.id),
      rows.map((row) => row.streamId),
      rows.map((row) => row.event.type),
      rows.map((row) => row.event.data),
      rows.map((row) => row.event.metadata ?? '{}'),
    ],
  );
  return result.rows;
}

/** The server's word on a row, where it is about the row and not about the server. */
function refusedRow(error: unknown): BackupError | null {
  const state = sqlState(error);
  if (!(error instanceof pg.DatabaseError) || state === null) return null;
  if (state === 'P0001' && error.message.startsWith('version_conflict')) {
    return versionConflict(error.message, error);
  }
  if (state === '23505') return refusedKey(error);
  // Data exceptions (a number out of range, \u0000 in jsonb) and limits (a name too long for the index).
  if (!state.startsWith('22') && state !== '54000') return null;
  return new BackupError('value_not_storable', `PostgreSQL cannot store an event: ${error.message}`, {
    hint: 'nothing was appended; change the value',
    cause: error,
  });
}

function refusedKey(error: pg.DatabaseError): BackupError {
  if (error.constraint !== EVENTS.primaryKey.name) {
    return versionConflict(`another append was quicker: ${error.detail ?? error.message}`, error);
  }
  return new BackupError(
    'event_invalid',
    `an event with that id is there: ${error.detail ?? error.message}`,
    {
      hint: 'give each event an id of its own, or leave it out and one is made',
      cause: error,
    },
  );
}
