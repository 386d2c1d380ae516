import { type EventBatch, NULL_LENGTH, type Spans } from '../core/event-batch.ts';
import type { ChunkFormat } from '../core/manifest.ts';
import { parseUuid, UUID_BYTES } from '../core/uuid-text.ts';
import { type ByteSource, byteSource } from './byte-source.ts';
import {
  type ByteWriter,
  clearWriter,
  copySpan,
  makeByteWriter,
  reserve,
  writtenBytes,
} from './byte-writer.ts';
import { batchOf, type DecodedRows, growRows, makeDecodedRows } from './decoded-rows.ts';
import { type DayCache, makeDayCache } from './recorded-at.ts';
import { timeWords } from './time-words.ts';
import { UUID_TEXT_BYTES } from './uuid-text.ts';

/**
 * What the decoders of `jsonl` and `msgpack` have in common: rows are read one after the other; a value stays where
 * it lies in the chunk, and one that is not there as it was in the store (escaped, base64, a UUID's 16 bytes) is
 * spilled behind the chunk.
 */
export interface RowDecoder {
  readonly format: ChunkFormat;
  source: ByteSource;
  at: number;
  count: number;
  readonly rows: DecodedRows;
  timeWords: Int32Array;
  readonly days: DayCache;
  readonly spill: ByteWriter;
  readonly joined: ByteWriter;
  timeTexts: Map<number, Uint8Array> | null;
  jsonIsCompact: boolean;
}

const FIRST_ROWS = 1024;

export function makeRowDecoder(format: ChunkFormat): RowDecoder {
  const rows = makeDecodedRows(FIRST_ROWS);
  return {
    format,
    source: byteSource(new Uint8Array(0)),
    at: 0,
    count: 0,
    rows,
    timeWords: timeWords(rows.times),
    days: makeDayCache(),
    spill: makeByteWriter(),
    joined: makeByteWriter(),
    timeTexts: null,
    jsonIsCompact: false,
  };
}

/** Reads rows with `readRow` until the chunk ends. */
export function decodeRows(
  decoder: RowDecoder,
  plain: Uint8Array,
  readRow: (decoder: RowDecoder, row: number) => void,
  jsonIsCompact: boolean,
): EventBatch {
  decoder.source = byteSource(plain);
  decoder.at = 0;
  decoder.count = 0;
  decoder.timeTexts = null;
  decoder.jsonIsCompact = jsonIsCompact;
  clearWriter(decoder.spill);
  while (decoder.at < plain.length) {
    if (decoder.count === decoder.rows.capacity) growDecoder(decoder);
    readRow(decoder, decoder.count);
    decoder.count += 1;
  }
  const idKind = spillUuids(decoder) ? 'uuid' : 'text';
  const { rows, count, timeTexts } = decoder;
  return batchOf(rows, count, {
    bytes: joinSpill(decoder),
    idKind,
    timeTexts,
    jsonIsCompact: decoder.jsonIsCompact,
  });
}

function growDecoder(decoder: RowDecoder): void {
  growRows(decoder.rows, decoder.rows.capacity * 2);
  decoder.timeWords = timeWords(decoder.rows.times);
}

/** Ids that are all canonical UUIDs become 16 bytes each; true when they did. */
function spillUuids({ source, rows, count, spill }: RowDecoder): boolean {
  const first = spill.at;
  if (!parseAll(source.bytes, rows.id, count, spill)) {
    spill.at = first;
    return false;
  }
  for (let row = 0; row < count; row += 1) {
    rows.id.starts[row] = source.bytes.length + first + row * UUID_BYTES;
    rows.id.lengths[row] = UUID_BYTES;
  }
  return true;
}

function parseAll(bytes: Buffer, id: Spans, count: number, spill: ByteWriter): boolean {
  for (let row = 0; row < count; row += 1) {
    const start = id.starts[row]!;
    // A spilled id was escaped or base64, which canonical UUIDs never are.
    if (id.lengths[row] !== UUID_TEXT_BYTES || start >= bytes.length) return false;
    reserve(spill, UUID_BYTES);
    if (!parseUuid(bytes, start, UUID_TEXT_BYTES, spill.bytes, spill.at)) return false;
    spill.at += UUID_BYTES;
  }
  return true;
}

/** The chunk itself when nothing was spilled. */
function joinSpill({ source, spill, joined }: RowDecoder): Uint8Array {
  if (spill.at === 0) return source.bytes;
  clearWriter(joined, source.bytes.length + spill.at);
  copySpan(joined, source.bytes, 0, source.bytes.length);
  copySpan(joined, spill.bytes, 0, spill.at);
  return writtenBytes(joined);
}

/** Puts a field at a place in the chunk. */
export function setSpan(spans: Spans, row: number, start: number, end: number): void {
  spans.starts[row] = start;
  spans.lengths[row] = end - start;
}

/** Puts a field at what was spilled since `from`. */
export function setSpilled(decoder: RowDecoder, spans: Spans, row: number, from: number): void {
  spans.starts[row] = decoder.source.bytes.length + from;
  spans.lengths[row] = decoder.spill.at - from;
}

export function setNull(spans: Spans, row: number): void {
  spans.starts[row] = 0;
  spans.lengths[row] = NULL_LENGTH;
}

/** Where a field that was just read lies: in the chunk, or spilled. */
export function fieldBytes(
  { source, spill }: RowDecoder,
  spans: Spans,
  row: number,
): { bytes: Buffer; start: number } {
  const start = spans.starts[row]!;
  const isSpilled = start >= source.bytes.length;
  return isSpilled
    ? { bytes: spill.bytes, start: start - source.bytes.length }
    : { bytes: source.bytes, start };
}

/** Keeps a copy of a time text, since what was spilled may still move. */
export function setTimeText(decoder: RowDecoder, row: number, span: Spans): void {
  const { bytes, start } = fieldBytes(decoder, span, 0);
  decoder.timeTexts ??= new Map();
  decoder.timeTexts.set(row, Uint8Array.prototype.slice.call(bytes, start, start + span.lengths[0]!));
}
