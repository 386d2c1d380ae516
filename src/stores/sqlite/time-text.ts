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

export interface TimeRead {
  readonly time: bigint;
  /** Whether `usualTimeText(time)` is the text that was read. */
  readonly isUsual: boolean;
}

/** Reads times one after the other; text that is no time reads as minus infinity. Remembers the last day. */
export function timeReader(): (bytes: Uint8Array, start: number, length: number) => TimeRead {
  let knownDate = Number.NaN;
  let knownDayUs = Number.NaN;
  return (bytes, start, length) => {
    const clock = length === 24 || length === LONGEST_PLAIN ? plainClock(bytes, start, length) : Number.NaN;
    const date = Number.isNaN(clock) ? Number.NaN : plainDate(bytes, start);
    if (Number.isNaN(date)) return readAnyForm(bytes.subarray(start, start + length));
    if (date !== knownDate) {
      const midnight = parseTime(`${text(bytes, start, 10)}T00:00:00Z`);
      if (midnight === null) return readAnyForm(bytes.subarray(start, start + length));
      knownDate = date;
      knownDayUs = Number(midnight);
    }
    return { time: BigInt(knownDayUs + clock), isUsual: length === 24 || clock % 1000 !== 0 };
  };
}

function readAnyForm(bytes: Uint8Array): TimeRead {
  const shown = decoder.decode(bytes);
  const time = parseTime(shown);
  if (time === null) return { time: TIME_MINUS_INFINITY, isUsual: false };
  return { time, isUsual: usualTimeText(time) === shown && shown.length === bytes.length };
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

/** Writes times in their usual form into `out`, which has room for TIME_TEXT_MAX at `at`; returns the length. */
export function timeWriter(): (time: bigint, out: Uint8Array, at: number) => number {
  let knownDay = Number.NaN;
  let date = new Uint8Array(10);
  return (time, out, at) => {
    const us = Number(time);
    if (!Number.isSafeInteger(us)) return encoder.encodeInto(usualTimeText(time), out.subarray(at)).written;
    const day = Math.floor(us / US_PER_DAY);
    if (day !== knownDay) {
      const shown = formatTime(time);
      if (shown.length !== LONGEST_PLAIN) {
        return encoder.encodeInto(usualTimeText(time), out.subarray(at)).written;
      }
      knownDay = day;
      date = encoder.encode(shown.slice(0, 10));
    }
    out.set(date, at);
    return 10 + writeClock(us - day * US_PER_DAY, out, at + 10);
  };
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
