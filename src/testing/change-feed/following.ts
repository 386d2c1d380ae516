import assert from 'node:assert/strict';
import {
  type ChangeBatch,
  type ChangeFeed,
  type FeedOptions,
  type FeedReadOptions,
  type FeedSource,
  NEW_LOG,
} from '../../core/change-feed.ts';
import { type EventBatch, spanBytes } from '../../core/event-batch.ts';
import type { EventStore } from '../../core/event-store.ts';
import { batchRows, type TestEvent } from '../batches.ts';

/** Quick enough for a test, slow enough that a commit is not torn from the next by chance. */
export const READ: FeedReadOptions = { batchBytes: 1 << 20, lingerMs: 50, idleMs: 100 };
/** So long that a case which waited for it would be timed out. */
export const NEVER_MS = 600_000;

/** A batch as plain values that stay. */
export interface SeenBatch extends Pick<ChangeBatch, 'isContinued' | 'isOpen' | 'to' | 'asOf' | 'beganAtMs'> {
  readonly events: readonly Required<TestEvent>[];
  readonly eventBytes: number;
  readonly commits: readonly bigint[];
}

export interface SeenTransaction {
  readonly commit: bigint;
  readonly time: bigint;
  readonly xid: number;
  readonly events: Required<TestEvent>[];
}

/** All that was read of a feed; every batch was held to the port's promises as it came. */
export interface Seen {
  readonly from: bigint;
  readonly batches: SeenBatch[];
  readonly transactions: SeenTransaction[];
}

export interface Following {
  readonly feed: ChangeFeed;
  readonly seen: Seen;
  /** The next batch, null when the feed has ended. */
  next(): Promise<SeenBatch | null>;
  /** Reads until this many events have been seen and no transaction is open. Gives where that is. */
  until(events: number): Promise<bigint>;
  /** Ends reading, then closes the feed. */
  stop(): Promise<void>;
}

export async function follow(
  store: EventStore,
  options: FeedOptions = NEW_LOG,
  read: FeedReadOptions = READ,
): Promise<Following> {
  const feed = await store.openFeed(options);
  if (options.resumeAt !== null) assert.equal(feed.from, options.resumeAt);
  const seen: Seen = { from: feed.from, batches: [], transactions: [] };
  const batches = feed.read(read)[Symbol.asyncIterator]();
  const next = async (): Promise<SeenBatch | null> => {
    const { done, value } = await batches.next();
    if (done === true) return null;
    return note(value, seen);
  };
  return {
    feed,
    seen,
    next,
    until: async (events) => {
      for (;;) {
        const to = seen.batches.at(-1)?.to ?? null;
        const count = eventsOf(seen).length;
        assert.ok(count <= events, `${count} events where ${events} were expected`);
        if (to !== null && count === events) return to;
        assert.notEqual(await next(), null, 'the feed has ended');
      }
    },
    stop: async () => {
      await feed.close();
      await batches.return?.();
    },
  };
}

export function eventsOf({ transactions }: Seen): Required<TestEvent>[] {
  return transactions.flatMap(({ events }) => events);
}

/** How a log that has all of this is gone on with. */
export function resumption(seen: Seen, source: FeedSource, resumeAt: bigint): FeedOptions {
  const lastEventId = eventsOf(seen).at(-1)?.id ?? null;
  return { resumeAt, source, lastEventId: lastEventId === null ? null : String(lastEventId) };
}

function note(batch: ChangeBatch, seen: Seen): SeenBatch {
  const { events, transactions, isContinued, isOpen, to, asOf, beganAtMs } = batch;
  assertPromises(batch, seen);
  const rows = batchRows(events);
  let row = 0;
  for (let i = 0; i < transactions.count; i += 1) {
    const own = rows.slice(row, row + transactions.events[i]!);
    row += own.length;
    if (i === 0 && isContinued) {
      // One by one: a large batch has more events than a call takes arguments.
      for (const event of own) seen.transactions.at(-1)!.events.push(event);
    } else {
      const commit = transactions.commits[i]!;
      seen.transactions.push({
        commit,
        time: transactions.times[i]!,
        xid: transactions.xids[i]!,
        events: own,
      });
    }
  }
  const commits = [...transactions.commits.subarray(0, transactions.count)];
  const noted = {
    events: rows,
    eventBytes: bytesOf(events),
    commits,
    isContinued,
    isOpen,
    to,
    asOf,
    beganAtMs,
  };
  seen.batches.push(noted);
  return noted;
}

/** What must hold of every batch, whatever the case. */
function assertPromises(batch: ChangeBatch, { from, batches, transactions: before }: Seen): void {
  const { events, transactions, isContinued, isOpen, removals, to, beganAtMs } = batch;
  const { count, commits } = transactions;
  const last = batches.at(-1);
  assert.equal(
    isContinued,
    last?.isOpen ?? false,
    'an open transaction goes on in the next batch, and no other',
  );
  const sum = transactions.events.subarray(0, count).reduce((all, own) => all + own, 0);
  assert.equal(sum, events.count, 'each event belongs to one transaction');
  if (isContinued || isOpen) assert.ok(count > 0, 'an open transaction is listed in each of its batches');
  if (isContinued)
    assert.deepEqual([count, commits[0]], [1, before.at(-1)!.commit], 'it ends with its transaction');
  const known = batches.findLast((seen) => seen.to !== null)?.to ?? from;
  let least = isContinued ? before.at(-1)!.commit : known;
  for (const [i, commit] of commits.subarray(0, count).entries()) {
    if (i > 0 || !isContinued) assert.ok(commit >= least, `a commit at ${commit} after all before ${least}`);
    least = commit + 1n;
  }
  assert.equal(to === null, isOpen, '`to` is null while a transaction is open, and only then');
  if (to !== null) assert.ok(to >= least, `all before ${to} is given, though not what lies before ${least}`);
  assert.deepEqual(removals, []);
  assert.ok(beganAtMs <= performance.now());
}

function bytesOf(events: EventBatch): number {
  let sizeBytes = 0;
  for (let row = 0; row < events.count; row += 1) {
    for (const field of ['id', 'stream', 'type', 'data', 'metadata'] as const) {
      sizeBytes += spanBytes(events, events[field], row)?.length ?? 0;
    }
  }
  return sizeBytes;
}
