import type pg from 'pg';
import { BackupError, throwIfAborted } from '../../core/errors.ts';
import type { BatchReader, RangeBatch, StoreRange } from '../../core/event-store.ts';
import type { Place } from '../../postgres/settings.ts';
import { EVENTS } from '../layouts/eventcore-postgres.ts';
import { columnNames, type FoundEvents, requireEvents } from './catalog.ts';
import { begin, type Database, dropConnection, leaveConnection, openShared } from './connection.ts';
import type { CopyBatch } from './copy-decoder.ts';
import { readCopy } from './copy-reader.ts';
import { makeCutter, passSource, passStatements } from './pass.ts';
import { leafOf, rangeSettings, rangeSource, withSettings } from './range.ts';
import { sqlState, toBackupError } from './server-error.ts';

/** What a thread needs to read what another connection's snapshot sees. */
export interface SnapshotToken {
  /** Of pg_export_snapshot(). */
  readonly snapshot: string;
  /** Oid of the events table when the snapshot was taken. */
  readonly relation: string;
  /** Of the server that has it, where the address has several. */
  readonly at?: Place;
}

/** Views are read only, and each statement in them sees the same rows. */
export const BEGIN_VIEW = 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY';

/**
 * Reads ranges of a snapshot that another connection holds open. Each range has a connection to itself, kept for the
 * next one; the first is opened here, so that a snapshot that is gone is found out now.
 */
export async function joinReader(database: Database, token: SnapshotToken): Promise<BatchReader> {
  database.at ??= token.at ?? null;
  return readerOver(database, token, [await join(database, token)]);
}

export interface PreparedReader extends BatchReader {
  readonly readPass: NonNullable<BatchReader['readPass']>;
  /** Opens connections for this many ranges: the server then begins to read each as soon as it is asked for. */
  readonly prepare: (ranges: number) => Promise<void>;
}

/** Reads with the `idle` connections, and opens more when ranges are read at the same time. */
export function readerOver(database: Database, token: SnapshotToken, idle: Joined[] = []): PreparedReader {
  const source: Source = { database, token, idle };
  return {
    prepare: async (ranges) => {
      const missing = Math.max(0, ranges - idle.length);
      const opening = Array.from({ length: missing }, () => join(database, token));
      idle.push(...(await Promise.all(opening)));
    },
    readRange: (range, options) =>
      copyRows(source, { sql: (events) => rangeSql(events, range), hasPlaces: false, ...options }),
    readPass: (ranges, options) => readPass(source, ranges, options),
    close: async () => {
      for (const { client } of idle.splice(0)) leaveConnection(database, client);
    },
  };
}

export function parseToken(token: string): SnapshotToken {
  try {
    const { snapshot, relation, at } = JSON.parse(token) as Partial<SnapshotToken>;
    if (/^[0-9A-F-]+$/i.test(snapshot ?? '') && /^\d+$/.test(relation ?? '')) {
      return { ...{ snapshot: snapshot!, relation: relation! }, ...(at === undefined ? {} : { at }) };
    }
  } catch {
    // Said below.
  }
  throw new BackupError('usage', `${JSON.stringify(token)} is no snapshot of a PostgreSQL store`);
}

/** A connection in a transaction that sees what the snapshot sees. */
export async function joinedConnection(database: Database, token: SnapshotToken): Promise<pg.Client> {
  return (await join(database, token)).client;
}

interface Joined {
  readonly client: pg.Client;
  readonly events: FoundEvents;
}

async function join(database: Database, token: SnapshotToken): Promise<Joined> {
  const client = await openShared(database);
  try {
    await begin(database, client, BEGIN_VIEW);
    await joinSnapshot(client, token);
    const events = await requireEvents(client, database.address);
    if (events.oid === token.relation) return { client, events };
    // While the snapshot's own connection lives it holds a lock that prevents this.
    throw new BackupError('store_unreachable', 'the events table was replaced while it was read', {
      hint: 'start the backup again',
    });
  } catch (error) {
    dropConnection(database, client);
    throw toBackupError(error, database.address.shown);
  }
}

async function joinSnapshot(client: pg.Client, token: SnapshotToken): Promise<void> {
  try {
    await client.query(`SET TRANSACTION SNAPSHOT '${token.snapshot}'`);
  } catch (error) {
    if (sqlState(error) === null) throw error;
    throw new BackupError('store_refused', 'the view of the store that was to be read is closed', {
      hint: 'start the backup again',
      cause: error,
    });
  }
}

interface Source {
  readonly database: Database;
  readonly token: SnapshotToken;
  readonly idle: Joined[];
}

type ReadOptions = Parameters<BatchReader['readRange']>[1];

async function* readPass(
  source: Source,
  ranges: readonly StoreRange[],
  options: ReadOptions,
): AsyncGenerator<RangeBatch> {
  const cut = makeCutter(ranges);
  const sql = (events: FoundEvents): string => passSql(events, ranges);
  for await (const batch of copyRows(source, { sql, hasPlaces: true, ...options })) yield* cut(batch);
}

async function* copyRows(
  { database, token, idle }: Source,
  {
    sql,
    ...options
  }: ReadOptions & {
    readonly sql: (events: FoundEvents) => string;
    readonly hasPlaces: boolean;
  },
): AsyncGenerator<CopyBatch> {
  throwIfAborted(options.signal);
  const joined = idle.pop() ?? (await join(database, token));
  const { client, events } = joined;
  // An aborted COPY leaves its connection unusable, so everything but a full read ends it.
  const drop = (): void => dropConnection(database, client);
  options.signal?.addEventListener('abort', drop, { once: true });
  let whole = false;
  try {
    throwIfAborted(options.signal);
    for await (const batch of readCopy(client, sql(events), options)) {
      yield batch;
      // What was received before the abort could still be a whole COPY.
      throwIfAborted(options.signal);
    }
    whole = true;
  } catch (error) {
    throwIfAborted(options.signal);
    throw toBackupError(error, database.address.shown);
  } finally {
    options.signal?.removeEventListener('abort', drop);
    if (whole) idle.push(joined);
    else drop();
  }
}

function rangeSql(events: FoundEvents, range: StoreRange): string {
  const copy = copySql(columnNames(EVENTS), rangeSource(range, `${sourceOf(events, range)} AS events`));
  return withSettings(rangeSettings(range), copy);
}

/** Throws `store_unreachable` when the range is of a part that is gone. */
function sourceOf({ source, leaves }: FoundEvents, range: StoreRange): string {
  const leaf = leafOf(range);
  const found = leaf === null ? source : leaves.find(({ oid }) => oid === leaf)?.source;
  if (found !== undefined) return found;
  throw new BackupError('store_unreachable', 'a part of the events table was replaced while it was read', {
    hint: 'start the backup again',
  });
}

function passSql(events: FoundEvents, ranges: readonly StoreRange[]): string {
  const source = passSource(ranges, `${sourceOf(events, ranges[0]!)} AS events`);
  return passStatements(copySql(`${columnNames(EVENTS)}, ctid`, source));
}

function copySql(columns: string, source: string): string {
  return `COPY (SELECT ${columns} ${source}) TO STDOUT (FORMAT binary)`;
}
