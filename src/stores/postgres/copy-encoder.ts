import { BackupError } from '../../core/errors.ts';
import { type EventBatch, NULL_LENGTH, type Spans, spanBytes } from '../../core/event-batch.ts';
import { parseTime } from '../../core/time.ts';
import { formatUuid, parseUuid } from '../../core/uuid-text.ts';

/**
 * Writes events as rows of a binary COPY (PostgreSQL's manual, COPY, "Binary Format"), in chunks of whole rows. A
 * chunk is not written to again between being taken and being given back, so it can be sent without copying and read
 * again to name the row that the server refused.
 */
export interface CopyEncoder {
  chunk: Buffer;
  view: DataView;
  used: number;
  /** Rows before the first one of the open chunk. */
  rowsBefore: number;
  rows: number;
  /** Memory of chunks that were given back. */
  readonly spare: ArrayBuffer[];
}

export interface CopyChunk {
  readonly bytes: Buffer;
  /** Number of its first row in the COPY, from 0. */
  readonly firstRow: number;
  readonly rows: number;
}

export const COPY_HEADER = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');
export const COPY_TRAILER = Buffer.from([0xff, 0xff]);

const CHUNK_BYTES = 256 * 1024;
/** PostgreSQL takes no message of 1 GiB or more. */
const MAX_ROW_BYTES = 0x3fff_0000;
const FIELDS = 7;
const UUID_BYTES = 16;
const INT8_BYTES = 8;
const JSONB_VERSION = 1;
/** Field count, lengths, id, version, time, and the two bytes before the jsonb texts. */
const FIXED_ROW_BYTES = 2 + FIELDS * 4 + UUID_BYTES + INT8_BYTES * 2 + 2;

export function makeCopyEncoder(): CopyEncoder {
  const encoder = {
    chunk: Buffer.alloc(0),
    view: new DataView(new ArrayBuffer(0)),
    used: 0,
    rowsBefore: 0,
    rows: 0,
    spare: [],
  };
  startChunk(encoder, CHUNK_BYTES);
  return encoder;
}

function startChunk(encoder: CopyEncoder, size: number): void {
  const spare = size === CHUNK_BYTES ? encoder.spare.pop() : undefined;
  // Not from the shared pool: a chunk is kept for a while.
  const memory = spare ?? new ArrayBuffer(size);
  encoder.chunk = Buffer.from(memory);
  encoder.view = new DataView(memory);
  encoder.used = 0;
  encoder.rows = 0;
}

/**
 * Takes back the memory of a chunk that nobody looks at any more. It is used for the next one: fresh memory costs more
 * to get than to fill. That of larger chunks is freed at once: the collector would let hundreds of MiB of such buffers
 * stand.
 */
export function giveBack(encoder: CopyEncoder, { bytes }: CopyChunk): void {
  const memory = bytes.buffer as ArrayBuffer;
  if (memory.byteLength === CHUNK_BYTES) encoder.spare.push(memory);
  else memory.transfer(0);
}

/**
 * Adds one event of a batch; `batchBuffer` is the batch's bytes as a Buffer. Returns the chunk that was full before it,
 * or null. Throws `value_not_storable`.
 */
export function encodeRow(
  encoder: CopyEncoder,
  batch: EventBatch,
  batchBuffer: Buffer,
  row: number,
): CopyChunk | null {
  const size = FIXED_ROW_BYTES + variableBytes(batch, row);
  if (size > MAX_ROW_BYTES)
    throw notStorable(batch, row, `it has ${size} bytes, PostgreSQL takes up to 1 GiB`);
  let full: CopyChunk | null = null;
  if (encoder.used + size > encoder.chunk.length) full = takeChunk(encoder, Math.max(size, CHUNK_BYTES));
  writeRow(encoder, batch, batchBuffer, row);
  encoder.rows += 1;
  return full;
}

/** The rows encoded since the last chunk; null when there are none. The next chunk has room for `nextSize` bytes. */
export function takeChunk(encoder: CopyEncoder, nextSize = CHUNK_BYTES): CopyChunk | null {
  const { rows, rowsBefore: firstRow } = encoder;
  const bytes = encoder.chunk.subarray(0, encoder.used);
  encoder.rowsBefore += rows;
  startChunk(encoder, nextSize);
  return rows === 0 ? null : { bytes, firstRow, rows };
}

function variableBytes(batch: EventBatch, row: number): number {
  const total =
    requiredLength(batch, row, batch.stream, 'stream id') +
    requiredLength(batch, row, batch.type, 'type') +
    requiredLength(batch, row, batch.data, 'data') +
    requiredLength(batch, row, batch.metadata, 'metadata');
  return total;
}

function requiredLength(batch: EventBatch, row: number, spans: Spans, name: string): number {
  const length = spans.lengths[row]!;
  if (length === NULL_LENGTH) throw notStorable(batch, row, `its ${name} is NULL`);
  return length;
}

function writeRow(encoder: CopyEncoder, batch: EventBatch, from: Buffer, row: number): void {
  const { view } = encoder;
  view.setInt16(encoder.used, FIELDS);
  encoder.used += 2;
  writeId(encoder, batch, row);
  writeText(encoder, batch.stream, from, row);
  writeVersion(encoder, batch.versions[row]!);
  writeText(encoder, batch.type, from, row);
  writeJson(encoder, batch.data, from, row);
  writeJson(encoder, batch.metadata, from, row);
  view.setInt32(encoder.used, INT8_BYTES);
  view.setBigInt64(encoder.used + 4, timeOf(batch, row));
  encoder.used += 4 + INT8_BYTES;
}

function writeId(encoder: CopyEncoder, batch: EventBatch, row: number): void {
  const start = batch.id.starts[row]!;
  const length = batch.id.lengths[row]!;
  const to = encoder.used + 4;
  encoder.view.setInt32(encoder.used, UUID_BYTES);
  if (batch.idKind === 'uuid') {
    for (let i = 0; i < UUID_BYTES; i += 1) encoder.chunk[to + i] = batch.bytes[start + i]!;
  } else if (length === NULL_LENGTH || !parseUuid(batch.bytes, start, length, encoder.chunk, to)) {
    writeOtherId(encoder, batch, row, to);
  }
  encoder.used = to + UUID_BYTES;
}

/** Upper-case UUID text is the same id; PostgreSQL gives it back in lower case. */
function writeOtherId(encoder: CopyEncoder, batch: EventBatch, row: number, to: number): void {
  const text = Buffer.from(spanBytes(batch, batch.id, row) ?? []).toString('latin1');
  const lower = Buffer.from(text.toLowerCase(), 'latin1');
  if (!parseUuid(lower, 0, lower.length, encoder.chunk, to))
    throw notStorable(batch, row, 'its id is no UUID');
}

function writeText(encoder: CopyEncoder, spans: Spans, from: Buffer, row: number): void {
  const length = spans.lengths[row]!;
  encoder.view.setInt32(encoder.used, length);
  copyBytes(encoder, from, spans.starts[row]!, length, encoder.used + 4);
}

function writeJson(encoder: CopyEncoder, spans: Spans, from: Buffer, row: number): void {
  const length = spans.lengths[row]!;
  encoder.view.setInt32(encoder.used, length + 1);
  encoder.chunk[encoder.used + 4] = JSONB_VERSION;
  copyBytes(encoder, from, spans.starts[row]!, length, encoder.used + 5);
}

function copyBytes(encoder: CopyEncoder, from: Buffer, start: number, length: number, to: number): void {
  from.copy(encoder.chunk, to, start, start + length);
  encoder.used = to + length;
}

function writeVersion(encoder: CopyEncoder, version: number): void {
  const high = Math.floor(version / 0x1_0000_0000);
  encoder.view.setInt32(encoder.used, INT8_BYTES);
  encoder.view.setInt32(encoder.used + 4, high);
  encoder.view.setUint32(encoder.used + 8, version - high * 0x1_0000_0000);
  encoder.used += 4 + INT8_BYTES;
}

function timeOf(batch: EventBatch, row: number): bigint {
  const text = batch.timeTexts?.get(row);
  if (text === undefined) return batch.times[row]!;
  const time = parseTime(Buffer.from(text).toString());
  if (time === null) throw notStorable(batch, row, `its time "${Buffer.from(text).toString()}" is no time`);
  return time;
}

/** What names an event to people. */
export interface EventName {
  readonly id: string;
  readonly streamId: string;
  readonly version: string;
}

export function valueNotStorable(event: EventName, why: string, cause?: unknown): BackupError {
  return new BackupError(
    'value_not_storable',
    `event ${event.id} (stream ${JSON.stringify(event.streamId)}, version ${event.version}) cannot be stored in PostgreSQL: ${why}`,
    { hint: 'restore into a store that can hold it', facts: { ...event }, cause },
  );
}

function notStorable(batch: EventBatch, row: number, why: string): BackupError {
  return valueNotStorable(
    {
      id:
        batch.idKind === 'uuid'
          ? formatUuid(batch.bytes, batch.id.starts[row]!)
          : Buffer.from(spanBytes(batch, batch.id, row) ?? []).toString(),
      streamId: Buffer.from(spanBytes(batch, batch.stream, row) ?? []).toString(),
      version: String(batch.versions[row]!),
    },
    why,
  );
}

/** Names the event in a row of a chunk that was taken; `row` counts from the chunk's first. */
export function eventInChunk(chunk: CopyChunk, row: number): EventName {
  let at = 0;
  for (let i = 0; i < row; i += 1) at = endOfRow(chunk.bytes, at);
  const id = at + 2 + 4;
  const stream = id + UUID_BYTES + 4;
  const streamBytes = chunk.bytes.readInt32BE(stream - 4);
  return {
    id: formatUuid(chunk.bytes, id),
    streamId: chunk.bytes.toString('utf8', stream, stream + streamBytes),
    version: chunk.bytes.readBigInt64BE(stream + streamBytes + 4).toString(),
  };
}

function endOfRow(bytes: Buffer, start: number): number {
  let at = start + 2;
  for (let field = 0; field < FIELDS; field += 1) at += 4 + bytes.readInt32BE(at);
  return at;
}
