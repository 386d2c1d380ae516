import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import type { ChangeFeed, FeedOptions, FeedSource } from '../../core/change-feed.ts';
import { BackupError, isBackupError } from '../../core/errors.ts';
import { type Database, dropConnection, type FormerReader, openConnection } from './connection.ts';
import { runFeed, startFeed } from './feed.ts';
import { identifySystem } from './replication-stream.ts';
import { toBackupError } from './server-error.ts';
import {
  checkResume,
  explainSlotError,
  type FeedPlace,
  findPlace,
  isSlotActive,
  prepareFeed,
  readReplyTime,
} from './slot.ts';

/** The server notices at once that a killed reader is gone. */
const IN_USE_MS = 3000;
const IN_USE_WAIT_MS = 150;
/** A reader that was cut off is noticed after wal_sender_timeout, or this where there is none. */
const CUT_OFF_MS = 60_000;
/** Longer than whoever connects again pauses in between. */
const CUT_OFF_MARGIN_MS = 45_000;

/**
 * Follows the commits of the events table by a replication slot. A second connection looks at what a stream of commits does not
 * say: the clock, the numbers of transactions, whether the table is still the same.
 */
export async function openFeed(database: Database, options: FeedOptions): Promise<ChangeFeed> {
  const watch = await openConnection(database);
  try {
    const place = await findPlace(watch, database.address);
    const isOver = makeDeadline(watch, place);
    for (;;) {
      try {
        return await openAt(database, watch, place, options);
      } catch (error) {
        if (!isBackupError(error, 'lease_held')) throw error;
        const own = ownReader(database, error);
        if (await isOver(own !== null)) throw own === null ? error : stillHeld(own, place, error);
        do await sleep(IN_USE_WAIT_MS);
        while ((await isSlotActive(watch, place.name)) && !(await isOver(own !== null)));
      }
    }
  } catch (error) {
    dropConnection(database, watch);
    throw toBackupError(error, database.address.shown);
  }
}

/**
 * A slot in use is waited for while its reader is silent: a living one says every few seconds that it lives, so the server is
 * about to end one that is not heard of, as when a network failed. Not every role may know when it was heard of. For a reader
 * of our own, which is known to be gone, nobody waits here for long: whoever wants the feed can say so, and be stopped.
 */
function makeDeadline(
  watch: pg.Client,
  { name, senderTimeoutMs }: FeedPlace,
): (isOwn: boolean) => Promise<boolean> {
  const beganMs = performance.now();
  let heardOf: string | null = null;
  return async (isOwn) => {
    const waitedMs = performance.now() - beganMs;
    const reply = isOwn ? null : await readReplyTime(watch, name);
    if (reply === null) return waitedMs > IN_USE_MS;
    heardOf ??= reply;
    return reply !== heardOf || waitedMs > (senderTimeoutMs || CUT_OFF_MS) + IN_USE_MS;
  };
}

/** Who holds the slot, where that is the process at the other end of a connection that this store had and lost. */
function ownReader({ formerReader: reader }: Database, { facts }: BackupError): FormerReader | null {
  if (reader === null || reader.pid !== facts.pid) return null;
  reader.heldSinceMs ??= performance.now();
  return reader;
}

/** May pass, until the server should have noticed long ago. */
function stillHeld(
  { pid, heldSinceMs }: FormerReader,
  { name, senderTimeoutMs }: FeedPlace,
  held: BackupError,
): BackupError {
  const limitMs = senderTimeoutMs || CUT_OFF_MS;
  if (performance.now() - heldSinceMs! > limitMs + CUT_OFF_MARGIN_MS) return held;
  const message = `slot ${name} is still held for our former connection (PID ${pid}): the server has not noticed that it was cut`;
  return new BackupError('store_unreachable', message, {
    hint:
      senderTimeoutMs === 0
        ? `wal_sender_timeout is 0, so it may never notice: SELECT pg_terminate_backend(${pid})`
        : `it does after wal_sender_timeout, ${senderTimeoutMs / 1000} s`,
    facts: { slot: name, pid },
    cause: held,
  });
}

async function openAt(
  database: Database,
  watch: pg.Client,
  place: FeedPlace,
  options: FeedOptions,
): Promise<ChangeFeed> {
  const client = await openReplication(database, place);
  try {
    const pid = await readPid(client);
    const source: FeedSource = {
      kind: 'postgres',
      ...(await identifySystem(client)),
      ...{ database: place.database, relation: place.relation },
    };
    const { resumeAt } = options;
    if (resumeAt !== null) await checkResume(watch, place, resumeAt, options.source, source);
    const from = resumeAt ?? (await prepareFeed(watch, place));
    const isNew = resumeAt === null;
    const feed = await startFeed({ database, watch, client, pid, place, source, from, isNew });
    database.formerReader = null;
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

async function readPid(client: pg.Client): Promise<number> {
  return (await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]!.pid;
}
