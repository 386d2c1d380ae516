import type { ChunkFormat } from '../core/manifest.ts';
import type { ByteWriter } from './byte-writer.ts';
import { chunkDamage } from './chunk-damage.ts';

/**
 * Unsigned LEB128: seven bits a byte, the lowest first, the top bit set on all bytes but the last. Only the
 * shortest form of a number is valid. 64-bit numbers are handled as two 32-bit words, since BigInt arithmetic
 * for each event is too slow.
 */
export const MAX_VARINT_BYTES = 10;

/** Reads a part of a chunk. `low` and `high` are the words that `readVarint64` found. */
export interface ByteReader {
  readonly format: ChunkFormat;
  readonly bytes: Buffer;
  at: number;
  readonly end: number;
  low: number;
  high: number;
}

export function makeByteReader(format: ChunkFormat, bytes: Buffer, start: number, end: number): ByteReader {
  return { format, bytes, at: start, end, low: 0, high: 0 };
}

/** Writes an integer of 0 to 2^53 − 1. */
export function writeVarint(out: ByteWriter, value: number): void {
  const { bytes } = out;
  let { at } = out;
  let rest = value;
  while (rest >= 0x80) {
    bytes[at] = (rest & 0x7f) | 0x80;
    at += 1;
    rest = rest > 0x7fff_ffff ? Math.floor(rest / 0x80) : rest >>> 7;
  }
  bytes[at] = rest;
  out.at = at + 1;
}

/** Reads an integer of 0 to 2^35 − 1, which is more than any count or length in a chunk. */
export function readVarint(reader: ByteReader): number {
  const { bytes, end } = reader;
  const start = reader.at;
  if (start < end && bytes[start]! < 0x80) {
    reader.at = start + 1;
    return bytes[start]!;
  }
  let value = 0;
  let scale = 1;
  for (let at = start; at < end && at < start + 5; at += 1) {
    const byte = bytes[at]!;
    value += (byte & 0x7f) * scale;
    scale *= 0x80;
    if (byte >= 0x80) continue;
    if (byte === 0) break;
    reader.at = at + 1;
    return value;
  }
  throw invalidVarint(reader, start);
}

/** Writes an unsigned 64-bit number given as two words. */
export function writeVarint64(out: ByteWriter, low: number, high: number): void {
  const { bytes } = out;
  let { at } = out;
  let lowRest = low >>> 0;
  let highRest = high >>> 0;
  while (highRest !== 0 || lowRest >= 0x80) {
    bytes[at] = (lowRest & 0x7f) | 0x80;
    at += 1;
    lowRest = ((lowRest >>> 7) | (highRest << 25)) >>> 0;
    highRest >>>= 7;
  }
  bytes[at] = lowRest;
  out.at = at + 1;
}

/** Reads an unsigned 64-bit number into the reader's `low` and `high` (as signed 32-bit words). */
export function readVarint64(reader: ByteReader): void {
  const { bytes, end } = reader;
  const start = reader.at;
  let low = 0;
  let high = 0;
  for (let at = start, shift = 0; at < end && shift < 70; at += 1, shift += 7) {
    const byte = bytes[at]!;
    const bits = byte & 0x7f;
    if (shift < 28) low |= bits << shift;
    else if (shift === 28) {
      low |= bits << 28;
      high = bits >>> 4;
    } else high |= bits << (shift - 32);
    if (byte >= 0x80) continue;
    if ((byte === 0 && at > start) || (shift === 63 && byte > 1)) break;
    reader.at = at + 1;
    reader.low = low;
    reader.high = high;
    return;
  }
  throw invalidVarint(reader, start);
}

function invalidVarint(reader: ByteReader, at: number): Error {
  return chunkDamage(reader.format, 'no number in its shortest form', at);
}

/** Reads an integer of 0 to 2^53 − 1. */
export function readVarint53(reader: ByteReader): number {
  const { bytes, at } = reader;
  if (at < reader.end && bytes[at]! < 0x80) {
    reader.at = at + 1;
    return bytes[at]!;
  }
  readVarint64(reader);
  if (reader.high >>> 21 !== 0) throw invalidVarint(reader, at);
  return reader.high * 0x1_0000_0000 + (reader.low >>> 0);
}

/** Whole numbers in ±2^52 as even ones (0, 1, 2 …) and odd ones (−1, −2 …), small when they are near 0. */
export function zigzag(value: number): number {
  return value >= 0 ? 2 * value : -2 * value - 1;
}

export function unzigzag(value: number): number {
  const half = Math.floor(value / 2);
  return half * 2 === value ? half : -half - 1;
}

/** Bytes that `writeVarint` takes. */
export function varintBytes(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x20_0000) return 3;
  if (value < 0x1000_0000) return 4;
  let sizeBytes = 5;
  for (let rest = value / 0x8_0000_0000; rest >= 1; rest /= 0x80) sizeBytes += 1;
  return sizeBytes;
}
