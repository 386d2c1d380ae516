import { formatTime, parseTime, TIME_MINUS_INFINITY } from '../../core/time.ts';

/**
 * Times as SQLite stores keep them: text. Its usual form is RFC 3339 in UTC with milliseconds, as EventCore writes it,
 * or with microseconds where they are not zero, as a restore from PostgreSQL writes it. Bulk paths read and write that
 * form byte by byte; any other goes through core/time.
 */
export function usualTimeText(time: bigint): string {
  return formatTime(time, time % 1000n === 0n ? 3 : 6);
}

/** The longest usual form that `writeTimeText` makes without core/time. */
const LONGEST_PLAIN = '2026-11-23T04:05:06.123456Z'.length;
/** Room for one time in any form. */
export const TIME_TEXT_MAX = 40;

const US_PER_DAY = 86_400_000_000;
const ZERO = 0x30;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * A batch's times, also as pairs of 32-bit words: a BigInt would be an object for each event. The usual times are less
 * than 2^53 µs away from 2000, so a number holds them.
 */
export interface TimeColumn {
  readonly times: BigInt64Array;
  readonly words: Int32Array;
}

export function timeColumn(times: BigInt64Array): TimeColumn {
  return { times, words: new Int32Array(times.buffer, times.byteOffset, times.length * 2) };
}

const WORD = 2 ** 32;
/** Where the words of a time lie in its pair, on this machine. */
const LOW = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1 ? 0 : 1;
const HIGH = 1 - LOW;

/**
 * Reads times one after the other into rows of a column; text that is no time is minus infinity. Returns whether
 * `usualTimeText` gives back the text that was read. Remembers the last day.
 */
export function timeReader(): (
  bytes: Uint8Array,
  start: number,
  length: number,
  into: TimeColumn,
  row: number,
) => boolean {
  let knownDate = Number.NaN;
  let knownDayUs = Number.NaN;
  return (bytes, start, length, into, row) => {
    const clock = length === 24 || length === LONGEST_PLAIN ? plainClock(bytes, start, length) : Number.NaN;
    const date = Number.isNaN(clock) ? Number.NaN : plainDate(bytes, start);
    if (Number.isNaN(date)) return readAnyForm(bytes.subarray(start, start + length), into, row);
    if (date !== knownDate) {
      const midnight = parseTime(`${text(bytes, start, 10)}T00:00:00Z`);
      if (midnight === null) return readAnyForm(bytes.subarray(start, start + length), into, row);
      knownDate = date;
      knownDayUs = Number(midnight);
    }
    const us = knownDayUs + clock;
    into.words[row * 2 + LOW] = us % WORD;
    into.words[row * 2 + HIGH] = Math.floor(us / WORD);
    return length === 24 || clock % 1000 !== 0;
  };
}

function readAnyForm(bytes: Uint8Array, { times }: TimeColumn, row: number): boolean {
  const shown = decoder.decode(bytes);
  const time = parseTime(shown);
  times[row] = time ?? TIME_MINUS_INFINITY;
  return time !== null && usualTimeText(time) === shown && shown.length === bytes.length;
}

/** `YYYY-MM-DD` as a number of those digits; NaN for other text and for years that need more than a number. */
function plainDate(bytes: Uint8Array, start: number): number {
  if (bytes[start + 4] !== 0x2d || bytes[start + 7] !== 0x2d) return Number.NaN;
  const year = twoDigits(bytes, start) * 100 + twoDigits(bytes, start + 2);
  const date = year * 10_000 + twoDigits(bytes, start + 5) * 100 + twoDigits(bytes, start + 8);
  return year >= 1800 && year <= 2200 ? date : Number.NaN;
}

/** Microseconds since midnight of `THH:MM:SS.mmmZ` or `THH:MM:SS.uuuuuuZ` behind the date; NaN for other text. */
function plainClock(bytes: Uint8Array, start: number, length: number): number {
  const isFramed =
    bytes[start + 10] === 0x54 &&
    bytes[start + 13] === 0x3a &&
    bytes[start + 16] === 0x3a &&
    bytes[start + 19] === 0x2e &&
    bytes[start + length - 1] === 0x5a;
  const hour = twoDigits(bytes, start + 11);
  const minute = twoDigits(bytes, start + 14);
  const second = twoDigits(bytes, start + 17);
  if (!isFramed || !(hour < 24 && minute < 60 && second < 60)) return Number.NaN;
  const ms = twoDigits(bytes, start + 20) * 10 + digit(bytes, start + 22);
  const us = length === 24 ? 0 : twoDigits(bytes, start + 23) * 10 + digit(bytes, start + 25);
  return (hour * 3600 + minute * 60 + second) * 1_000_000 + ms * 1000 + us;
}

function twoDigits(bytes: Uint8Array, at: number): number {
  return digit(bytes, at) * 10 + digit(bytes, at + 1);
}

/** NaN when it is none, which then runs through every sum it is in. */
function digit(bytes: Uint8Array, at: number): number {
  const value = bytes[at]! - ZERO;
  return value >= 0 && value <= 9 ? value : Number.NaN;
}

function text(bytes: Uint8Array, start: number, length: number): string {
  return decoder.decode(bytes.subarray(start, start + length));
}

/** Writes a row's time in its usual form into `out`, which has room for TIME_TEXT_MAX at `at`; returns the length. */
export function timeWriter(): (from: TimeColumn, row: number, out: Uint8Array, at: number) => number {
  let knownDay = Number.NaN;
  let date = new Uint8Array(10);
  return (from, row, out, at) => {
    const us = from.words[row * 2 + HIGH]! * WORD + (from.words[row * 2 + LOW]! >>> 0);
    if (!Number.isSafeInteger(us)) return writeAnyForm(from.times[row]!, out, at);
    const day = Math.floor(us / US_PER_DAY);
    if (day !== knownDay) {
      const shown = formatTime(from.times[row]!);
      if (shown.length !== LONGEST_PLAIN) return writeAnyForm(from.times[row]!, out, at);
      knownDay = day;
      date = encoder.encode(shown.slice(0, 10));
    }
    out.set(date, at);
    return 10 + writeClock(us - day * US_PER_DAY, out, at + 10);
  };
}

function writeAnyForm(time: bigint, out: Uint8Array, at: number): number {
  return encoder.encodeInto(usualTimeText(time), out.subarray(at)).written;
}

function writeClock(usOfDay: number, out: Uint8Array, at: number): number {
  const second = Math.floor(usOfDay / 1_000_000);
  const us = usOfDay - second * 1_000_000;
  out[at] = 0x54;
  writeDigits(out, at + 1, 2, Math.floor(second / 3600));
  out[at + 3] = 0x3a;
  writeDigits(out, at + 4, 2, Math.floor(second / 60) % 60);
  out[at + 6] = 0x3a;
  writeDigits(out, at + 7, 2, second % 60);
  out[at + 9] = 0x2e;
  const digits = us % 1000 === 0 ? 3 : 6;
  writeDigits(out, at + 10, digits, digits === 3 ? us / 1000 : us);
  out[at + 10 + digits] = 0x5a;
  return 11 + digits;
}

function writeDigits(out: Uint8Array, at: number, count: number, value: number): void {
  let rest = value;
  for (let i = count - 1; i >= 0; i -= 1) {
    out[at + i] = ZERO + (rest % 10);
    rest = Math.floor(rest / 10);
  }
}
