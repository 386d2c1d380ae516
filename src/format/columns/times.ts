import { type ByteWriter, reserve } from '../byte-writer.ts';
import { HIGH_WORD, LOW_WORD, timeWords } from '../time-words.ts';
import { type ByteReader, MAX_VARINT_BYTES, readVarint64, writeVarint, writeVarint64 } from '../varint.ts';
import { type ColumnPart, ENCODING, type Encoding, endColumn, unknownEncoding } from './layout.ts';

/** The step from each event's time to the next (the first from 0), modulo 2^64, as zigzag numbers. */
export function writeTimes(out: ByteWriter, times: BigInt64Array, count: number): Encoding {
  reserve(out, count * MAX_VARINT_BYTES);
  const words = timeWords(times);
  let lastLow = 0;
  let lastHigh = 0;
  for (let row = 0; row < count; row += 1) {
    const low = words[2 * row + LOW_WORD]!;
    const high = words[2 * row + HIGH_WORD]!;
    const stepLow = (low - lastLow) | 0;
    const borrow = low >>> 0 < lastLow >>> 0 ? 1 : 0;
    const stepHigh = (high - lastHigh - borrow) | 0;
    const sign = stepHigh >> 31;
    const zigzagLow = ((stepLow << 1) ^ sign) >>> 0;
    const zigzagHigh = ((stepHigh << 1) | (stepLow >>> 31)) ^ sign;
    if (zigzagHigh === 0) writeVarint(out, zigzagLow);
    else writeVarint64(out, zigzagLow, zigzagHigh);
    lastLow = low;
    lastHigh = high;
  }
  return ENCODING.timeSteps;
}

export function readTimes(part: ColumnPart, times: BigInt64Array, count: number): void {
  if (part.encoding !== ENCODING.timeSteps) throw unknownEncoding('time', part);
  readTimeSteps(part.reader, times, count);
  endColumn('time', part);
}

/** Reads what `writeTimes` wrote. */
export function readTimeSteps(reader: ByteReader, times: BigInt64Array, count: number): void {
  const words = timeWords(times);
  let low = 0;
  let high = 0;
  for (let row = 0; row < count; row += 1) {
    readVarint64(reader);
    const sign = -(reader.low & 1);
    const stepLow = ((reader.low >>> 1) | (reader.high << 31)) ^ sign;
    const stepHigh = (reader.high >>> 1) ^ sign;
    const sum = (low + stepLow) | 0;
    const carry = sum >>> 0 < low >>> 0 ? 1 : 0;
    low = sum;
    high = (high + stepHigh + carry) | 0;
    words[2 * row + LOW_WORD] = low;
    words[2 * row + HIGH_WORD] = high;
  }
}
