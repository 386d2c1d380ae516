import type { Removal } from '../../core/change-feed.ts';
import { type BatchColumns, makeColumns } from './copy-decoder.ts';

/** What a batch of changes is gathered in: bytes as they were received, and where in them events lie. */
export interface ChangeRows {
  bytes: Uint8Array;
  view: DataView;
  columns: BatchColumns;
  events: number;
  table: TransactionRows;
  /** Transactions that were begun in it. */
  transactions: number;
  removals: Removal[];
  /** The first transaction is the rest of one that a batch before began. */
  isContinued: boolean;
  /** `performance.now()` when the first thing in it came. */
  beganAtMs: number;
}

interface TransactionRows {
  readonly capacity: number;
  readonly xids: Uint32Array;
  readonly commits: BigUint64Array;
  readonly times: BigInt64Array;
  readonly events: Uint32Array;
}

const FIRST_EVENTS = 1024;
const FIRST_TRANSACTIONS = 256;

export function makeRows(sizeBytes: number): ChangeRows {
  const bytes = new Uint8Array(sizeBytes);
  return {
    bytes,
    view: new DataView(bytes.buffer),
    columns: makeColumns(FIRST_EVENTS),
    events: 0,
    table: makeTable(FIRST_TRANSACTIONS),
    transactions: 0,
    removals: [],
    isContinued: false,
    beganAtMs: 0,
  };
}

/** Empties it for the next batch. Removals were handed out: they get a new list. */
export function clearRows(rows: ChangeRows, nowMs: number): void {
  rows.events = 0;
  rows.transactions = 0;
  rows.removals = [];
  rows.isContinued = false;
  rows.beganAtMs = nowMs;
}

/** Gives it more room; all stays where it is. */
export function enlargeRows(rows: ChangeRows, sizeBytes: number, usedBytes: number): void {
  const bytes = new Uint8Array(sizeBytes);
  bytes.set(rows.bytes.subarray(0, usedBytes));
  rows.bytes = bytes;
  rows.view = new DataView(bytes.buffer);
}

export function addTransaction(rows: ChangeRows, xid: number, commit: bigint, time: bigint): void {
  const at = rows.transactions;
  if (at === rows.table.capacity) rows.table = growTable(rows.table);
  const { table } = rows;
  table.xids[at] = xid;
  table.commits[at] = commit;
  table.times[at] = time;
  table.events[at] = 0;
  rows.transactions = at + 1;
}

function makeTable(capacity: number): TransactionRows {
  return {
    capacity,
    xids: new Uint32Array(capacity),
    commits: new BigUint64Array(capacity),
    times: new BigInt64Array(capacity),
    events: new Uint32Array(capacity),
  };
}

function growTable(from: TransactionRows): TransactionRows {
  const to = makeTable(from.capacity * 2);
  to.xids.set(from.xids);
  to.commits.set(from.commits);
  to.times.set(from.times);
  to.events.set(from.events);
  return to;
}
