import type { Socket } from 'node:net';
import pg from 'pg';
import type { CustomMappings } from '../../core/custom-mapping.ts';
import { BackupError, isBackupError } from '../../core/errors.ts';
import { keyNumber } from '../../postgres/backend-key.ts';
import { connectPostgres } from '../../postgres/connect.ts';
import { sayGoodbye } from '../../postgres/goodbye.ts';
import { type ConnectionPool, makePool } from '../../postgres/pool.ts';
import type { Place } from '../../postgres/settings.ts';
import { type PostgresAddress, parsePostgresAddress } from './config.ts';
import { makeSocket } from './divertible-socket.ts';
import { begin as beginWith, holdsSession, isPooled, needsSession, notePooler } from './pooler.ts';
import { toBackupError } from './server-error.ts';

/** A database and the connections that this process holds to it. None is opened before it is needed. */
export interface Database {
  /** Replaced once, where it names no layout, by what was found. */
  address: PostgresAddress;
  /** For short operations. */
  readonly pool: ConnectionPool;
  /** Connections of snapshots, readers and restores, each with an owner. */
  readonly owned: Set<pg.Client>;
  /** Where its connections lead; null while none was opened, and where the address leaves no choice. */
  at: Place | null;
  /** Whether a pooler gives sessions; null until somebody asked. */
  sessions: Promise<boolean> | null;
  /** The server's process that read a slot for us, until the connection to it was lost; null when there is none. */
  formerReader: FormerReader | null;
}

export interface FormerReader {
  readonly pid: number;
  /** By `performance.now()`: when the slot was first found to be held by it still; null when it was not. */
  heldSinceMs: number | null;
}

/** By which our sessions are known in pg_stat_activity. */
export const APPLICATION_NAME = 'eventcore-backup';

const POOL_SIZE = 4;
const CONNECT_TIMEOUT_MS = 15_000;
const OLDEST_SERVER = 130_000;

export function openDatabase(address: string, layouts: CustomMappings = {}): Database {
  const parsed = parsePostgresAddress(address, layouts);
  const database: Database = {
    ...{ address: parsed, owned: new Set(), formerReader: null },
    ...{ at: null, sessions: null, pool: makePool(POOL_SIZE, () => connect(database, {})) },
  };
  return database;
}

/**
 * Opens a connection with a session of its own, which the caller must end with `endConnection` or `dropConnection`; `more` goes to the
 * driver. Throws `store_refused` where a pooler gives no session.
 */
export async function openConnection(
  database: Database,
  more: Readonly<Record<string, string>> = {},
): Promise<pg.Client> {
  const client = await openShared(database, more);
  try {
    if (isPooled(client)) await takeSession(database, client);
    return client;
  } catch (error) {
    dropConnection(database, client);
    throw toBackupError(error, database.address.shown);
  }
}

/**
 * Opens a connection for transactions that begin with `begin` and set nothing that outlasts them: behind a pooler, others use the
 * same process of the server between them.
 */
export async function openShared(
  database: Database,
  more: Readonly<Record<string, string>> = {},
): Promise<pg.Client> {
  const client = await connect(database, more);
  database.owned.add(client);
  client.once('end', () => database.owned.delete(client));
  return client;
}

/** Begins a transaction in which the settings of our sessions hold. */
export function begin({ address }: Database, client: pg.Client, sql: string): Promise<void> {
  return beginWith(client, sql, { ...SESSION_SETTINGS, lock_timeout: address.lockTimeout });
}

/** How a pooler stands before the server; null where none does. */
export async function findPooler(database: Database): Promise<'session' | 'transaction' | null> {
  const client = await openShared(database);
  try {
    if (!isPooled(client)) return null;
    return (await asksForSession(database, client)) ? 'session' : 'transaction';
  } catch (error) {
    throw toBackupError(error, database.address.shown);
  } finally {
    await endConnection(database, client);
  }
}

async function takeSession(database: Database, client: pg.Client): Promise<void> {
  if (!(await asksForSession(database, client))) throw needsSession(database.address.shown);
  await applySettings(client, database.address, true);
}

/** Asked once. */
function asksForSession(database: Database, client: pg.Client): Promise<boolean> {
  database.sessions ??= holdsSession(client, () => connect(database, {})).catch((error) => {
    database.sessions = null;
    throw error;
  });
  return database.sessions;
}

/** To the server where this store's other connections lead: a snapshot or a restore is in no other. Where none is open, any may be chosen. */
async function connect(database: Database, more: Readonly<Record<string, string>>): Promise<pg.Client> {
  try {
    return await connectTo(database, more);
  } catch (error) {
    if (database.at === null || database.owned.size > 0 || !isBackupError(error, 'store_unreachable'))
      throw error;
    database.at = null;
    return connectTo(database, more);
  }
}

async function connectTo(database: Database, more: Readonly<Record<string, string>>): Promise<pg.Client> {
  const explain = (error: unknown): BackupError => toBackupError(error, database.address.shown);
  const { client, place } = await connectPostgres(database.address.uri, {
    ...(database.at === null ? {} : { at: database.at }),
    ...{ program: APPLICATION_NAME, session: more },
    ...{ makeSocket, explain, shown: database.address.shown, timeoutMs: CONNECT_TIMEOUT_MS },
  });
  try {
    await applySettings(client, database.address, false);
    database.at = place;
    return client;
  } catch (error) {
    client.connection.stream.destroy();
    throw explain(error);
  }
}

/** Ends an idle connection politely: a pooler ends a process of the server that is left in a transaction. */
export async function endConnection(database: Database, client: pg.Client): Promise<void> {
  database.owned.delete(client);
  if (isPooled(client) && client.getTransactionStatus() !== 'I') await client.query('ROLLBACK').catch(ignore);
  await sayGoodbye(client);
}

/**
 * Ends a connection that has only read, and does not wait for it: what it held is free as soon as the server hears of it, but to give back
 * the memory that it has looked at takes its process a tenth of a second for each half GB.
 */
export function leaveConnection(database: Database, client: pg.Client): void {
  void endConnection(database, client);
  (client.connection.stream as Socket).unref();
}

/** Cuts a connection in whatever state it is. The server rolls back what was open on it. */
export function dropConnection(database: Database, client: pg.Client): void {
  database.owned.delete(client);
  client.connection.stream.destroy();
}

/** A server that still answers has rolled back long before that. */
const ROLLBACK_MS = 1000;

/** Rolls back what is open and cuts the connection: its locks are free then. Where no answer comes, as amid a COPY, it is only cut. */
export async function abandonConnection(database: Database, client: pg.Client): Promise<void> {
  const late = setTimeout(() => client.connection.stream.destroy(), ROLLBACK_MS);
  await client.query('ROLLBACK').catch(ignore);
  clearTimeout(late);
  dropConnection(database, client);
}

/**
 * Runs a short operation on a connection that is kept for such; one that is left in a transaction is not used again. Behind a pooler it is
 * one transaction.
 */
export async function withClient<Result>(
  database: Database,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  try {
    const client = await database.pool.take();
    try {
      return isPooled(client)
        ? await inTransaction(database, client, 'BEGIN', () => work(client))
        : await work(client);
    } finally {
      database.pool.give(client, client.getTransactionStatus() === 'I');
    }
  } catch (error) {
    throw toBackupError(error, database.address.shown);
  }
}

function ignore(): void {}

export async function closeDatabase(database: Database): Promise<void> {
  for (const client of database.owned) dropConnection(database, client);
  await database.pool.end();
}

/** Runs `work` in a transaction that is rolled back when it throws: in one that is open already, where `withClient` has begun one. */
export async function inTransaction<Result>(
  database: Database,
  client: pg.Client,
  sql: string,
  work: () => Promise<Result>,
): Promise<Result> {
  if (isPooled(client) && client.getTransactionStatus() === 'T') return work();
  await begin(database, client, sql);
  let result: Result;
  try {
    result = await work();
  } catch (error) {
    await client.query('ROLLBACK').catch(ignore);
    throw error;
  }
  await client.query('COMMIT');
  return result;
}

/**
 * Settings that every session needs, whatever the server, database and role have as defaults: texts in one form,
 * no timeout in the middle of a backup, nothing but the catalog on the search path, and an error instead of a
 * silently shorter answer where row-level security applies. Settings that the server does not know are left out.
 */
const SESSION_SETTINGS: Readonly<Record<string, string>> = {
  search_path: 'pg_catalog',
  row_security: 'off',
  datestyle: 'ISO, YMD',
  timezone: 'UTC',
  bytea_output: 'hex',
  extra_float_digits: '1',
  default_transaction_isolation: 'read committed',
  statement_timeout: '0',
  idle_in_transaction_session_timeout: '0',
  idle_session_timeout: '0',
  transaction_timeout: '0',
  // To compile a statement takes longer than any of these statements gains by it.
  jit: 'off',
  // Cursors here are read to their end.
  cursor_tuple_fraction: '1',
};

/**
 * Without parameters, which a replication connection does not take. Behind a pooler only once the session is known to be ours: else they
 * would be those of whoever comes next.
 */
async function applySettings(
  client: pg.Client,
  { lockTimeout }: PostgresAddress,
  isOurs: boolean,
): Promise<void> {
  const wanted = Object.entries({ ...SESSION_SETTINGS, lock_timeout: lockTimeout })
    .map((setting) => `(${setting.map((text) => pg.escapeLiteral(text)).join(', ')})`)
    .join(', ');
  const { rows } = await client.query<{ version: string; pid: number }>(
    `SELECT current_setting('server_version_num') AS version, pg_catalog.pg_backend_pid() AS pid,
            (SELECT count(set_config(name, value, false))
               FROM (VALUES ${wanted}) AS wanted(name, value)
              WHERE current_setting(name, true) IS NOT NULL
                AND (${isOurs} OR pg_catalog.pg_backend_pid() = ${keyNumber(client)})) AS settings`,
  );
  const version = Number(rows[0]!.version);
  if (rows[0]!.pid !== keyNumber(client)) notePooler(client, version);
  if (version >= OLDEST_SERVER) return;
  throw new BackupError('store_unsupported', `PostgreSQL ${Math.floor(version / 10_000)} is too old`, {
    hint: 'PostgreSQL 13 or newer is needed',
  });
}

/** Pages of a query's rows, so that memory does not follow their number. The connection must be in a transaction. */
export async function* readPages<Row extends pg.QueryResultRow>(
  client: pg.Client,
  sql: string,
  parameters: readonly unknown[],
  pageRows: number,
): AsyncGenerator<Row[]> {
  await client.query(`DECLARE pages NO SCROLL CURSOR FOR ${sql}`, [...parameters]);
  try {
    for (;;) {
      const { rows } = await client.query<Row>(`FETCH ${pageRows} FROM pages`);
      if (rows.length > 0) yield rows;
      if (rows.length < pageRows) return;
    }
  } finally {
    // After an error the transaction is over and the cursor with it.
    await client.query('CLOSE pages').catch(ignore);
  }
}
