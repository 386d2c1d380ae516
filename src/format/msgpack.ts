import { type EventBatch, NULL_LENGTH, type Spans } from '../core/event-batch.ts';
import { type ByteSource, byteSource } from './byte-source.ts';
import {
  type ByteWriter,
  clearWriter,
  copySpan,
  makeByteWriter,
  reserve,
  writeLiteral,
  writtenBytes,
} from './byte-writer.ts';
import { LONGEST_KEY_BYTES, MAP_KEYS, MAP_WITH_TIME_TEXT, MSGPACK, USUAL_MAP } from './msgpack-keys.ts';
import { type DayCache, makeDayCache, writeRecordedAt } from './recorded-at.ts';
import { timeWords } from './time-words.ts';
import { isUtf8 } from './utf8.ts';
import { UUID_TEXT_BYTES, writeUuid } from './uuid-text.ts';

const TWO_POW_32 = 0x1_0000_0000;
/** The first byte and the length of any value but the bytes of text. */
const LONGEST_HEAD_BYTES = 9;
/** What a map adds to an event's own bytes, mostly. */
const USUAL_ROW_BYTES = 160;

/**
 * Encodes batches as MessagePack (FORMAT.md): one map an event, one behind the other. Text is str, or bin where it is
 * not UTF-8; numbers and lengths take their shortest form.
 */
export function makeMsgpackEncoder(): (batch: EventBatch) => Uint8Array {
  const out = makeByteWriter();
  const days = makeDayCache();
  return (batch) => {
    clearWriter(out, batch.bytes.length + batch.count * USUAL_ROW_BYTES);
    const source = byteSource(batch.bytes);
    const words = timeWords(batch.times);
    for (let row = 0; row < batch.count; row += 1) writeMap(out, days, source, batch, words, row);
    return writtenBytes(out);
  };
}

function writeMap(
  out: ByteWriter,
  days: DayCache,
  source: ByteSource,
  batch: EventBatch,
  words: Int32Array,
  row: number,
): void {
  const timeText = batch.timeTexts?.get(row);
  writeByte(out, timeText === undefined ? USUAL_MAP : MAP_WITH_TIME_TEXT);
  writeId(out, source, batch, row);
  writeField(out, source, batch.stream, row, MAP_KEYS.stream);
  writeKey(out, MAP_KEYS.version);
  writeInteger(out, batch.versions[row]!);
  writeField(out, source, batch.type, row, MAP_KEYS.type);
  writeKey(out, MAP_KEYS.recordedAt);
  writeTime(out, days, batch.times, words, row);
  if (timeText !== undefined) {
    writeKey(out, MAP_KEYS.recordedAtText);
    writeText(out, byteSource(timeText), 0, timeText.length);
  }
  writeField(out, source, batch.metadata, row, MAP_KEYS.metadata);
  writeField(out, source, batch.data, row, MAP_KEYS.data);
}

function writeByte(out: ByteWriter, byte: number): void {
  reserve(out, 1);
  out.bytes[out.at] = byte;
  out.at += 1;
}

/** Also makes room for the head of the value. */
function writeKey(out: ByteWriter, key: Buffer): void {
  reserve(out, LONGEST_KEY_BYTES + LONGEST_HEAD_BYTES);
  writeLiteral(out, key);
}

function writeId(out: ByteWriter, source: ByteSource, batch: EventBatch, row: number): void {
  if (batch.idKind === 'text') {
    writeField(out, source, batch.id, row, MAP_KEYS.id);
    return;
  }
  writeKey(out, MAP_KEYS.id);
  reserve(out, LONGEST_HEAD_BYTES + UUID_TEXT_BYTES);
  writeHead(out, MSGPACK.str8, UUID_TEXT_BYTES, 1);
  writeUuid(out, source.bytes, batch.id.starts[row]!);
}

function writeField(out: ByteWriter, source: ByteSource, spans: Spans, row: number, key: Buffer): void {
  writeKey(out, key);
  const length = spans.lengths[row]!;
  if (length === NULL_LENGTH) {
    writeByte(out, MSGPACK.nil);
    return;
  }
  const start = spans.starts[row]!;
  writeText(out, source, start, start + length);
}

function writeText(out: ByteWriter, source: ByteSource, start: number, end: number): void {
  const length = end - start;
  reserve(out, LONGEST_HEAD_BYTES + length);
  if (isUtf8(source, start, end)) writeStringHead(out, length);
  else writeBinaryHead(out, length);
  copySpan(out, source.bytes, start, length);
}

function writeStringHead(out: ByteWriter, length: number): void {
  if (length < 32) writeByte(out, MSGPACK.fixStr | length);
  else if (length <= 0xff) writeHead(out, MSGPACK.str8, length, 1);
  else if (length <= 0xffff) writeHead(out, MSGPACK.str16, length, 2);
  else writeHead(out, MSGPACK.str32, length, 4);
}

function writeBinaryHead(out: ByteWriter, length: number): void {
  if (length <= 0xff) writeHead(out, MSGPACK.bin8, length, 1);
  else if (length <= 0xffff) writeHead(out, MSGPACK.bin16, length, 2);
  else writeHead(out, MSGPACK.bin32, length, 4);
}

/** A type's byte and a number behind it, big-endian; a negative one as two's complement. */
function writeHead(out: ByteWriter, type: number, value: number, sizeBytes: 1 | 2 | 4): void {
  const { bytes, at } = out;
  bytes[at] = type;
  for (let i = 0; i < sizeBytes; i += 1) bytes[at + sizeBytes - i] = value >> (i * 8);
  out.at = at + 1 + sizeBytes;
}

function writeInteger(out: ByteWriter, value: number): void {
  if (value >= 0) writeUnsigned(out, value);
  else writeNegative(out, value);
}

function writeUnsigned(out: ByteWriter, value: number): void {
  if (value < 0x80) writeByte(out, value);
  else if (value <= 0xff) writeHead(out, MSGPACK.uint8, value, 1);
  else if (value <= 0xffff) writeHead(out, MSGPACK.uint16, value, 2);
  else if (value < TWO_POW_32) writeHead(out, MSGPACK.uint32, value, 4);
  else writeWords(out, MSGPACK.uint64, value);
}

function writeNegative(out: ByteWriter, value: number): void {
  if (value >= -0x20) writeByte(out, value & 0xff);
  else if (value >= -0x80) writeHead(out, MSGPACK.int8, value, 1);
  else if (value >= -0x8000) writeHead(out, MSGPACK.int16, value, 2);
  else if (value >= -0x8000_0000) writeHead(out, MSGPACK.int32, value, 4);
  else writeWords(out, MSGPACK.int64, value);
}

function writeWords(out: ByteWriter, type: number, value: number): void {
  writeHead(out, type, Math.floor(value / TWO_POW_32), 4);
  out.bytes.writeUInt32BE(value >>> 0, out.at);
  out.at += 4;
}

/** The length is known only once the time is written, but always below 32: its head is one byte. */
function writeTime(
  out: ByteWriter,
  days: DayCache,
  times: BigInt64Array,
  words: Int32Array,
  row: number,
): void {
  const headAt = out.at;
  out.at += 1;
  writeRecordedAt(out, days, times, words, row);
  out.bytes[headAt] = MSGPACK.fixStr | (out.at - headAt - 1);
}
