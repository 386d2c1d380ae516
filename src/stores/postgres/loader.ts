import type pg from 'pg';
import { BackupError, isBackupError } from '../../core/errors.ts';
import type { BatchWriter, RestoreSession, RestoreSessionOptions } from '../../core/event-store.ts';
import { EVENTS } from '../layouts/eventcore-postgres.ts';
import { endWithUs } from './bulk-session.ts';
import { companionsOf, findEvents, qualified, requireEvents } from './catalog.ts';
import type { PostgresAddress } from './config.ts';
import { type Database, dropConnection, endConnection, inTransaction, openConnection } from './connection.ts';
import { openCopyWriter } from './copy-writer.ts';
import { publishForeign } from './foreign-publish.ts';
import { buildIndexes, collectStatistics } from './index-build.ts';
import { findPeculiarities } from './peculiarities.ts';
import { type Publication, publishStaged, requireEmpty } from './publish.ts';
import { enterRestore, formatToken } from './restore-token.ts';
import { sqlState, toBackupError } from './server-error.ts';
import { flushCompanions, type StagedCompanions, stageCompanion } from './staged-companions.ts';
import {
  awaitLock,
  createStaging,
  discardLeftovers,
  dropStaging,
  endWriters,
  lockTarget,
  schemaExists,
  stagingSchema,
  unlockTarget,
} from './staging.ts';
import { readStagedSummaries } from './summaries.ts';

const DEFAULT_PARALLEL = 2;

/** A restore under way. Its connection holds the lock on the target as long as it lives. */
interface Restore {
  readonly database: Database;
  readonly client: pg.Client;
  readonly publication: Publication;
  readonly writers: Set<BatchWriter>;
  /** Processes that may work for it at the same time. */
  readonly parallel: number;
  /** Fires when it is discarded: cuts the connections that still work for it. */
  readonly stop: AbortController;
  isOver: boolean;
  /** Its transaction has all that is published, and is to be committed. */
  prepared: { readonly copied: boolean } | null;
}

export async function openRestore(
  database: Database,
  options: RestoreSessionOptions,
): Promise<RestoreSession> {
  const staging = stagingSchema(options.attemptId);
  const client = await openConnection(database);
  try {
    const targetSchema = database.address.schema;
    await endWithUs(client);
    await lockTarget(client, targetSchema);
    const { foreign } = database.address;
    // Tables of others are made by their own tools.
    const target =
      foreign === null
        ? await findEvents(client, database.address)
        : await requireEvents(client, database.address);
    if (!options.replace) await requireEmpty(client, database.address);
    await requireRights(client, database.address, target?.oid ?? null);
    const discarded = await discardLeftovers(client, targetSchema);
    const mayMove = foreign === null && (await mayMoveInto(client, target?.oid ?? null));
    const attempt = { schema: staging, attemptId: options.attemptId, targetSchema };
    await inTransaction(database, client, 'BEGIN', () =>
      createStaging(client, attempt, mayMove ? '' : 'UNLOGGED '),
    );
    const companions: StagedCompanions = {
      ...{ targetSchema, stagingSchema: staging, tables: new Map() },
      layouts: await companionsOf(client, database.address),
    };
    const publication = {
      address: database.address,
      targetSchema,
      stagingSchema: staging,
      mayMove,
      replace: options.replace,
      adopt: options.adopt === true,
      companions,
    };
    const parallel = options.parallel ?? DEFAULT_PARALLEL;
    const state = {
      writers: new Set<BatchWriter>(),
      stop: new AbortController(),
      isOver: false,
      prepared: null,
    };
    return session({ database, client, publication, parallel, ...state }, discarded);
  } catch (error) {
    // Who is refused may come again at once, sooner than the server notices that this session has ended.
    if (isBackupError(error) && error.code !== 'lease_held')
      await unlockTarget(client, database.address.schema).catch(() => undefined);
    dropConnection(database, client);
    throw toBackupError(error, database.address.shown);
  }
}

/** Joins a restore of another connection. */
export async function joinRestore(database: Database, token: string): Promise<BatchWriter> {
  return openCopyWriter(database, enterRestore(database, token), false);
}

function session(restore: Restore, discarded: readonly string[]): RestoreSession {
  const { database, client, publication } = restore;
  const refusing = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    if (restore.isOver) throw new BackupError('internal', 'the restore is over');
    try {
      return await work();
    } catch (error) {
      throw toBackupError(error, database.address.shown);
    }
  };
  return {
    token: formatToken(database, publication.stagingSchema),
    discarded,
    openWriter: ({ alone = false } = {}) =>
      refusing(async () => {
        const writer = await openCopyWriter(database, publication.stagingSchema, alone);
        restore.writers.add(writer);
        return writer;
      }),
    writeCompanion: (row) => refusing(() => stageCompanion(client, publication.companions, row)),
    finishLoad: (onStep) => refusing(() => finishLoad(restore, onStep)),
    readSummaries: () => readStagedSummaries(database, publication.stagingSchema, restore.stop.signal),
    preparePublish: () => refusing(() => preparePublish(restore)),
    publish: () => refusing(() => publish(restore)),
    discard: () => discard(restore),
  };
}

/** Refuses now what publishing would refuse after hours of loading. */
async function requireRights(
  client: pg.Client,
  { schema, foreign }: PostgresAddress,
  oid: string | null,
): Promise<void> {
  const { rows } = await client.query<{ owner: string | null; owns: boolean; creates: boolean }>(
    `SELECT pg_get_userbyid(relowner) AS owner, coalesce(pg_has_role(relowner, 'USAGE'), true) AS owns,
            coalesce(has_schema_privilege(n.oid, 'CREATE'), true) AS creates
       FROM (SELECT) AS always
       LEFT JOIN pg_namespace n ON n.nspname = $1
       LEFT JOIN pg_class c ON c.oid = $2`,
    [schema, oid],
  );
  const { owner, owns, creates } = rows[0]!;
  if (!owns) {
    throw new BackupError(
      'store_refused',
      `${schema}.${foreign?.table ?? EVENTS.name} belongs to ${owner}, not to ${client.user}`,
      {
        hint: `restore as ${owner}, or GRANT ${owner} TO ${client.user}`,
      },
    );
  }
  if (oid !== null || creates) return;
  throw new BackupError('store_refused', `${client.user} may not create tables in schema ${schema}`, {
    hint: `as the owner of the schema: GRANT CREATE ON SCHEMA ${schema} TO ${client.user}`,
  });
}

/**
 * Whether the loaded table can become the store's as it is. A publication of all tables would publish the loading too;
 * an unlogged table is in none.
 */
async function mayMoveInto(client: pg.Client, oid: string | null): Promise<boolean> {
  if (oid !== null) return (await findPeculiarities(client, oid)).length === 0;
  const { rows } = await client.query<{ all: boolean }>(
    'SELECT EXISTS (SELECT FROM pg_publication WHERE puballtables) AS all',
  );
  return !rows[0]!.all;
}

/**
 * Statistics first: while an index is built, a table takes none. The other processors sum up what was loaded meanwhile,
 * and what is left of that goes on while the indexes are built.
 */
async function finishLoad(restore: Restore, onStep: (step: string) => void = () => undefined): Promise<void> {
  const { database, client, publication, stop } = restore;
  const { stagingSchema, mayMove, address } = publication;
  // Whoever was taken for dead and wakes up would hold the table against the indexes.
  await endWriters(client, stagingSchema);
  await flushCompanions(client, publication.companions);
  onStep('building indexes');
  if (mayMove) await collectStatistics(database, stagingSchema, stop.signal);
  const options = {
    ...{ all: mayMove, isForeign: address.foreign !== null },
    ...{ parallel: restore.parallel, signal: stop.signal },
  };
  await buildIndexes(database, stagingSchema, options);
}

/** All but the commit, in a transaction that is open then. */
async function preparePublish(restore: Restore): Promise<void> {
  const { client, publication } = restore;
  await endWriters(client, publication.stagingSchema);
  await client.query('BEGIN');
  try {
    restore.prepared = { copied: await publishAny(client, publication) };
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

async function publish(restore: Restore): Promise<void> {
  const { database, client, publication } = restore;
  if (restore.prepared === null) await preparePublish(restore);
  const { copied } = restore.prepared!;
  await commitPublish(restore);
  restore.isOver = true;
  // The rows are new to this table. It works without, only slower until the server does it by itself.
  const { foreign } = publication.address;
  const table = qualified(publication.targetSchema, foreign?.table ?? EVENTS.name);
  if (copied) await client.query(`ANALYZE ${table}`).catch(() => undefined);
  await endConnection(database, client);
}

async function publishAny(client: pg.Client, publication: Publication): Promise<boolean> {
  const { foreign } = publication.address;
  if (foreign === null) return publishStaged(client, publication);
  await publishForeign(client, foreign, publication);
  return true;
}

/**
 * When the connection is lost here the server may have committed or not; the schema of the attempt, which the same
 * transaction drops, tells.
 */
async function commitPublish({ database, client, publication }: Restore): Promise<void> {
  try {
    await client.query('COMMIT');
  } catch (error) {
    if (sqlState(error) !== null && toBackupError(error, '').code !== 'store_unreachable') throw error;
    const other = await openConnection(database);
    try {
      await awaitLock(other, publication.targetSchema);
      if (await schemaExists(other, publication.stagingSchema)) throw error;
    } finally {
      await endConnection(database, other);
    }
  }
}

async function discard(restore: Restore): Promise<void> {
  if (restore.isOver) return;
  restore.isOver = true;
  restore.stop.abort();
  const { database, client, publication } = restore;
  for (const writer of restore.writers) await writer.abort();
  try {
    if (restore.prepared !== null) await client.query('ROLLBACK');
    await dropStaging(client, publication.stagingSchema);
  } catch {
    // What failed the restore may have ended the session too. If a new one fails as well, the next restore finds
    // the schema and discards it.
    dropConnection(database, client);
    await dropFromNewSession(restore).catch(() => undefined);
  }
  await endConnection(database, client);
}

async function dropFromNewSession({ database, publication }: Restore): Promise<void> {
  const client = await openConnection(database);
  try {
    await dropStaging(client, publication.stagingSchema);
  } finally {
    await endConnection(database, client);
  }
}
