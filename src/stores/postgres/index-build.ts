import type pg from 'pg';
import { runLimited } from '../../core/concurrency.ts';
import { BackupError } from '../../core/errors.ts';
import { EVENTS, type IndexLayout } from '../layouts/eventcore-postgres.ts';
import { raiseMemory, withBulkConnection } from './bulk-session.ts';
import { qualified } from './catalog.ts';
import type { Database } from './connection.ts';
import { indexSql } from './schema.ts';
import { sqlState } from './server-error.ts';

interface IndexBuild {
  readonly database: Database;
  readonly schema: string;
  /** Those that are still to be built, the costliest first. */
  readonly queue: IndexLayout[];
  readonly lanes: number;
  /** Further processes that the server may start for one index. */
  readonly workers: number;
}

/**
 * Builds the indexes of a staged events table, and the one that its primary key will use: all at once, so that no
 * processor is left idle while the last one is built, unless only one thing may be done at a time. Each is built by one
 * process, which takes less work than several do, as long as `parallel` allows no more processes than there are
 * indexes. The first failure ends the others.
 */
export async function buildIndexes(
  database: Database,
  schema: string,
  {
    parallel,
    all,
    isForeign,
    signal,
  }: {
    readonly parallel: number;
    readonly all: boolean;
    /** Of a store of others, where ids may be doubled. */
    readonly isForeign: boolean;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { name, column } = EVENTS.primaryKey;
  // Rows that will be copied need only what checks them.
  const queue = EVENTS.indexes.filter((index) => index.unique || all);
  // Last: ids compare quickly, names do not.
  if (!isForeign) queue.push({ name, unique: true, columns: column });
  const lanes = parallel > 1 ? queue.length : 1;
  const workers = Math.max(0, Math.floor(parallel / lanes) - 1);
  const build: IndexBuild = { database, schema, queue, lanes, workers };
  const laneNumbers = Array.from({ length: lanes }, (_, lane) => lane);
  await runLimited(laneNumbers, lanes, (_, stop) => buildInLane(build, stop), signal);
}

async function buildInLane(build: IndexBuild, stop: AbortSignal): Promise<void> {
  const { database, schema, queue } = build;
  await withBulkConnection(database, stop, async (client) => {
    await raiseMemory(client, 'maintenance_work_mem', build.lanes);
    await limitWorkers(client, build.workers);
    while (queue.length > 0 && !stop.aborted) await client.query(indexSql(schema, EVENTS, queue.shift()!));
  }).catch((error: unknown) => {
    throw explainIndex(error);
  });
}

async function limitWorkers(client: pg.Client, workers: number): Promise<void> {
  await client.query(
    `SELECT set_config('max_parallel_maintenance_workers',
        least(current_setting('max_parallel_maintenance_workers')::int, $1)::text, false)`,
    [workers],
  );
}

/** Two events with one id, or with one stream and version: no store of this layout can hold both. */
function explainIndex(error: unknown): unknown {
  const state = sqlState(error);
  if (state !== '23505' && state !== '54000') return error;
  const { message, detail } = error as pg.DatabaseError;
  return new BackupError('value_not_storable', `the events cannot be indexed: ${detail ?? message}`, {
    hint: 'run `eventcore verify` on the backup; doubled events cannot be restored into PostgreSQL',
    cause: error,
  });
}

/**
 * Gathers what the planner wants to know of a staged events table. Not of the JSON, which takes as long as all the rest
 * and which nobody searches by its order; autovacuum, which is told that this was not everything, adds it in its turn.
 */
export async function collectStatistics(
  database: Database,
  schema: string,
  signal: AbortSignal,
): Promise<void> {
  const columns = EVENTS.columns.filter(({ type }) => type !== 'jsonb').map(({ name }) => name);
  await withBulkConnection(database, signal, async (client) => {
    await client.query(`ANALYZE ${qualified(schema, EVENTS.name)} (${columns.join(', ')})`);
  });
}
