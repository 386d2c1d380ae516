import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import type { ChangeFeed, FeedOptions, FeedSource } from '../../core/change-feed.ts';
import { isBackupError } from '../../core/errors.ts';
import { type Database, dropConnection, openConnection } from './connection.ts';
import { runFeed, startFeed } from './feed.ts';
import { identifySystem } from './replication-stream.ts';
import { toBackupError } from './server-error.ts';
import {
  checkResume,
  explainSlotError,
  type FeedPlace,
  findPlace,
  prepareFeed,
  readReplyTime,
} from './slot.ts';

/** The server notices at once that a killed reader is gone. */
const IN_USE_MS = 3000;
const IN_USE_WAIT_MS = 150;
/** A reader that was cut off is noticed after wal_sender_timeout, or this where there is none. */
const CUT_OFF_MS = 60_000;

/**
 * Follows the commits of the events table by a replication slot. A second connection looks at what a stream of commits does not
 * say: the clock, the numbers of transactions, whether the table is still the same.
 */
export async function openFeed(database: Database, options: FeedOptions): Promise<ChangeFeed> {
  const watch = await openConnection(database);
  try {
    const place = await findPlace(watch, database.address.schema);
    const isOver = makeDeadline(watch, place);
    for (;;) {
      try {
        return await openAt(database, watch, place, options);
      } catch (error) {
        if (!isBackupError(error, 'lease_held') || (await isOver())) throw error;
        await sleep(IN_USE_WAIT_MS);
      }
    }
  } catch (error) {
    dropConnection(database, watch);
    throw toBackupError(error, database.address.shown);
  }
}

/**
 * A slot in use is waited for while its reader is silent: a living one says every few seconds that it lives, so the server is
 * about to end one that is not heard of, as when a network failed.
 */
function makeDeadline(watch: pg.Client, { name, senderTimeoutMs }: FeedPlace): () => Promise<boolean> {
  const beganMs = performance.now();
  let heardOf: string | null = null;
  return async () => {
    const waitedMs = performance.now() - beganMs;
    const reply = await readReplyTime(watch, name);
    if (reply === null) return waitedMs > IN_USE_MS;
    heardOf ??= reply;
    return reply !== heardOf || waitedMs > (senderTimeoutMs || CUT_OFF_MS) + IN_USE_MS;
  };
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

/** Throws `store_refused` where the role may not follow the server's log. */
export async function openReplication(database: Database, place: FeedPlace): Promise<pg.Client> {
  try {
    return await openConnection(database, { replication: 'database' });
  } catch (error) {
    throw explainSlotError(error, place.role);
  }
}
