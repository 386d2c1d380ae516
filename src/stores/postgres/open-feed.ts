import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import type { ChangeFeed, FeedOptions, FeedSource } from '../../core/change-feed.ts';
import { isBackupError } from '../../core/errors.ts';
import { type Database, dropConnection, openConnection } from './connection.ts';
import { runFeed, startFeed } from './feed.ts';
import { identifySystem } from './replication-stream.ts';
import { toBackupError } from './server-error.ts';
import { checkResume, explainSlotError, type FeedPlace, findPlace, prepareFeed } from './slot.ts';

/** The server may need a moment to notice that a killed reader is gone. */
const IN_USE_ATTEMPTS = 20;
const IN_USE_WAIT_MS = 150;

/**
 * Follows the commits of the events table by a replication slot. A second connection looks at what a stream of commits does not
 * say: the clock, the numbers of transactions, whether the table is still the same.
 */
export async function openFeed(database: Database, options: FeedOptions): Promise<ChangeFeed> {
  const watch = await openConnection(database);
  try {
    const place = await findPlace(watch, database.address.schema);
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await openAt(database, watch, place, options);
      } catch (error) {
        if (!isBackupError(error, 'lease_held') || attempt === IN_USE_ATTEMPTS) throw error;
        await sleep(IN_USE_WAIT_MS);
      }
    }
  } catch (error) {
    dropConnection(database, watch);
    throw toBackupError(error, database.address.shown);
  }
}

async function openAt(
  database: Database,
  watch: pg.Client,
  place: FeedPlace,
  options: FeedOptions,
): Promise<ChangeFeed> {
  const client = await openReplication(database, place);
  try {
    const source: FeedSource = {
      kind: 'postgres',
      ...(await identifySystem(client)),
      ...{ database: place.database, relation: place.relation },
    };
    const { resumeAt } = options;
    if (resumeAt !== null) await checkResume(watch, place, resumeAt, options.source, source);
    const from = resumeAt ?? (await prepareFeed(watch, place));
    const feed = await startFeed({ database, watch, client, place, source, from, isNew: resumeAt === null });
    return runFeed(feed);
  } catch (error) {
    dropConnection(database, client);
    throw error;
  }
}

async function openReplication(database: Database, place: FeedPlace): Promise<pg.Client> {
  try {
    return await openConnection(database, { replication: 'database' });
  } catch (error) {
    throw explainSlotError(error, place.role);
  }
}
