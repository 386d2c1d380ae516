import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import type { ChangeBatch, ChangeFeed, FeedReadOptions, FeedSource } from '../../core/change-feed.ts';
import { BackupError, throwIfAborted } from '../../core/errors.ts';
import {
  type ChangeReceiver,
  type CutBatch,
  cut,
  discard,
  emptyBatch,
  giveBack,
  hasWhole,
  makeReceiver,
  received,
  room,
  setBatchBytes,
} from './change-receiver.ts';
import type { ChangeRows } from './change-rows.ts';
import { type Database, dropConnection, endConnection } from './connection.ts';
import { urgeFlush } from './cursor.ts';
import { feedLost } from './feed-lost.ts';
import { type Probe, takeProbe } from './horizon.ts';
import {
  type ReplicationStream,
  STREAM_OVER,
  STREAM_STARTED,
  startSql,
  startStream,
} from './replication-stream.ts';
import { sqlState, toBackupError } from './server-error.ts';
import { explainSlotError, type FeedPlace, isSlotActive, slotInUse } from './slot.ts';

/** Before the first reader says how large batches are to be. */
const FIRST_BATCH_BYTES = 1 << 16;
const STATUS_MS = 5000;
const LEAST_STATUS_MS = 100;
/** Part of wal_sender_timeout after which the server hears of us again. */
const STATUS_SHARE = 4;
const PROBE_MS = 1000;
const PROBE_TIMEOUT_MS = 30_000;
/** Looks at the server that the stream has not reached yet; when it is so far behind, there is no need for more. */
const MAX_PROBES = 64;
/** How long an idle batch waits for the stream to reach what was looked at. */
const IDLE_WAIT_MS = 1500;
const URGE_MS = 5000;
const END_MS = 2000;

export interface FeedStart {
  readonly database: Database;
  /** A connection for looks at the server. */
  readonly watch: pg.Client;
  /** A replication connection. */
  readonly client: pg.Client;
  /** Of the server's process at its other end. */
  readonly pid: number;
  readonly place: FeedPlace;
  readonly source: FeedSource;
  readonly from: bigint;
  /** The log begins here: its first horizon is wanted soon. */
  readonly isNew: boolean;
}

export interface RunningFeed extends FeedStart {
  readonly receiver: ChangeReceiver;
  readonly stream: ReplicationStream;
  readonly statusTimer: NodeJS.Timeout;
  acknowledged: bigint;
  /** All before this was handed out. */
  given: bigint;
  asOf: bigint;
  /** Not reached yet, the oldest first. */
  readonly probes: Probe[];
  isProbing: boolean;
  probedAtMs: number;
  /** When an idle batch was due and the server was looked at for it. */
  idleSinceMs: number | null;
  idleAtMs: number;
  urgedAtMs: number;
  lent: ChangeRows | null;
  isPaused: boolean;
  isStarted: boolean;
  isOver: boolean;
  isClosed: boolean;
  failure: BackupError | null;
  wake: () => void;
}

/** Resolves when the server has begun to stream. */
export async function startFeed(start: FeedStart): Promise<RunningFeed> {
  const { database, client, watch, place, from } = start;
  const receiver: ChangeReceiver = makeReceiver(Number(place.relation), from, FIRST_BATCH_BYTES, {
    message: (message) => heard(feed, message),
    replyRequested: () => sendStatus(feed, false),
  });
  const stream = startStream(client, startSql(place.name, from, place.name), {
    room: () => room(receiver),
    received: (length) => take(feed, length),
    failed: (error) => fail(feed, error),
  });
  const wait = place.senderTimeoutMs === 0 ? STATUS_MS : place.senderTimeoutMs / STATUS_SHARE;
  const statusMs = Math.max(LEAST_STATUS_MS, Math.min(STATUS_MS, wait));
  const feed: RunningFeed = {
    ...{ ...start, receiver, stream, acknowledged: from, given: from, asOf: 0n, lent: null },
    statusTimer: setInterval(() => feed.isStarted && sendStatus(feed, false), statusMs),
    ...{ probes: [], isProbing: false, probedAtMs: -PROBE_MS, idleSinceMs: null, idleAtMs: 0, urgedAtMs: 0 },
    ...{ isPaused: false, isStarted: false, isOver: false, isClosed: false, failure: null },
    wake: () => undefined,
  };
  while (!feed.isStarted && feed.failure === null) await pause(feed, null);
  if (feed.failure !== null) throw feed.failure;
  // From now on the server can tell this reader from one that is cut off.
  sendStatus(feed, false);
  const onEnd = (): void => fail(feed, new Error('Connection terminated unexpectedly'));
  watch.once('end', onEnd);
  if (!database.owned.has(watch)) onEnd();
  return feed;
}

export function runFeed(feed: RunningFeed): ChangeFeed {
  return {
    source: feed.source,
    from: feed.from,
    read: (options) => read(feed, options),
    acknowledge: (position) => acknowledge(feed, position),
    close: () => close(feed),
  };
}

function heard(feed: RunningFeed, message: Buffer): void {
  feed.stream.handOn(message);
  const kind = String.fromCharCode(message[0]!);
  if (kind === STREAM_STARTED) feed.isStarted = true;
  else if (kind === STREAM_OVER) feed.isOver = true;
  else return;
  feed.wake();
}

/** False when there is no room for more before a batch is taken. */
function take(feed: RunningFeed, length: number): boolean {
  const { receiver } = feed;
  const hadWhole = hasWhole(receiver);
  try {
    received(receiver, length, performance.now());
  } catch (error) {
    fail(feed, error);
    return false;
  }
  if (receiver.isDue || hadWhole !== hasWhole(receiver) || feed.idleSinceMs !== null) feed.wake();
  feed.isPaused = receiver.isDue;
  return !receiver.isDue;
}

function fail(feed: RunningFeed, error: unknown): void {
  // The store was closed, and with it what is open of it.
  if (feed.database.pool.isEnded) feed.isClosed = true;
  if (feed.failure === null && !feed.isClosed) feed.failure = explain(feed, error);
  clearInterval(feed.statusTimer);
  feed.isOver = true;
  // A server that is being stopped waits for both.
  dropReader(feed);
  if (feed.isStarted) dropConnection(feed.database, feed.watch);
  feed.wake();
}

/** The server may not hear of it. */
function dropReader({ database, client, pid, isStarted }: RunningFeed): void {
  dropConnection(database, client);
  if (isStarted) database.formerReader = { pid, heldSinceMs: null };
}

function explain({ place, database }: RunningFeed, error: unknown): BackupError {
  const { name } = place;
  const state = sqlState(error);
  const said = error instanceof Error ? error.message : '';
  if (state === '55006') {
    return slotInUse(name, Number(/PID (\d+)/.exec(said)?.[1] ?? 0), error);
  }
  if (state === '42704') {
    const reason = said.includes('publication') ? 'publication_changed' : 'slot_missing';
    return feedLost(
      reason,
      `the server has no longer what the feed needs: ${said}`,
      { name },
      { cause: error },
    );
  }
  if ((state === '55000' && said.includes('slot')) || state === '58P01') {
    return feedLost(
      'wal_lost',
      `what was still to be read is gone: ${said}`,
      { slot: name },
      { cause: error },
    );
  }
  return toBackupError(explainSlotError(error, place.role), database.address.shown);
}

function sendStatus(feed: RunningFeed, isReplyWanted: boolean): void {
  if (feed.failure !== null || feed.isOver) return;
  feed.stream.sendStatus(feed.acknowledged, isReplyWanted).catch((error) => fail(feed, error));
}

async function acknowledge(feed: RunningFeed, position: bigint): Promise<void> {
  if (position > feed.given) {
    throw new BackupError('internal', `position ${position} was acknowledged, ${feed.given} was handed out`);
  }
  if (position > feed.acknowledged) feed.acknowledged = position;
  if (feed.isClosed) return;
  if (feed.failure !== null) throw feed.failure;
  await feed.stream.sendStatus(feed.acknowledged, false).catch((error) => {
    fail(feed, error);
    throw feed.failure ?? toBackupError(error, feed.database.address.shown);
  });
}

async function* read(feed: RunningFeed, options: FeedReadOptions): AsyncGenerator<ChangeBatch> {
  const { receiver } = feed;
  // What came before anybody read may be what cannot be read; to go on behind it would tell another reason.
  if (feed.failure !== null) throw feed.failure;
  const wake = (): void => feed.wake();
  options.signal?.addEventListener('abort', wake, { once: true });
  setBatchBytes(receiver, options.batchBytes, performance.now());
  goOn(feed);
  // A log that begins is of no use to a backup before it has a horizon.
  feed.idleAtMs = performance.now() + (feed.isNew && feed.asOf === 0n ? options.lingerMs : options.idleMs);
  try {
    for (;;) {
      release(feed);
      const batch = await nextBatch(feed, options);
      if (batch === null) return;
      feed.idleAtMs = performance.now() + options.idleMs;
      yield batch;
    }
  } finally {
    release(feed);
    options.signal?.removeEventListener('abort', wake);
  }
}

function release(feed: RunningFeed): void {
  if (feed.lent !== null) giveBack(feed.receiver, feed.lent);
  feed.lent = null;
}

/** Receives on when there is room again. */
function goOn(feed: RunningFeed): void {
  if (!feed.isPaused || feed.receiver.isDue || feed.isOver) return;
  feed.isPaused = false;
  feed.stream.resume();
}

/** Null when the feed is closed. */
async function nextBatch(feed: RunningFeed, options: FeedReadOptions): Promise<ChangeBatch | null> {
  const { receiver } = feed;
  for (;;) {
    throwIfAborted(options.signal);
    if (feed.isClosed) return null;
    if (feed.failure !== null) throw feed.failure;
    const now = performance.now();
    if (receiver.isDue || (hasWhole(receiver) && now - receiver.rows.beganAtMs >= options.lingerMs)) {
      const batch = cutNow(feed);
      if (batch !== null) return batch;
      continue;
    }
    if (hasWhole(receiver)) {
      lookSometimes(feed, now);
      await pause(feed, receiver.rows.beganAtMs + options.lingerMs - now);
    } else {
      const batch = await idle(feed, now);
      if (batch !== null) return batch;
    }
  }
}

function cutNow(feed: RunningFeed): ChangeBatch | null {
  let taken: CutBatch | null;
  try {
    taken = cut(feed.receiver);
  } catch (error) {
    fail(feed, error);
    return null;
  }
  goOn(feed);
  if (taken === null) return null;
  feed.lent = taken.rows;
  lookSometimes(feed, performance.now());
  return complete(feed, taken.batch);
}

/** Adds what was found out by looks at the server that the batch has reached. */
function complete(feed: RunningFeed, batch: CutBatch['batch']): ChangeBatch {
  const { probes } = feed;
  const { to, transactions } = batch;
  feed.idleSinceMs = null;
  let probe: Probe | null = null;
  while (to !== null && probes.length > 0 && probes[0]!.position <= to) probe = probes.shift()!;
  if (probe?.isPublished === false) {
    fail(
      feed,
      feedLost(
        'other_table',
        `the events table was replaced, or taken out of publication ${feed.place.name}`,
      ),
    );
  }
  if (to !== null && to > feed.given) feed.given = to;
  const last = transactions.count === 0 ? 0n : transactions.times[transactions.count - 1]!;
  // A transaction that is open counts with its last batch.
  for (const time of [probe?.time ?? 0n, to === null ? 0n : last]) if (time > feed.asOf) feed.asOf = time;
  const horizon = probe === null ? null : { position: probe.position, xid: probe.xid };
  return { ...batch, asOf: feed.asOf, horizon };
}

/** While nothing comes: asks the server how far it is, and gives an empty batch when that is known. */
async function idle(feed: RunningFeed, now: number): Promise<ChangeBatch | null> {
  const { receiver, probes } = feed;
  const isOpen = receiver.decoder.transaction?.isListed === true;
  if (isOpen || (feed.idleSinceMs === null && now < feed.idleAtMs)) {
    await pause(feed, isOpen ? null : feed.idleAtMs - now);
    return null;
  }
  if (feed.idleSinceMs === null) {
    feed.idleSinceMs = now;
    look(feed);
    sendStatus(feed, true);
  }
  const isReached = !feed.isProbing && probes.every(({ position }) => position <= receiver.reached);
  if (isReached || now - feed.idleSinceMs >= IDLE_WAIT_MS) {
    if (!isReached) urge(feed, now);
    const to = receiver.reached > feed.given ? receiver.reached : feed.given;
    return complete(feed, emptyBatch(receiver, to));
  }
  await pause(feed, feed.idleSinceMs + IDLE_WAIT_MS - now);
  return null;
}

/** The server sends what it has written to its disk. What an open transaction wrote last may stay in memory until another ends. */
function urge(feed: RunningFeed, now: number): void {
  if (now - feed.urgedAtMs < URGE_MS) return;
  feed.urgedAtMs = now;
  // Where that cannot be asked for, it comes by itself. A server that is gone is noticed by others.
  urgeFlush(feed.database).catch(() => undefined);
}

function lookSometimes(feed: RunningFeed, now: number): void {
  if (now - feed.probedAtMs >= PROBE_MS && feed.probes.length < MAX_PROBES) look(feed);
}

/** Looks at the server once; a look that is not answered tells that it is gone. */
function look(feed: RunningFeed): void {
  if (feed.isProbing || feed.failure !== null) return;
  const { watch, place, probes } = feed;
  feed.isProbing = true;
  feed.probedAtMs = performance.now();
  const late = setTimeout(() => fail(feed, new Error('timeout expired')), PROBE_TIMEOUT_MS);
  takeProbe(watch, place.schema, place.name, place.relation)
    .then((probe) => probes.push(probe))
    .catch((error) => fail(feed, error))
    .finally(() => {
      clearTimeout(late);
      feed.isProbing = false;
      feed.wake();
    });
}

/** Waits until something happens, or for so long. */
async function pause(feed: RunningFeed, ms: number | null): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  feed.wake = resolve;
  const timer = ms === null ? undefined : setTimeout(resolve, Math.max(0, ms));
  await promise;
  clearTimeout(timer);
  if (feed.wake === resolve) feed.wake = () => undefined;
}

/** Ends the stream so that the slot is free when this resolves. */
async function close(feed: RunningFeed): Promise<void> {
  if (feed.isClosed) return;
  feed.isClosed = true;
  feed.wake();
  clearInterval(feed.statusTimer);
  const { database, client, watch, receiver, stream, place } = feed;
  if (feed.failure !== null) return;
  const deadline = performance.now() + END_MS;
  await stream.sendStatus(feed.acknowledged, false).catch(() => undefined);
  stream.sendEnd();
  discard(receiver);
  goOn(feed);
  while (!feed.isOver && performance.now() < deadline) await pause(feed, deadline - performance.now());
  if (feed.isOver && database.owned.has(client)) await endConnection(database, client);
  else dropReader(feed);
  while (performance.now() < deadline && (await isSlotActive(watch, place.name).catch(() => false)))
    await sleep(20);
  await endConnection(database, watch);
}
