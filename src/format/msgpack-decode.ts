import { type EventBatch, makeSpans, type Spans } from '../core/event-batch.ts';
import { chunkDamage } from './chunk-damage.ts';
import { MAP_KEYS, MAP_WITH_TIME_TEXT, MSGPACK, USUAL_MAP } from './msgpack-keys.ts';
import { readRecordedAt } from './recorded-at.ts';
import { decodeRows, makeRowDecoder, type RowDecoder, setNull, setSpan, setTimeText } from './row-decoder.ts';
import { isUtf8 } from './utf8.ts';

const TWO_POW_32 = 0x1_0000_0000;

/** Decodes MessagePack chunks. Accepts exactly what the encoder writes; anything else throws `damaged`. */
export function makeMsgpackDecoder(): (plain: Uint8Array) => EventBatch {
  const decoder = makeRowDecoder('msgpack');
  return (plain) => decodeRows(decoder, plain, readMap, false);
}

function readMap(decoder: RowDecoder, row: number): void {
  const { rows, at } = decoder;
  const map = readByte(decoder);
  if (map !== USUAL_MAP && map !== MAP_WITH_TIME_TEXT) throw chunkDamage('msgpack', 'no map of an event', at);
  readKey(decoder, MAP_KEYS.id);
  readText(decoder, rows.id, row);
  readKey(decoder, MAP_KEYS.stream);
  readText(decoder, rows.stream, row);
  readKey(decoder, MAP_KEYS.version);
  rows.versions[row] = readVersion(decoder);
  readKey(decoder, MAP_KEYS.type);
  readText(decoder, rows.type, row);
  readKey(decoder, MAP_KEYS.recordedAt);
  readTime(decoder, row);
  if (map === MAP_WITH_TIME_TEXT) {
    readKey(decoder, MAP_KEYS.recordedAtText);
    readText(decoder, timeTextSpan, 0);
    setTimeText(decoder, row, timeTextSpan);
  }
  readKey(decoder, MAP_KEYS.metadata);
  readNullable(decoder, rows.metadata, row);
  readKey(decoder, MAP_KEYS.data);
  readNullable(decoder, rows.data, row);
}

const timeTextSpan = makeSpans(1);

function readKey(decoder: RowDecoder, key: Buffer): void {
  const { at } = decoder;
  const { bytes } = decoder.source;
  for (let i = 0; i < key.length; i += 1) {
    if (bytes[at + i] === key[i]) continue;
    throw chunkDamage('msgpack', `no key "${key.toString('latin1', 1)}"`, at);
  }
  decoder.at = at + key.length;
}

function readByte(decoder: RowDecoder): number {
  const { at } = decoder;
  const { bytes } = decoder.source;
  if (at >= bytes.length) throw chunkDamage('msgpack', 'it ends inside an event', at);
  decoder.at = at + 1;
  return bytes[at]!;
}

function readNullable(decoder: RowDecoder, spans: Spans, row: number): void {
  if (decoder.source.bytes[decoder.at] !== MSGPACK.nil) {
    readText(decoder, spans, row);
    return;
  }
  decoder.at += 1;
  setNull(spans, row);
}

/** Text as str, or as bin where it is not UTF-8. */
function readText(decoder: RowDecoder, spans: Spans, row: number): void {
  const start = decoder.at;
  const type = readByte(decoder);
  const isBinary = type >= MSGPACK.bin8 && type <= MSGPACK.bin32;
  const length = isBinary ? readBinaryLength(decoder, type) : readStringLength(decoder, type);
  const { source, at } = decoder;
  if (length > source.bytes.length - at) throw chunkDamage('msgpack', `text of ${length} bytes`, start);
  if (isUtf8(source, at, at + length) === isBinary) {
    throw chunkDamage('msgpack', isBinary ? 'bin that is UTF-8' : 'str that is not UTF-8', start);
  }
  setSpan(spans, row, at, at + length);
  decoder.at = at + length;
}

function readStringLength(decoder: RowDecoder, type: number): number {
  if ((type & 0xe0) === MSGPACK.fixStr) return type & 0x1f;
  if (type === MSGPACK.str8) return readLength(decoder, 1, 32);
  if (type === MSGPACK.str16) return readLength(decoder, 2, 0x100);
  if (type === MSGPACK.str32) return readLength(decoder, 4, 0x1_0000);
  throw chunkDamage('msgpack', 'no text', decoder.at - 1);
}

function readBinaryLength(decoder: RowDecoder, type: number): number {
  if (type === MSGPACK.bin8) return readLength(decoder, 1, 0);
  if (type === MSGPACK.bin16) return readLength(decoder, 2, 0x100);
  return readLength(decoder, 4, 0x1_0000);
}

/** `least`: a smaller length has a shorter form. */
function readLength(decoder: RowDecoder, sizeBytes: 1 | 2 | 4, least: number): number {
  const { at } = decoder;
  const length = readNumber(decoder, sizeBytes);
  if (length < least) throw chunkDamage('msgpack', 'a length not in its shortest form', at);
  return length;
}

/** An unsigned big-endian number. */
function readNumber(decoder: RowDecoder, sizeBytes: 1 | 2 | 4): number {
  const { at } = decoder;
  const { bytes } = decoder.source;
  if (sizeBytes > bytes.length - at) throw chunkDamage('msgpack', 'it ends inside a number', at);
  let value = 0;
  for (let i = 0; i < sizeBytes; i += 1) value = value * 0x100 + bytes[at + i]!;
  decoder.at = at + sizeBytes;
  return value;
}

function readVersion(decoder: RowDecoder): number {
  const start = decoder.at;
  const type = readByte(decoder);
  const version = readInteger(decoder, type);
  if (Number.isSafeInteger(version) && isShortest(type, version)) return version;
  throw chunkDamage('msgpack', 'a version that is no integer in ±(2^53 − 1) in its shortest form', start);
}

/** NaN when the type is no integer's. */
function readInteger(decoder: RowDecoder, type: number): number {
  if (type < 0x80) return type;
  if (type >= MSGPACK.negativeFixInt) return type - 0x100;
  switch (type) {
    case MSGPACK.uint8:
      return readNumber(decoder, 1);
    case MSGPACK.uint16:
      return readNumber(decoder, 2);
    case MSGPACK.uint32:
      return readNumber(decoder, 4);
    case MSGPACK.uint64:
      return readNumber(decoder, 4) * TWO_POW_32 + readNumber(decoder, 4);
    case MSGPACK.int8:
      return (readNumber(decoder, 1) << 24) >> 24;
    case MSGPACK.int16:
      return (readNumber(decoder, 2) << 16) >> 16;
    case MSGPACK.int32:
      return readNumber(decoder, 4) | 0;
    case MSGPACK.int64:
      return (readNumber(decoder, 4) | 0) * TWO_POW_32 + readNumber(decoder, 4);
    default:
      return Number.NaN;
  }
}

/** The smallest or, for negative numbers, largest value for which the writer uses the type. */
function isShortest(type: number, value: number): boolean {
  switch (type) {
    case MSGPACK.uint8:
      return value >= 0x80;
    case MSGPACK.uint16:
      return value >= 0x100;
    case MSGPACK.uint32:
      return value >= 0x1_0000;
    case MSGPACK.uint64:
      return value >= TWO_POW_32;
    case MSGPACK.int8:
      return value < -0x20;
    case MSGPACK.int16:
      return value < -0x80;
    case MSGPACK.int32:
      return value < -0x8000;
    case MSGPACK.int64:
      return value < -0x8000_0000;
    default:
      return true;
  }
}

function readTime(decoder: RowDecoder, row: number): void {
  const start = decoder.at;
  const type = readByte(decoder);
  const length = (type & 0xe0) === MSGPACK.fixStr ? type & 0x1f : Number.POSITIVE_INFINITY;
  const { source, at, days, rows, timeWords } = decoder;
  const isWhole = length <= source.bytes.length - at;
  if (!isWhole || !readRecordedAt(source.bytes, at, length, days, rows.times, timeWords, row)) {
    throw chunkDamage('msgpack', 'a time that is not written as this format does it', start);
  }
  decoder.at = at + length;
}
