import { formatTime, parseTime } from '../core/time.ts';
import { type ByteWriter, reserve, writeLiteral } from './byte-writer.ts';
import { NO_DIGITS, readTwoDigits, writeThreeDigits, writeTwoDigits } from './digits.ts';
import { HIGH_WORD, LOW_WORD } from './time-words.ts';

/**
 * `recordedAt` as bytes: what `formatTime` gives with six digits. Neighbours mostly share their day, so the last
 * day's text is kept, and only another day costs BigInt arithmetic.
 */
export interface DayCache {
  /** Days since 2000 of the day in `text`; NaN before the first. */
  day: number;
  /** `2026-11-23T`. */
  readonly text: Uint8Array;
}

const DAY_TEXT_BYTES = 11;
/** `2026-11-23T04:05:06.123456Z`. */
const USUAL_BYTES = 27;
const LONGEST_BYTES = 32;
const US_PER_DAY = 86_400_000_000;
const TWO_POW_32 = 0x1_0000_0000;
/** High words of the times that a double holds exactly. */
const EXACT_HIGH = 0x20_0000;

export function makeDayCache(): DayCache {
  return { day: Number.NaN, text: new Uint8Array(DAY_TEXT_BYTES) };
}

/** Appends the text of the time at `row`; `words` are those of `times`. */
export function writeRecordedAt(
  out: ByteWriter,
  cache: DayCache,
  times: BigInt64Array,
  words: Int32Array,
  row: number,
): void {
  reserve(out, LONGEST_BYTES);
  const high = words[2 * row + HIGH_WORD]!;
  if (high < -EXACT_HIGH || high >= EXACT_HIGH) {
    writeAscii(out, formatTime(times[row]!));
    return;
  }
  const time = high * TWO_POW_32 + (words[2 * row + LOW_WORD]! >>> 0);
  const day = Math.floor(time / US_PER_DAY);
  if (day !== cache.day) setDay(cache, day);
  writeLiteral(out, cache.text);
  writeTimeOfDay(out, time - day * US_PER_DAY);
}

function writeAscii(out: ByteWriter, text: string): void {
  out.at += out.bytes.write(text, out.at, 'ascii');
}

function setDay(cache: DayCache, day: number): void {
  const text = formatTime(BigInt(day) * BigInt(US_PER_DAY));
  for (let i = 0; i < DAY_TEXT_BYTES; i += 1) cache.text[i] = text.charCodeAt(i);
  cache.day = day;
}

/** `04:05:06.123456Z`. */
function writeTimeOfDay(out: ByteWriter, us: number): void {
  const { bytes, at } = out;
  const second = Math.floor(us / 1e6);
  const fraction = us - second * 1e6;
  const minute = (second / 60) | 0;
  const thousands = (fraction / 1000) | 0;
  writeTwoDigits(bytes, at, (minute / 60) | 0);
  bytes[at + 2] = COLON;
  writeTwoDigits(bytes, at + 3, minute % 60);
  bytes[at + 5] = COLON;
  writeTwoDigits(bytes, at + 6, second % 60);
  bytes[at + 8] = POINT;
  writeThreeDigits(bytes, at + 9, thousands);
  writeThreeDigits(bytes, at + 12, fraction - thousands * 1000);
  bytes[at + 15] = LETTER_Z;
  out.at = at + 16;
}

const COLON = 0x3a;
const POINT = 0x2e;
const LETTER_Z = 0x5a;
/**
 * Reads the text that `writeRecordedAt` writes into the time at `row`. False, with nothing changed, when it is
 * any other text, even one that names the same time.
 */
export function readRecordedAt(
  bytes: Buffer,
  start: number,
  length: number,
  cache: DayCache,
  times: BigInt64Array,
  words: Int32Array,
  row: number,
): boolean {
  if (length !== USUAL_BYTES || !isDay(bytes, start, cache)) {
    return readSlowly(bytes, start, length, cache, times, row);
  }
  const us = readTimeOfDay(bytes, start + DAY_TEXT_BYTES);
  if (us === -1) return false;
  const time = cache.day * US_PER_DAY + us;
  if (!Number.isSafeInteger(time)) return readSlowly(bytes, start, length, cache, times, row);
  words[2 * row + LOW_WORD] = time;
  words[2 * row + HIGH_WORD] = Math.floor(time / TWO_POW_32);
  return true;
}

function isDay(bytes: Buffer, start: number, { text }: DayCache): boolean {
  for (let i = DAY_TEXT_BYTES - 1; i >= 0; i -= 1) if (bytes[start + i] !== text[i]) return false;
  return true;
}

function readSlowly(
  bytes: Buffer,
  start: number,
  length: number,
  cache: DayCache,
  times: BigInt64Array,
  row: number,
): boolean {
  if (length > LONGEST_BYTES) return false;
  const text = bytes.toString('latin1', start, start + length);
  const time = parseTime(text);
  if (time === null || formatTime(time) !== text) return false;
  times[row] = time;
  const approximate = Number(time);
  if (Number.isSafeInteger(approximate)) setDay(cache, Math.floor(approximate / US_PER_DAY));
  return true;
}

/** Microseconds since midnight of `04:05:06.123456Z`; -1 when it is no such text. */
function readTimeOfDay(bytes: Buffer, at: number): number {
  if (bytes[at + 2] !== COLON || bytes[at + 5] !== COLON) return -1;
  if (bytes[at + 8] !== POINT || bytes[at + 15] !== LETTER_Z) return -1;
  const hour = readTwoDigits(bytes, at);
  const minute = readTwoDigits(bytes, at + 3);
  const second = readTwoDigits(bytes, at + 6);
  if (hour > 23 || minute > 59 || second > 59) return -1;
  const fraction =
    readTwoDigits(bytes, at + 9) * 10_000 +
    readTwoDigits(bytes, at + 11) * 100 +
    readTwoDigits(bytes, at + 13);
  return fraction < NO_DIGITS ? (hour * 3600 + minute * 60 + second) * 1e6 + fraction : -1;
}
