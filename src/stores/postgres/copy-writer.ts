import pg from 'pg';
import { type CopyStreamQuery, from as copyFrom } from 'pg-copy-streams';
import { BackupError } from '../../core/errors.ts';
import type { EventBatch } from '../../core/event-batch.ts';
import type { BatchWriter } from '../../core/event-store.ts';
import { EVENTS } from '../layouts/eventcore-postgres.ts';
import { openBulkConnection } from './bulk-session.ts';
import { columnNames, qualified } from './catalog.ts';
import { type Database, dropConnection, endConnection } from './connection.ts';
import {
  COPY_HEADER,
  COPY_TRAILER,
  type CopyChunk,
  type CopyEncoder,
  encodeRow,
  eventInChunk,
  giveBack,
  makeCopyEncoder,
  takeChunk,
  valueNotStorable,
} from './copy-encoder.ts';
import { sqlState, toBackupError } from './server-error.ts';

/** One COPY into the staged table, on a connection of its own. */
interface OpenCopy {
  readonly database: Database;
  readonly client: pg.Client;
  readonly stream: CopyStreamQuery;
  /** It is in a transaction of its own. */
  readonly alone: boolean;
  /** The connection is this writer's, and ends with it. */
  readonly owns: boolean;
  readonly encoder: CopyEncoder;
  /** The chunks sent last: the server names a refused row by its number only, and some time after it was sent. */
  readonly sent: CopyChunk[];
  sentBytes: number;
  failure: unknown;
  /** Fails what is being waited for. */
  reject: ((error: unknown) => void) | null;
}

/** More than the two ends of a connection hold in their buffers (Linux: up to 4 and 6 MiB). */
const KEPT_BYTES = 16 * 1024 * 1024;

/**
 * Opens a writer into the events table of a staging schema. One that is `alone` empties the table first, in the same
 * transaction: only then the server takes rows as frozen, which spares it to look at each of them again and to write
 * each page again for that, now and when it vacuums; and with wal_level = minimal it spares the log.
 */
export async function openCopyWriter(
  database: Database,
  stagingSchema: string,
  alone: boolean,
): Promise<BatchWriter> {
  const client = await openBulkConnection(database);
  const table = qualified(stagingSchema, EVENTS.name);
  if (alone) await client.query(`BEGIN; TRUNCATE ${table}`);
  return startCopy({ database, client, table, alone, owns: true });
}

/** A writer into a table of a session that goes on after it; what is aborted ends the session. */
export function openCopy(database: Database, client: pg.Client, table: string): Promise<BatchWriter> {
  return startCopy({ database, client, table, alone: false, owns: false });
}

async function startCopy({
  database,
  client,
  table,
  alone,
  owns,
}: Pick<OpenCopy, 'database' | 'client' | 'alone' | 'owns'> & {
  readonly table: string;
}): Promise<BatchWriter> {
  const options = `FORMAT binary${alone ? ', FREEZE' : ''}`;
  const stream = client.query(copyFrom(`COPY ${table} (${columnNames(EVENTS)}) FROM STDIN (${options})`));
  const encoder = makeCopyEncoder();
  const copy: OpenCopy = {
    database,
    client,
    stream,
    alone,
    owns,
    encoder,
    sent: [],
    sentBytes: 0,
    failure: null,
    reject: null,
  };
  stream.on('error', (error) => {
    copy.failure ??= error;
    copy.reject?.(error);
  });
  let ended = false;
  const refusing = async (work: () => Promise<void>): Promise<void> => {
    if (ended) throw new BackupError('internal', 'a writer that has ended was written to');
    try {
      await work();
    } catch (error) {
      throw explain(copy, copy.failure ?? error);
    }
  };
  await refusing(() => send(copy, COPY_HEADER));
  return {
    write: (batch) => refusing(() => writeBatch(copy, batch)),
    end: () =>
      refusing(async () => {
        await finish(copy);
        ended = true;
      }),
    abort: async () => {
      if (!ended) dropConnection(database, client);
      ended = true;
    },
  };
}

async function writeBatch(copy: OpenCopy, batch: EventBatch): Promise<void> {
  const { buffer, byteOffset, byteLength } = batch.bytes;
  const bytes = Buffer.from(buffer, byteOffset, byteLength);
  for (let row = 0; row < batch.count; row += 1) {
    const full = encodeRow(copy.encoder, batch, bytes, row);
    if (full !== null) await sendChunk(copy, full);
  }
}

async function finish(copy: OpenCopy): Promise<void> {
  const last = takeChunk(copy.encoder);
  if (last !== null) await sendChunk(copy, last);
  await send(copy, COPY_TRAILER);
  await waitFor(copy, (resolve) => {
    copy.stream.once('finish', resolve);
    copy.stream.end();
  });
  if (copy.alone) await copy.client.query('COMMIT');
  if (copy.owns) await endConnection(copy.database, copy.client);
}

async function sendChunk(copy: OpenCopy, chunk: CopyChunk): Promise<void> {
  copy.sent.push(chunk);
  copy.sentBytes += chunk.bytes.length;
  await send(copy, chunk.bytes);
  // Only now: less than the socket's high-water mark is still to be written, so what lies this far back is not.
  while (copy.sent.length > 1 && copy.sentBytes - copy.sent[0]!.bytes.length >= KEPT_BYTES) {
    const done = copy.sent.shift()!;
    copy.sentBytes -= done.bytes.length;
    giveBack(copy.encoder, done);
  }
}

/** Resolves when the connection can take more: at most one write is under way. */
function send(copy: OpenCopy, bytes: Buffer): Promise<void> {
  return waitFor(copy, (resolve) => copy.stream.write(bytes, () => resolve()));
}

/** Waits for the stream to call back, or to fail: after a failure it calls nobody back. */
function waitFor(copy: OpenCopy, start: (resolve: () => void) => void): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  if (copy.failure !== null) {
    reject(copy.failure);
  } else {
    copy.reject = reject;
    start(resolve);
  }
  return promise;
}

function explain(copy: OpenCopy, error: unknown): BackupError {
  const { shown } = copy.database.address;
  const state = sqlState(error);
  if (state === '42P01' || state === '3F000') return restoreIsOver(shown, error);
  // Data exceptions, limits, and NULL where none may be: about a row, not about the server.
  const isAboutRow = state !== null && (state.startsWith('22') || state === '54000' || state === '23502');
  if (!isAboutRow || !(error instanceof pg.DatabaseError)) return toBackupError(error, shown);
  const row = rowOf(error);
  const chunk = copy.sent.find(
    ({ firstRow, rows }) => row !== null && row >= firstRow && row < firstRow + rows,
  );
  const why = error.message;
  if (row !== null && chunk !== undefined) {
    return valueNotStorable(eventInChunk(chunk, row - chunk.firstRow), why, error);
  }
  return new BackupError('value_not_storable', `${shown}: an event cannot be stored: ${why}`, {
    hint: 'restore into a store that can hold it',
    cause: error,
  });
}

export function restoreIsOver(shown: string, cause?: unknown): BackupError {
  const options = { hint: 'start the restore again', ...(cause === undefined ? {} : { cause }) };
  return new BackupError(
    'store_refused',
    `${shown}: the restore is over that this writer was opened for`,
    options,
  );
}

/** From `COPY eventcore_events, line 17, column event_data`, in whatever language and line: the row's number from 0. */
function rowOf(error: pg.DatabaseError): number | null {
  const match = new RegExp(`^COPY ${EVENTS.name}, \\D+(\\d+)`, 'm').exec(error.where ?? '');
  return match === null ? null : Number(match[1]) - 1;
}
