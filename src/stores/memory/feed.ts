import { randomBytes } from 'node:crypto';
import type {
  ChangeFeed,
  FeedOptions,
  FeedSource,
  FeedState,
  TransactionTable,
} from '../../core/change-feed.ts';
import { BackupError } from '../../core/errors.ts';
import { makeAlarm, type PolledBatch, type PolledChanges, readPolled } from '../../core/polled-feed.ts';
import { timeFromUnixMs } from '../../core/time.ts';
import { eventBytes, packBatch } from './batches.ts';
import type { MemoryCommit, MemoryState } from './state.ts';

/** No alarm is missed here; this only bounds how late a change of the state by a test would be seen. */
const POLL_MS = 1000;

/** What a store knows of the feeds that are open on it. */
export interface OpenFeed {
  ring(): void;
  close(): Promise<void>;
}

/** Positions count events from 1; a commit stands where its last event does. */
export function openMemoryFeed(
  state: MemoryState,
  options: FeedOptions,
  store: { readonly now: () => number; readonly feeds: Set<OpenFeed> },
): ChangeFeed {
  const source = currentSource(state);
  assertSame(source, options);
  const from = options.resumeAt ?? BigInt(state.events.length + 1);
  const alarm = makeAlarm();
  const changes = changesOf(state, Number(from) - 1, store.now);
  let isClosed = false;
  const close = async (): Promise<void> => {
    isClosed = true;
    store.feeds.delete(open);
    alarm.ring();
  };
  const open: OpenFeed = { ring: alarm.ring, close };
  store.feeds.add(open);
  return {
    source,
    from,
    read: (readOptions) => {
      return readPolled({ changes, alarm, pollMs: POLL_MS, isClosed: () => isClosed }, readOptions);
    },
    acknowledge: async () => {},
    close,
  };
}

export function memoryFeedState(events: number, feeds: ReadonlySet<OpenFeed>): FeedState {
  return {
    position: BigInt(events + 1),
    ...{ acknowledged: null, retainedBytes: null, spareBytes: null, isRead: feeds.size > 0 },
  };
}

export function newIdentity(): string {
  return String(randomBytes(8).readBigUInt64LE());
}

function currentSource({ identity, timeline }: MemoryState): FeedSource {
  return { kind: 'memory', systemIdentifier: identity, timeline, database: 'memory', relation: 'events' };
}

function assertSame(source: FeedSource, { resumeAt, source: other }: FeedOptions): void {
  if (resumeAt === null || other === null) return;
  const isSame = source.systemIdentifier === other.systemIdentifier && source.timeline === other.timeline;
  if (!isSame) throw new BackupError('feed_lost', 'memory: is not the store that the log is of');
}

function changesOf(state: MemoryState, begin: number, now: () => number): PolledChanges {
  const { timeline } = state;
  let done = begin;
  let isOpen = false;
  return {
    pendingBytes: () => {
      if (state.timeline !== timeline)
        throw new BackupError('feed_lost', 'memory: was emptied, or restored into');
      return state.events.slice(done).reduce((sum, event) => sum + eventBytes(event), 0);
    },
    next: (batchBytes) => {
      const coming = state.commits.filter(({ end }) => end > done);
      const commits = isOpen ? coming.slice(0, 1) : coming;
      const end = pageEnd(state, commits, done, batchBytes);
      const isContinued = isOpen;
      isOpen = !commits.some((commit) => commit.end === end);
      const events = packBatch(state.events.slice(done, end));
      const transactions = tableOf(commits, done, end);
      done = end;
      const to = isOpen ? null : BigInt(end + 1);
      return { events, transactions, isContinued, isOpen, removals: [], to, asOf: timeFromUnixMs(now()) };
    },
    idle: (): PolledBatch => ({
      events: packBatch([]),
      transactions: tableOf([], done, done),
      ...{ isContinued: false, isOpen: false, removals: [] },
      to: BigInt(done + 1),
      asOf: timeFromUnixMs(now()),
    }),
  };
}

/** As many whole transactions as go into a batch; of one that does not, as many events as do, but one at least. */
function pageEnd(
  { events }: MemoryState,
  commits: readonly MemoryCommit[],
  begin: number,
  batchBytes: number,
): number {
  let whole = begin;
  let end = begin;
  let sizeBytes = 0;
  for (const commit of commits) {
    for (; end < commit.end; end += 1) {
      sizeBytes += eventBytes(events[end]!);
      if (sizeBytes > batchBytes && end > begin) return whole > begin ? whole : end;
    }
    whole = commit.end;
  }
  return whole;
}

function tableOf(commits: readonly MemoryCommit[], begin: number, end: number): TransactionTable {
  const shown = commits.filter((_, i) => (commits[i - 1]?.end ?? begin) < end);
  const counts = shown.map((commit, i) => Math.min(commit.end, end) - (shown[i - 1]?.end ?? begin));
  return {
    count: shown.length,
    xids: new Uint32Array(shown.length),
    commits: BigUint64Array.from(shown, (commit) => BigInt(commit.end)),
    times: BigInt64Array.from(shown, ({ time }) => time),
    events: Uint32Array.from(counts),
  };
}
