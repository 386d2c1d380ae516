import type { TransactionTable } from '../../core/change-feed.ts';
import { BackupError } from '../../core/errors.ts';
import type { PolledBatch, PolledChanges } from '../../core/polled-feed.ts';
import { timeFromUnixMs } from '../../core/time.ts';
import { batchMaker } from './block-batch.ts';
import { type Block, blockCapacity, FIRST_PACE, fillBlock } from './blocks.ts';
import { rollBack } from './connection.ts';
import { isBusy, storeError } from './errors.ts';
import { fileNumber } from './feed-identity.ts';
import {
  countLost,
  countUpTo,
  dataVersion,
  type FeedRows,
  feedLost,
  idAt,
  maxRowid,
  type Place,
} from './feed-rows.ts';

/** Longer locks than this are told; shorter ones are waited for, as with any reader of SQLite. */
const MAX_BUSY_MS = 30_000;
/** Rows are counted at most this often, and for no more than a thousandth of the time. */
const COUNT_EVERY_MS = 1000;
const COUNT_SHARE = 1000;
/** With more rows than this behind the place, they would take the longer part of counting. */
const MAX_UNCOUNTED = 10_000n;

/** What a poll has found, until all of its pages were read. */
interface Poll {
  readonly last: Place;
  /** Of the view: what was committed before it is in it. */
  readonly asOf: bigint;
  /** Not before any commit that is in the view. */
  readonly time: bigint;
}

interface Following {
  readonly rows: FeedRows;
  readonly file: string | null;
  place: Place;
  /** Of the look before, with the greatest rowid that it saw. */
  seen: { readonly version: bigint; readonly rowid: bigint } | null;
  /** When the store was last looked at. */
  asOf: bigint;
  poll: Poll | null;
  /** Rows up to the place; null until they were counted. */
  count: number | null;
  countAtMs: number;
  busySinceMs: number | null;
  readonly block: Block;
}

/** Each look and each page is a read transaction of its own, so that no writer waits for longer than a page takes. */
export function pollChanges(rows: FeedRows, place: Place): PolledChanges {
  const following: Following = {
    ...{ rows, place, seen: null, poll: null, count: null, countAtMs: 0, busySinceMs: null },
    file: fileNumber(rows.config.path),
    asOf: now(),
    block: { bytes: new Uint8Array(0), used: 0, events: 0, pace: FIRST_PACE },
  };
  const makeBatch = batchMaker();
  return {
    pendingBytes: () => {
      if (following.poll !== null) return Number.POSITIVE_INFINITY;
      whenFree(following, () => look(following));
      const behind = (following.seen?.rowid ?? 0n) - following.place.rowid;
      return behind > 0n ? Number(behind) * following.block.pace.eventBytes : 0;
    },
    next: (batchBytes) => {
      const isContinued = following.poll !== null;
      const page = whenFree(following, () => inView(rows, () => readPage(following, batchBytes)));
      if (page === null) return null;
      const { block } = following;
      const events = makeBatch(block.bytes.subarray(0, block.used), block.events);
      const { last, time, asOf } = page;
      const isOpen = following.poll !== null;
      const to = isOpen ? null : following.place.rowid + 1n;
      const transactions = oneTransaction(last.rowid, time, block.events);
      return { events, transactions, isContinued, isOpen, removals: [], to, asOf };
    },
    // Asked for when the last look, at `asOf`, found no row behind the place: `look` takes the time before it asks whether anybody has
    // committed, and rows ascend with the commits. So every commit before that time is at the place or below, and a row that comes
    // behind it was committed later. Where a lock was in the way of a look, the time is still that of the one before.
    idle: (): PolledBatch => ({
      events: makeBatch(new Uint8Array(0), 0),
      transactions: NO_TRANSACTION,
      ...{ isContinued: false, isOpen: false, removals: [] },
      to: following.place.rowid + 1n,
      asOf: following.asOf,
    }),
  };
}

/** Sees what there is; cheap where no other connection has committed anything. */
function look(following: Following): void {
  const { rows, place, seen } = following;
  assertSameFile(following);
  const asOf = now();
  const version = dataVersion(rows);
  if (version !== seen?.version) {
    const rowid = inView(rows, () => {
      assertPlace(rows, place);
      return maxRowid(rows);
    });
    following.seen = { version, rowid };
  }
  following.asOf = asOf;
  if (performance.now() >= following.countAtMs) checkCount(following);
}

/** A file that was put in the place of this one is another store, or an earlier state: to be opened, and told then. */
function assertSameFile({ rows: { config }, file }: Following): void {
  if (fileNumber(config.path) === file) return;
  throw new BackupError('store_unreachable', `${config.address} has been moved, removed or replaced`, {
    hint: 'connect again',
  });
}

function assertPlace(rows: FeedRows, place: Place): void {
  if (place.id !== null && idAt(rows, place.rowid) !== place.id) throw feedLost(rows, place);
}

function checkCount(following: Following): void {
  const { rows, place, seen } = following;
  if (seen!.rowid - place.rowid > MAX_UNCOUNTED) return;
  const beganMs = performance.now();
  const found = countUpTo(rows, place.rowid);
  const expected = following.count ?? found;
  if (found !== expected) throw countLost(rows, place.rowid, expected, found);
  following.count = found;
  const tookMs = performance.now() - beganMs;
  following.countAtMs = performance.now() + Math.max(COUNT_EVERY_MS, tookMs * COUNT_SHARE);
}

/** Reads the next page of the poll under way, or of a new one, into the block. Rows behind the poll's last one are left to the next. */
function readPage(following: Following, batchBytes: number): Poll {
  const { rows, place, block } = following;
  assertPlace(rows, place);
  const poll = following.poll ?? beginPoll(rows);
  // While this row stands no number below it is given again: what lies in between is what the poll's view showed.
  assertPlace(rows, poll.last);
  if (block.bytes.length < blockCapacity(batchBytes)) block.bytes = new Uint8Array(blockCapacity(batchBytes));
  const range = {
    after: { sql: '?', value: place.rowid },
    last: { sql: '?', value: poll.last.rowid },
  } as const;
  const key = fillBlock(rows, range, batchBytes, block, rows.config.address);
  if (key === null) throw feedLost(rows, poll.last);
  const rowid = key.value as bigint;
  following.place = rowid === poll.last.rowid ? poll.last : { rowid, id: idAt(rows, rowid) };
  following.poll = rowid === poll.last.rowid ? null : poll;
  if (following.count !== null) following.count += block.events;
  return poll;
}

function beginPoll(rows: FeedRows): Poll {
  const asOf = now();
  const rowid = maxRowid(rows);
  // The clock gives milliseconds: this is the last microsecond of the one in which the view was opened.
  return { last: { rowid, id: idAt(rows, rowid) }, asOf, time: now() + 999n };
}

/** Null while another connection's lock is in the way. Throws `store_unreachable` when that takes too long. */
function whenFree<Result>(following: Following, work: () => Result): Result | null {
  const { address } = following.rows.config;
  try {
    const result = work();
    following.busySinceMs = null;
    return result;
  } catch (error) {
    if (!isBusy(error)) throw storeError(address, error);
    following.busySinceMs ??= performance.now();
    if (performance.now() - following.busySinceMs < MAX_BUSY_MS) return null;
    throw new BackupError('store_unreachable', `${address} has been locked by another process for long`, {
      hint: 'see who holds a write transaction open; what is committed meanwhile will be read afterwards',
      cause: error,
    });
  }
}

function inView<Result>(rows: FeedRows, work: () => Result): Result {
  rows.db.exec('BEGIN');
  try {
    return work();
  } finally {
    rollBack(rows.db);
  }
}

function now(): bigint {
  return timeFromUnixMs(Date.now());
}

function oneTransaction(rowid: bigint, time: bigint, events: number): TransactionTable {
  return {
    count: 1,
    xids: new Uint32Array(1),
    commits: BigUint64Array.of(rowid),
    times: BigInt64Array.of(time),
    events: Uint32Array.of(events),
  };
}

const NO_TRANSACTION: TransactionTable = {
  count: 0,
  xids: new Uint32Array(0),
  commits: new BigUint64Array(0),
  times: new BigInt64Array(0),
  events: new Uint32Array(0),
};
