import type pg from 'pg';
import { type Database, dropConnection, endConnection, openConnection } from './connection.ts';

/**
 * Opens a connection for loading or indexing what nobody sees yet. Its commits need not wait for the disk, nor for a
 * standby: the log is written in order, so the commit that publishes, which does wait, takes them with it; and when the
 * server dies before that, nothing was published.
 */
export async function openBulkConnection(database: Database): Promise<pg.Client> {
  const client = await openConnection(database);
  try {
    await endWithUs(client);
    await client.query('SET synchronous_commit = off');
    return client;
  } catch (error) {
    dropConnection(database, client);
    throw error;
  }
}

/** Works on such a connection until it is done; when the signal fires, the connection is cut. */
export async function withBulkConnection<Result>(
  database: Database,
  signal: AbortSignal,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const client = await openBulkConnection(database);
  const drop = (): void => dropConnection(database, client);
  signal.addEventListener('abort', drop, { once: true });
  try {
    if (signal.aborted) drop();
    return await work(client);
  } finally {
    signal.removeEventListener('abort', drop);
    await endConnection(database, client);
  }
}

/**
 * Lets the server notice within seconds that this process is gone, so that a killed restore does not keep its lock
 * while its last statement runs on. Servers before 14, and on some systems, have no such setting.
 */
export async function endWithUs(client: pg.Client): Promise<void> {
  await client.query("SET client_connection_check_interval = '2s'").catch(() => undefined);
}

/**
 * Raises a memory setting of the session, or of the transaction, to what a server with such a cache can spare: half of it for all of
 * `sessions` together, 512 MiB each at most. Never lowers it.
 */
export async function raiseMemory(
  client: pg.Client,
  setting: 'maintenance_work_mem' | 'work_mem',
  sessions: number,
  scope: 'session' | 'transaction' = 'session',
): Promise<void> {
  await client.query(
    `SELECT set_config($1, greatest(
        pg_size_bytes(current_setting($1)) / 1024,
        least(pg_size_bytes(current_setting('shared_buffers')) / 1024 / 2 / $2::int, 512 * 1024))::text || 'kB', $3)`,
    [setting, sessions, scope === 'transaction'],
  );
}
