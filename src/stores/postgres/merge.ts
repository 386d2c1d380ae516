import pg from 'pg';
import { BackupError } from '../../core/errors.ts';
import type { MergedStream, MergeOptions, MergeSession } from '../../core/event-store.ts';
import { EVENTS } from '../layouts/eventcore-postgres.ts';
import { endWithUs } from './bulk-session.ts';
import { columnNames, qualified, requireEvents, requireOwn } from './catalog.ts';
import { type Database, dropConnection, endConnection, openConnection, readPages } from './connection.ts';
import { openCopy } from './copy-writer.ts';
import { tableSql } from './schema.ts';
import { sqlState, toBackupError } from './server-error.ts';
import { lockStreams } from './stream-locks.ts';
import { withoutTriggers } from './triggers.ts';

const PAGE_ROWS = 2000;
const STAGED = qualified('pg_temp', EVENTS.name);

/** All of it is one transaction of one session, which ends with this process. */
interface Merge {
  readonly database: Database;
  readonly client: pg.Client;
  readonly live: string;
  readonly dryRun: boolean;
  isOver: boolean;
}

/**
 * What is written goes into a temporary table. The comparison takes the locks of EventCore's own appends, so that they wait
 * until all is added, and then see it.
 */
export async function openMerge(database: Database, { dryRun }: MergeOptions): Promise<MergeSession> {
  const { schema, shown } = database.address;
  const client = await openConnection(database);
  const merge: Merge = { database, client, live: qualified(schema, EVENTS.name), dryRun, isOver: false };
  try {
    await endWithUs(client);
    requireOwn(database.address, 'nothing is merged into a store in use');
    await requireEvents(client, database.address);
    await client.query('BEGIN');
    await client.query(`${tableSql('pg_temp', EVENTS, 'TEMP ')} ON COMMIT DROP`);
  } catch (error) {
    dropConnection(database, client);
    throw toBackupError(error, shown);
  }
  return {
    openWriter: () => openCopy(database, client, STAGED),
    compare: () => compare(merge),
    publish: async () => {
      try {
        return await publish(merge);
      } catch (error) {
        throw quicker(error) ?? toBackupError(error, shown);
      }
    },
    discard: async () => {
      if (merge.isOver) return;
      merge.isOver = true;
      // The server rolls back what was open; a polite end would wait for a COPY that nobody finishes.
      dropConnection(database, client);
    },
  };
}

async function* compare(merge: Merge): AsyncGenerator<MergedStream> {
  const { client, database } = merge;
  try {
    await client.query(`ANALYZE ${STAGED}`);
    if (!merge.dryRun) await lockStreams(client, STAGED, merge.live);
    for await (const page of readPages<MergedRow>(client, compareSql(merge.live), [], PAGE_ROWS)) {
      yield* page.map(toMerged);
    }
  } catch (error) {
    throw toBackupError(error, database.address.shown);
  }
}

interface MergedRow {
  readonly stream: string;
  readonly written: string;
  readonly missing: string;
  readonly first: string | null;
  readonly last: string | null;
  readonly store_last: string | null;
  readonly conflict: string | null;
}

/** `s` is what was written, `l` the store's event at its place, `o` the one with its id. */
function compareSql(live: string): string {
  const isMissing = 'l.event_id IS NULL';
  const isConflict = `l.event_id <> s.event_id OR o.stream_id <> s.stream_id OR o.stream_version <> s.stream_version`;
  return `SELECT s.stream_id AS stream, count(*)::text AS written,
            (count(*) FILTER (WHERE ${isMissing}))::text AS missing,
            (min(s.stream_version) FILTER (WHERE ${isMissing}))::text AS first,
            (max(s.stream_version) FILTER (WHERE ${isMissing}))::text AS last,
            (SELECT max(m.stream_version) FROM ${live} m WHERE m.stream_id = s.stream_id)::text AS store_last,
            (min(s.stream_version) FILTER (WHERE ${isConflict}))::text AS conflict
       FROM ${STAGED} s
       LEFT JOIN ${live} l ON l.stream_id = s.stream_id AND l.stream_version = s.stream_version
       LEFT JOIN ${live} o ON o.event_id = s.event_id
      GROUP BY s.stream_id ORDER BY s.stream_id COLLATE "C"`;
}

function toMerged(row: MergedRow): MergedStream {
  const numberOf = (text: string | null): number | null => (text === null ? null : Number(text));
  return {
    streamId: row.stream,
    written: Number(row.written),
    missing: Number(row.missing),
    firstMissing: numberOf(row.first),
    lastMissing: numberOf(row.last),
    storeLast: numberOf(row.store_last),
    conflictAt: numberOf(row.conflict),
  };
}

async function publish(merge: Merge): Promise<number> {
  const { client, database, live } = merge;
  const columns = columnNames(EVENTS);
  const lacks = `NOT EXISTS (SELECT FROM ${live} l WHERE l.stream_id = s.stream_id AND l.stream_version = s.stream_version`;
  const added = await withoutTriggers(client, live, async () => {
    const { rowCount } = await client.query(
      `INSERT INTO ${live} (${columns}) SELECT ${columns} FROM ${STAGED} s WHERE ${lacks})
        ORDER BY stream_id, stream_version`,
    );
    return rowCount ?? 0;
  });
  const { rows } = await client.query<{ lacks: boolean }>(
    `SELECT EXISTS (SELECT FROM ${STAGED} s WHERE ${lacks} AND l.event_id = s.event_id)) AS lacks`,
  );
  if (rows[0]!.lacks) {
    throw new BackupError('store_refused', `${live} did not keep the events as they were given`, {
      hint: 'look at the rules and triggers of the table; nothing was added',
    });
  }
  await client.query('COMMIT');
  merge.isOver = true;
  await endConnection(database, client);
  return added;
}

/** Only somebody who takes no locks can have come between. */
function quicker(error: unknown): BackupError | null {
  if (sqlState(error) !== '23505' || !(error instanceof pg.DatabaseError)) return null;
  return new BackupError('version_conflict', `the store took another event meanwhile: ${error.detail}`, {
    hint: 'nothing was added: try again',
    cause: error,
  });
}
