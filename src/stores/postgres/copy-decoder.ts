import { BackupError } from '../../core/errors.ts';
import { type EventBatch, MAX_VERSION, makeSpans, NULL_LENGTH, type Spans } from '../../core/event-batch.ts';

/**
 * Turns what a server sends for a binary COPY into batches without copying a value: messages are received into one
 * buffer, and a batch says where in it each value lies. (PostgreSQL's manual: "Message Formats", and COPY, "Binary
 * Format". CopyData comes as one message a row; the header may stand before the first row in its message.)
 *
 * Bytes are received into `room`, then `received` says how many. It gives a batch when the buffer is full of rows; the
 * batch is valid until `received` is called again. Other messages than CopyData are handed to `forward`.
 */
export interface CopyDecoder {
  /** Size of the buffer but for rows that are larger. */
  readonly batchBytes: number;
  /** Rows end with their place in the table, its ctid. */
  readonly hasPlaces: boolean;
  readonly forward: (message: Buffer) => void;
  bytes: Uint8Array;
  view: DataView;
  /** The buffer of the batch before. */
  spare: Uint8Array | null;
  /** End of what was received. */
  used: number;
  /** End of the whole messages; the next one starts here. */
  parsed: number;
  rows: number;
  /** Bytes of the message at `parsed`, when it is known and not all there. */
  needed: number;
  stage: 'header' | 'rows' | 'ended';
  columns: BatchColumns;
}

/** A batch, and of each row the block of the table that holds it; no blocks where rows came without their places. */
export interface CopyBatch extends EventBatch {
  readonly blocks: Uint32Array;
}

export interface BatchColumns {
  readonly capacity: number;
  readonly blocks: Uint32Array;
  readonly id: Spans;
  readonly stream: Spans;
  readonly type: Spans;
  readonly data: Spans;
  readonly metadata: Spans;
  readonly versions: Float64Array;
  readonly times: BigInt64Array;
}

const SIGNATURE = Uint8Array.from([0x50, 0x47, 0x43, 0x4f, 0x50, 0x59, 0x0a, 0xff, 0x0d, 0x0a, 0x00]);
/** Signature, flags, length of the header extension. */
const HEADER_BYTES = SIGNATURE.length + 8;
const FIELDS = 7;
/** Behind the others, where it was asked for. */
const PLACE = 7;
const ID = 0;
const STREAM = 1;
const VERSION = 2;
const TYPE = 3;
const DATA = 4;
const METADATA = 5;
const TIME = 6;
const UUID_BYTES = 16;
const INT8_BYTES = 8;
/** The number of the block, then two bytes for the place in it. */
const TID_BYTES = 6;
/** Stands before the text of every jsonb value; PostgreSQL knows only 1. */
const JSONB_VERSION = 1;
/** Spans have 32 bits, and PostgreSQL sends no row of more than about 1 GiB. */
const MAX_MESSAGE_BYTES = 0x7fff_ffff;
/** A message's type, then its length without the type. */
const MESSAGE_HEAD_BYTES = 5;
const COPY_DATA = 0x64;
const LEAST_BUFFER_BYTES = 64;
/** Room that is made for a message by its own word; for a longer one, twice what has come of it, again and again. */
export const BELIEVED_BYTES = 16 << 20;
/** The buffer counts as full when less than this part of it is free: smaller receipts are not worth their call. */
const LEAST_ROOM_SHARE = 16;

export function makeCopyDecoder(
  batchBytes: number,
  forward: (message: Buffer) => void = () => undefined,
  hasPlaces = false,
): CopyDecoder {
  const size = Math.max(batchBytes, LEAST_BUFFER_BYTES);
  const bytes = new Uint8Array(size);
  return {
    batchBytes: size,
    hasPlaces,
    forward,
    bytes,
    view: new DataView(bytes.buffer),
    spare: null,
    used: 0,
    parsed: 0,
    rows: 0,
    needed: 0,
    stage: 'header',
    columns: makeColumns(1024, hasPlaces),
  };
}

export function makeColumns(capacity: number, hasPlaces = false): BatchColumns {
  return {
    capacity,
    blocks: new Uint32Array(hasPlaces ? capacity : 0),
    id: makeSpans(capacity),
    stream: makeSpans(capacity),
    type: makeSpans(capacity),
    data: makeSpans(capacity),
    metadata: makeSpans(capacity),
    versions: new Float64Array(capacity),
    times: new BigInt64Array(capacity),
  };
}

/** Where the next bytes belong; never empty. */
export function room(decoder: CopyDecoder): Uint8Array {
  return decoder.bytes.subarray(decoder.used);
}

/** Reads the `length` bytes that were put at the start of `room`. Gives a batch when it is time to take one. */
export function received(decoder: CopyDecoder, length: number): CopyBatch | null {
  decoder.used += length;
  while (readMessage(decoder));
  const free = decoder.bytes.length - decoder.used;
  if (free * LEAST_ROOM_SHARE >= decoder.bytes.length && free > 0) return null;
  const batch = decoder.rows > 0 ? batchOfRows(decoder) : null;
  moveRest(decoder);
  return batch;
}

/** The rows that came after the last batch, when nothing more will come; null when there are none. */
export function lastRows(decoder: CopyDecoder): CopyBatch | null {
  return decoder.rows > 0 ? batchOfRows(decoder) : null;
}

function batchOfRows(decoder: CopyDecoder): CopyBatch {
  const { rows, bytes, columns } = decoder;
  decoder.rows = 0;
  return { ...batchOver(bytes, columns, rows), blocks: columns.blocks };
}

/** The first `count` events of the columns. */
export function batchOver(bytes: Uint8Array, columns: BatchColumns, count: number): EventBatch {
  return {
    count,
    bytes,
    idKind: 'uuid',
    id: columns.id,
    stream: columns.stream,
    type: columns.type,
    data: columns.data,
    metadata: columns.metadata,
    versions: columns.versions,
    times: columns.times,
    timeTexts: null,
    jsonIsCompact: true,
  };
}

/** Throws when the bytes did not end where a COPY ends: what was sent is then not all. */
export function requireEnd(decoder: CopyDecoder): void {
  if (decoder.stage === 'ended' && decoder.parsed === decoder.used) return;
  throw new BackupError('store_unreachable', 'the server ended a COPY before its last row', {
    hint: 'look at the server and try again',
  });
}

/** Goes on in the other buffer, so that the batch just given stays as it is; in a larger one for a larger row. */
function moveRest(decoder: CopyDecoder): void {
  const { bytes, parsed, used, batchBytes, spare, needed } = decoder;
  const rest = bytes.subarray(parsed, used);
  const isLarge = needed + batchBytes / LEAST_ROOM_SHARE > batchBytes;
  const believed = Math.min(needed, Math.max(BELIEVED_BYTES, rest.length * 2));
  const size = isLarge ? believed + batchBytes : batchBytes;
  const next = spare !== null && spare.length === size ? spare : new Uint8Array(size);
  next.set(rest);
  decoder.spare = bytes.length === batchBytes ? bytes : null;
  decoder.bytes = next;
  decoder.view = new DataView(next.buffer);
  decoder.used = rest.length;
  decoder.parsed = 0;
}

/** Reads one message when it is there as a whole. */
function readMessage(decoder: CopyDecoder): boolean {
  const { bytes, view, used, parsed } = decoder;
  decoder.needed = MESSAGE_HEAD_BYTES;
  if (used - parsed < MESSAGE_HEAD_BYTES) return false;
  const sizeBytes = 1 + view.getUint32(parsed + 1);
  if (sizeBytes < MESSAGE_HEAD_BYTES || sizeBytes > MAX_MESSAGE_BYTES) {
    throw broken(`a message of ${sizeBytes} bytes`);
  }
  decoder.needed = sizeBytes;
  if (used - parsed < sizeBytes) return false;
  const end = parsed + sizeBytes;
  decoder.parsed = end;
  decoder.needed = 0;
  if (bytes[parsed] === COPY_DATA) readRows(decoder, parsed + MESSAGE_HEAD_BYTES, end);
  else decoder.forward(Buffer.copyBytesFrom(bytes, parsed, sizeBytes));
  return true;
}

function readRows(decoder: CopyDecoder, start: number, end: number): void {
  let at = decoder.stage === 'header' ? readHeader(decoder, start, end) : start;
  while (at < end) at = readRow(decoder, at, end);
}

function readHeader(decoder: CopyDecoder, start: number, end: number): number {
  if (end - start < HEADER_BYTES) throw broken('no binary COPY signature');
  for (let i = 0; i < SIGNATURE.length; i += 1) {
    if (decoder.bytes[start + i] !== SIGNATURE[i]) throw broken('no binary COPY signature');
  }
  const flags = decoder.view.getUint32(start + SIGNATURE.length);
  const extensionBytes = decoder.view.getUint32(start + SIGNATURE.length + 4);
  if (flags !== 0 || extensionBytes !== 0) throw broken(`COPY flags ${flags}, extension ${extensionBytes}`);
  decoder.stage = 'rows';
  return start + HEADER_BYTES;
}

/** Starts and lengths of the fields of the row being read. */
const starts = new Int32Array(FIELDS + 1);
const lengths = new Int32Array(FIELDS + 1);

/** Reads the row at `at`, which must end before `end`. Gives its end. */
function readRow(decoder: CopyDecoder, at: number, end: number): number {
  const { view, hasPlaces } = decoder;
  if (decoder.stage === 'ended') throw broken('a row behind the last one');
  const fields = end - at < 2 ? 0 : view.getInt16(at);
  let next = at + 2;
  if (fields === -1) {
    decoder.stage = 'ended';
    return next;
  }
  if (fields !== (hasPlaces ? FIELDS + 1 : FIELDS)) throw broken(`a row of ${fields} fields`);
  for (let field = 0; field < fields; field += 1) {
    const length = end - next < 4 ? -2 : view.getInt32(next);
    if (length < -1 || length > end - next - 4) throw broken(`a field of ${length} bytes`);
    starts[field] = next + 4;
    lengths[field] = length;
    next += 4 + (length > 0 ? length : 0);
  }
  keepRow(decoder);
  return next;
}

function keepRow(decoder: CopyDecoder): void {
  const row = decoder.rows;
  if (row === decoder.columns.capacity) decoder.columns = growColumns(decoder.columns);
  const { columns, view } = decoder;
  if (decoder.hasPlaces) {
    requireLength(PLACE, TID_BYTES);
    columns.blocks[row] = view.getUint32(starts[PLACE]!);
  }
  requireLength(ID, UUID_BYTES);
  requireLength(VERSION, INT8_BYTES);
  requireLength(TIME, INT8_BYTES);
  keepSpan(columns.id, row, ID);
  keepSpan(columns.stream, row, STREAM);
  keepSpan(columns.type, row, TYPE);
  keepJson(decoder, columns.data, row, DATA);
  if (lengths[METADATA] === -1) columns.metadata.lengths[row] = NULL_LENGTH;
  else keepJson(decoder, columns.metadata, row, METADATA);
  columns.versions[row] = readVersion(view, starts[VERSION]!);
  columns.times[row] = view.getBigInt64(starts[TIME]!);
  decoder.rows = row + 1;
}

function requireLength(field: number, bytes: number): void {
  if (lengths[field] !== bytes) throw broken(`field ${field} of ${lengths[field]} bytes, not ${bytes}`);
}

function keepSpan(spans: Spans, row: number, field: number): void {
  const length = lengths[field]!;
  if (length < 0) throw broken(`NULL in field ${field}`);
  spans.starts[row] = starts[field]!;
  spans.lengths[row] = length;
}

function keepJson(decoder: CopyDecoder, spans: Spans, row: number, field: number): void {
  const length = lengths[field]!;
  const start = starts[field]!;
  if (length < 1) throw broken(`no jsonb in field ${field}`);
  if (decoder.bytes[start] !== JSONB_VERSION) throw broken(`jsonb of version ${decoder.bytes[start]}`);
  spans.starts[row] = start + 1;
  spans.lengths[row] = length - 1;
}

export function readVersion(view: DataView, at: number): number {
  const version = view.getInt32(at) * 0x1_0000_0000 + view.getUint32(at + 4);
  // The sum is exact up to 2^53 and never falls back below it through rounding.
  if (version >= -MAX_VERSION && version <= MAX_VERSION) return version;
  throw new BackupError('store_unsupported', `version ${view.getBigInt64(at)} is outside ±(2^53 − 1)`);
}

export function growColumns(from: BatchColumns): BatchColumns {
  const to = makeColumns(from.capacity * 2, from.blocks.length > 0);
  to.blocks.set(from.blocks);
  for (const name of ['id', 'stream', 'type', 'data', 'metadata'] as const) {
    to[name].starts.set(from[name].starts);
    to[name].lengths.set(from[name].lengths);
  }
  to.versions.set(from.versions);
  to.times.set(from.times);
  return to;
}

function broken(what: string): BackupError {
  return new BackupError('store_unsupported', `the server sent a COPY that cannot be read: ${what}`);
}
