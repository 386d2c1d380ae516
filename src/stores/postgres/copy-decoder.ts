import { BackupError } from '../../core/errors.ts';
import { type EventBatch, MAX_VERSION, makeSpans, NULL_LENGTH, type Spans } from '../../core/event-batch.ts';

/**
 * Turns the bytes of a binary COPY of the events table into batches without copying a value: the bytes are gathered in
 * one reused buffer, and a batch says where in it each value lies. (PostgreSQL's manual, COPY, "Binary Format".)
 *
 * Bytes are offered with `offer` until `isFull`; then `takeBatch` gives what is whole, and the next `offer` moves the
 * rest to the front: that is when the batch taken before stops being valid.
 */
export interface CopyDecoder {
  /** Size of the buffer but for rows that are larger. */
  readonly batchBytes: number;
  bytes: Uint8Array;
  view: DataView;
  /** End of what was offered. */
  used: number;
  /** End of the whole rows; the next row starts here. */
  parsed: number;
  rows: number;
  /** Bytes that the row at `parsed` needs at least, as far as its lengths have been seen. */
  needed: number;
  stage: 'header' | 'rows' | 'ended';
  columns: BatchColumns;
}

interface BatchColumns {
  readonly capacity: number;
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
const ID = 0;
const STREAM = 1;
const VERSION = 2;
const TYPE = 3;
const DATA = 4;
const METADATA = 5;
const TIME = 6;
const UUID_BYTES = 16;
const INT8_BYTES = 8;
/** Stands before the text of every jsonb value; PostgreSQL knows only 1. */
const JSONB_VERSION = 1;
/** Spans have 32 bits, and PostgreSQL sends no row of more than about 1 GiB. */
const MAX_ROW_BYTES = 0x7fff_ffff;

export function makeCopyDecoder(batchBytes: number): CopyDecoder {
  const size = Math.max(batchBytes, HEADER_BYTES);
  const bytes = new Uint8Array(size);
  return {
    batchBytes: size,
    bytes,
    view: new DataView(bytes.buffer),
    used: 0,
    parsed: 0,
    rows: 0,
    needed: 0,
    stage: 'header',
    columns: makeColumns(1024),
  };
}

function makeColumns(capacity: number): BatchColumns {
  return {
    capacity,
    id: makeSpans(capacity),
    stream: makeSpans(capacity),
    type: makeSpans(capacity),
    data: makeSpans(capacity),
    metadata: makeSpans(capacity),
    versions: new Float64Array(capacity),
    times: new BigInt64Array(capacity),
  };
}

/** Takes as much of `chunk` from `from` as has room and returns how much that was. */
export function offer(decoder: CopyDecoder, chunk: Uint8Array, from: number): number {
  makeRoom(decoder);
  const length = Math.min(chunk.length - from, decoder.bytes.length - decoder.used);
  decoder.bytes.set(chunk.subarray(from, from + length), decoder.used);
  decoder.used += length;
  if (decoder.stage === 'header') readHeader(decoder);
  while (decoder.stage === 'rows' && readRow(decoder));
  return length;
}

/** True when no more bytes can be offered before the batch is taken. */
export function isFull(decoder: CopyDecoder): boolean {
  return decoder.rows > 0 && decoder.used === decoder.bytes.length;
}

/** The whole rows so far. Valid until the next `offer`. */
export function takeBatch(decoder: CopyDecoder): EventBatch {
  const { rows, bytes, columns } = decoder;
  decoder.rows = 0;
  return {
    count: rows,
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
  if (decoder.stage === 'ended') return;
  throw new BackupError('store_unreachable', 'the server ended a COPY before its last row', {
    hint: 'look at the server and try again',
  });
}

/** When the buffer is full of rows that were taken, drops them; when one row fills it, grows it. */
function makeRoom(decoder: CopyDecoder): void {
  if (decoder.rows > 0 || decoder.used < decoder.bytes.length) return;
  const rest = decoder.bytes.subarray(decoder.parsed, decoder.used);
  const size = nextSize(decoder, rest.length);
  if (size === decoder.bytes.length) {
    decoder.bytes.copyWithin(0, decoder.parsed, decoder.used);
  } else {
    decoder.bytes = new Uint8Array(size);
    decoder.view = new DataView(decoder.bytes.buffer);
    decoder.bytes.set(rest);
  }
  decoder.used = rest.length;
  decoder.parsed = 0;
}

function nextSize(decoder: CopyDecoder, restBytes: number): number {
  const { batchBytes, parsed, needed, bytes } = decoder;
  // A buffer that one large row made grow shrinks again behind it.
  if (parsed > 0) return restBytes < batchBytes ? batchBytes : bytes.length;
  if (bytes.length === MAX_ROW_BYTES) throw broken(`a row of more than ${MAX_ROW_BYTES} bytes`);
  // With room behind what is known of the row, so that its last fields do not make the buffer grow again.
  return Math.min(Math.max(needed, bytes.length) + batchBytes, MAX_ROW_BYTES);
}

function readHeader(decoder: CopyDecoder): void {
  if (decoder.used < HEADER_BYTES) return;
  for (let i = 0; i < SIGNATURE.length; i += 1) {
    if (decoder.bytes[i] !== SIGNATURE[i]) throw broken('no binary COPY signature');
  }
  const flags = decoder.view.getUint32(SIGNATURE.length);
  const extensionBytes = decoder.view.getUint32(SIGNATURE.length + 4);
  if (flags !== 0 || extensionBytes !== 0) throw broken(`COPY flags ${flags}, extension ${extensionBytes}`);
  decoder.parsed = HEADER_BYTES;
  decoder.stage = 'rows';
}

/** Starts and lengths of the fields of the row being read. */
const starts = new Int32Array(FIELDS);
const lengths = new Int32Array(FIELDS);

/** Reads one row when it is there as a whole. */
function readRow(decoder: CopyDecoder): boolean {
  const { view, used, parsed } = decoder;
  if (used - parsed < 2) return false;
  const fields = view.getInt16(parsed);
  if (fields === -1) {
    decoder.parsed = parsed + 2;
    decoder.stage = 'ended';
    return false;
  }
  if (fields !== FIELDS) throw broken(`a row of ${fields} fields`);
  let at = parsed + 2;
  for (let field = 0; field < FIELDS; field += 1) {
    if (used - at < 4) return false;
    const length = view.getInt32(at);
    if (length < -1) throw broken(`a field of ${length} bytes`);
    starts[field] = at + 4;
    lengths[field] = length;
    at += 4 + Math.max(length, 0);
    if (at > used) {
      decoder.needed = at - parsed;
      return false;
    }
  }
  keepRow(decoder);
  decoder.parsed = at;
  return true;
}

function keepRow(decoder: CopyDecoder): void {
  const row = decoder.rows;
  if (row === decoder.columns.capacity) decoder.columns = growColumns(decoder.columns);
  const { columns, view } = decoder;
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

function readVersion(view: DataView, at: number): number {
  const version = view.getInt32(at) * 0x1_0000_0000 + view.getUint32(at + 4);
  // The sum is exact up to 2^53 and never falls back below it through rounding.
  if (version >= -MAX_VERSION && version <= MAX_VERSION) return version;
  throw new BackupError('store_unsupported', `version ${view.getBigInt64(at)} is outside ±(2^53 − 1)`);
}

function growColumns(from: BatchColumns): BatchColumns {
  const to = makeColumns(from.capacity * 2);
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
