import type { ChangeBatch } from '../../core/change-feed.ts';
import { type ChangeRows, clearRows, enlargeRows, makeRows } from './change-rows.ts';
import { BELIEVED_BYTES, batchOver } from './copy-decoder.ts';
import {
  broken,
  listTransaction,
  makePgoutputDecoder,
  type PgoutputDecoder,
  readChange,
} from './pgoutput-decoder.ts';

/**
 * Turns what a server sends for START_REPLICATION into batches without copying a value (its manual: "Streaming Replication
 * Protocol"): messages are received into the buffer of the batch that they will be part of.
 *
 * Bytes are received into `room`, then `received` says how many. When `isDue`, nothing more is read before `cut`. A batch is
 * cut where no transaction is open, if it can be; what came after that is read a second time, into the next batch.
 */
export interface ChangeReceiver {
  readonly decoder: PgoutputDecoder;
  readonly listener: ChangeListener;
  batchBytes: number;
  /** What is being filled, and what the next batch will be gathered in. */
  rows: ChangeRows;
  spare: ChangeRows | null;
  /** End of what was received. */
  used: number;
  /** End of the whole messages that were read; the next one starts here. */
  parsed: number;
  /** Bytes of the message at `parsed`, when it is not all there. */
  needed: number;
  /** Messages that end before this were read once already: they are not listened to again. */
  heard: number;
  /** Where the next bytes will lie. A read that waits keeps its place when the rows are exchanged. */
  armed: Uint8Array;
  /** The last place where no transaction was open. */
  readonly mark: Mark;
  /** Everything that was committed before this has come, when no transaction is open. */
  reached: bigint;
  /** The buffer is full, or a transaction that goes over several batches has ended. */
  isDue: boolean;
  /** What comes is thrown away. */
  isDiscarding: boolean;
  nowMs: number;
}

interface ChangeListener {
  /** A message that is no CopyData. */
  message(message: Buffer): void;
  /** The server wants to hear of us now. */
  replyRequested(): void;
}

interface Mark {
  parsed: number;
  events: number;
  transactions: number;
  removals: number;
  to: bigint;
}

/** A batch, and what it must give back when it was read. */
export interface CutBatch {
  readonly rows: ChangeRows;
  readonly batch: Omit<ChangeBatch, 'asOf' | 'horizon'>;
}

const MESSAGE_HEAD_BYTES = 5;
const COPY_DATA = 0x64;
const XLOG_DATA = 0x77;
const XLOG_DATA_HEAD_BYTES = 25;
const KEEPALIVE = 0x6b;
const KEEPALIVE_BYTES = 18;
const MAX_MESSAGE_BYTES = 0x7fff_ffff;
const LEAST_BUFFER_BYTES = 64;
/** The buffer counts as full when less than this part of it is free: smaller receipts are not worth their call. */
const LEAST_ROOM_SHARE = 16;
/** Room for a read that is prepared while the buffer is full. */
const OVERFLOW_BYTES = 1 << 16;
/** Of the buffer: less of an open transaction is read a second time, so that the batch ends where none is open. */
const REREAD_SHARE = 4;

export function makeReceiver(
  relation: number,
  from: bigint,
  batchBytes: number,
  listener: ChangeListener,
): ChangeReceiver {
  const size = Math.max(batchBytes, LEAST_BUFFER_BYTES);
  return {
    ...{ decoder: makePgoutputDecoder(relation, from), listener, batchBytes: size },
    ...{ rows: makeRows(size), spare: null },
    ...{ used: 0, parsed: 0, needed: 0, heard: 0 },
    armed: new Uint8Array(0),
    mark: { parsed: 0, events: 0, transactions: 0, removals: 0, to: from },
    ...{ reached: from, isDue: false, isDiscarding: false, nowMs: 0 },
  };
}

/** Changes the size of batches, also of the one that is being filled. */
export function setBatchBytes(receiver: ChangeReceiver, batchBytes: number, nowMs: number): void {
  receiver.batchBytes = Math.max(batchBytes, LEAST_BUFFER_BYTES);
  receiver.nowMs = nowMs;
  if (receiver.rows.bytes.length >= receiver.batchBytes) return;
  enlargeRows(receiver.rows, receiver.batchBytes, receiver.used);
  // A batch that was due since its buffer was full is so no longer; one that must end here is.
  if (!mustEnd(receiver)) receiver.isDue = false;
  readAll(receiver);
}

/** Where the next bytes belong; never empty. */
export function room(receiver: ChangeReceiver): Uint8Array {
  const { rows, used } = receiver;
  receiver.armed = used < rows.bytes.length ? rows.bytes.subarray(used) : new Uint8Array(OVERFLOW_BYTES);
  return receiver.armed;
}

/** Reads the `length` bytes that were put at the start of the last `room`. */
export function received(receiver: ChangeReceiver, length: number, nowMs: number): void {
  const { armed, rows, used } = receiver;
  receiver.nowMs = nowMs;
  if (armed.buffer !== rows.bytes.buffer || armed.byteOffset !== used) {
    // The rows were exchanged while the read waited.
    const bytes = armed.subarray(0, length);
    if (rows.bytes.length - used < length) enlargeRows(rows, sizeFor(receiver, used + length), used);
    rows.bytes.set(bytes, used);
  }
  receiver.used = used + length;
  readAll(receiver);
}

/** True when there is a whole transaction to give. */
export function hasWhole({ mark }: ChangeReceiver): boolean {
  return mark.transactions > 0;
}

/**
 * Takes what there is: up to the last place where no transaction is open, or, when that is far back and the buffer
 * full, all. Null when there is nothing.
 */
export function cut(receiver: ChangeReceiver): CutBatch | null {
  const { mark, parsed, rows } = receiver;
  const isNear = parsed - mark.parsed <= rows.bytes.length / REREAD_SHARE;
  if (hasWhole(receiver) && (isNear || !receiver.isDue || !isOpenListed(receiver)))
    return cutAtMark(receiver);
  return isOpenListed(receiver) ? cutOpen(receiver) : null;
}

function isOpenListed({ decoder }: ChangeReceiver): boolean {
  return decoder.transaction?.isListed === true;
}

function cutAtMark(receiver: ChangeReceiver): CutBatch {
  const { rows, mark, decoder, parsed } = receiver;
  const { events, transactions, removals, to } = mark;
  const batch = batchOf(rows, { events, transactions, to, removals });
  const heard = Math.max(parsed, receiver.heard) - mark.parsed;
  // It begins behind the mark, and is read again.
  decoder.transaction = null;
  exchange(receiver, mark.parsed, heard);
  readAll(receiver);
  return { rows, batch };
}

function cutOpen(receiver: ChangeReceiver): CutBatch {
  const { rows, decoder, parsed, heard } = receiver;
  const { events, transactions, removals } = rows;
  const batch = batchOf(rows, { events, transactions, to: null, removals: removals.length });
  exchange(receiver, parsed, Math.max(0, heard - parsed));
  decoder.transaction!.isListed = false;
  listTransaction(decoder, receiver.rows);
  receiver.rows.isContinued = true;
  readAll(receiver);
  return { rows, batch };
}

function batchOf(
  rows: ChangeRows,
  take: { events: number; transactions: number; removals: number; to: bigint | null },
): CutBatch['batch'] {
  const { table, removals, isContinued, beganAtMs } = rows;
  const { xids, commits, times, events } = table;
  return {
    events: batchOver(rows.bytes, rows.columns, take.events),
    transactions: { count: take.transactions, xids, commits, times, events },
    isContinued,
    isOpen: take.to === null,
    removals: removals.length === take.removals ? removals : removals.slice(0, take.removals),
    to: take.to,
    beganAtMs,
  };
}

/** A batch without anything, up to what has come. Only where no transaction is open. */
export function emptyBatch(receiver: ChangeReceiver, to: bigint): CutBatch['batch'] {
  const { rows, nowMs } = receiver;
  const batch = batchOf(rows, { events: 0, transactions: 0, removals: 0, to });
  return { ...batch, isContinued: false, beganAtMs: nowMs };
}

/** Takes back what a batch was made of. */
export function giveBack(receiver: ChangeReceiver, rows: ChangeRows): void {
  if (rows.bytes.length === receiver.batchBytes) receiver.spare = rows;
}

/** From now on what comes is thrown away, but for messages that are no CopyData. */
export function discard(receiver: ChangeReceiver): void {
  receiver.isDiscarding = true;
  receiver.rows.transactions = 0;
  receiver.isDue = false;
  readAll(receiver);
}

/** Goes on in other rows with what comes behind `restStart`, so that the batch just cut stays as it is. */
function exchange(receiver: ChangeReceiver, restStart: number, heard: number): void {
  const { rows, used, spare, batchBytes, mark } = receiver;
  const rest = rows.bytes.subarray(restStart, used);
  const isFitting = spare !== null && spare.bytes.length === batchBytes && rest.length < batchBytes;
  const next = isFitting ? spare : makeRows(sizeFor(receiver, rest.length));
  clearRows(next, receiver.nowMs);
  next.bytes.set(rest);
  receiver.spare = null;
  receiver.rows = next;
  receiver.used = rest.length;
  receiver.parsed = 0;
  receiver.heard = heard;
  receiver.isDue = false;
  Object.assign(mark, { parsed: 0, events: 0, transactions: 0, removals: 0 });
}

function readAll(receiver: ChangeReceiver): void {
  if (receiver.rows.transactions === 0) receiver.rows.beganAtMs = receiver.nowMs;
  while (!receiver.isDue && readMessage(receiver));
  if (receiver.isDue) return;
  const { rows } = receiver;
  if (rows.transactions === 0) dropRead(receiver);
  if (!isFull(rows, receiver.used)) return;
  if (receiver.parsed > 0) receiver.isDue = true;
  // A message that is larger than the buffer, with nothing to give before it.
  else enlargeRows(rows, sizeFor(receiver, Math.max(believedBytes(receiver), receiver.used)), receiver.used);
}

/** Of a message that is not all there, as much as it is given room for. */
function believedBytes({ needed, used }: ChangeReceiver): number {
  return Math.min(needed, Math.max(BELIEVED_BYTES, used * 2));
}

function sizeFor({ batchBytes }: ChangeReceiver, bytes: number): number {
  return Math.max(batchBytes, bytes + Math.ceil(Math.max(bytes, batchBytes) / (LEAST_ROOM_SHARE / 2)));
}

function isFull(rows: ChangeRows, used: number): boolean {
  const free = rows.bytes.length - used;
  return free * LEAST_ROOM_SHARE < rows.bytes.length || free === 0;
}

/** Nothing of what was read is part of a batch: its place is free again. */
function dropRead(receiver: ChangeReceiver): void {
  const { rows, used, parsed, mark, heard } = receiver;
  if (parsed === 0) return;
  rows.bytes.copyWithin(0, parsed, used);
  receiver.used = used - parsed;
  receiver.parsed = 0;
  receiver.heard = Math.max(0, heard - parsed);
  mark.parsed = 0;
}

/** Reads one message when it is there as a whole. */
function readMessage(receiver: ChangeReceiver): boolean {
  const { rows, used, parsed } = receiver;
  receiver.needed = MESSAGE_HEAD_BYTES;
  if (used - parsed < MESSAGE_HEAD_BYTES) return false;
  const sizeBytes = 1 + rows.view.getUint32(parsed + 1);
  if (sizeBytes < MESSAGE_HEAD_BYTES || sizeBytes > MAX_MESSAGE_BYTES) {
    throw broken(`a message of ${sizeBytes} bytes`);
  }
  receiver.needed = sizeBytes;
  if (used - parsed < sizeBytes) return false;
  const end = parsed + sizeBytes;
  receiver.parsed = end;
  receiver.needed = 0;
  if (rows.bytes[parsed] === COPY_DATA) {
    if (!receiver.isDiscarding) readCopyData(receiver, parsed + MESSAGE_HEAD_BYTES, end);
  } else if (end > receiver.heard) {
    receiver.listener.message(Buffer.copyBytesFrom(rows.bytes, parsed, sizeBytes));
  }
  return true;
}

function readCopyData(receiver: ChangeReceiver, start: number, end: number): void {
  const { rows, decoder } = receiver;
  const kind = start < end ? rows.bytes[start] : -1;
  if (kind === XLOG_DATA && end - start >= XLOG_DATA_HEAD_BYTES) {
    const commit = decoder.transaction?.commit ?? 0n;
    if (readChange(decoder, rows, start + XLOG_DATA_HEAD_BYTES, end)) endTransaction(receiver, commit);
  } else if (kind === KEEPALIVE && end - start === KEEPALIVE_BYTES) {
    readKeepalive(receiver, start, end);
  } else {
    throw broken(`a message of kind ${kind} in ${end - start} bytes`);
  }
}

function endTransaction(receiver: ChangeReceiver, commit: bigint): void {
  const { mark, decoder } = receiver;
  if (commit >= mark.to) mark.to = commit + 1n;
  if (decoder.endOfCommit > receiver.reached) receiver.reached = decoder.endOfCommit;
  moveMark(receiver);
  if (mustEnd(receiver)) receiver.isDue = true;
}

/** A batch that began inside a transaction ends with it. */
function mustEnd({ rows, mark }: ChangeReceiver): boolean {
  return rows.isContinued && mark.transactions > 0;
}

/** All that was committed before the `walEnd` of a keepalive was sent before it, but for a transaction that is open. */
function readKeepalive(receiver: ChangeReceiver, start: number, end: number): void {
  const { rows, decoder } = receiver;
  if (decoder.transaction === null) {
    const walEnd = rows.view.getBigUint64(start + 1);
    if (walEnd > receiver.reached) receiver.reached = walEnd;
    moveMark(receiver);
  }
  if (rows.bytes[start + 17] === 1 && end > receiver.heard) receiver.listener.replyRequested();
}

function moveMark({ mark, rows, parsed }: ChangeReceiver): void {
  mark.parsed = parsed;
  mark.events = rows.events;
  mark.transactions = rows.transactions;
  mark.removals = rows.removals.length;
}
