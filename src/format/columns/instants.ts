import type { ByteWriter } from '../byte-writer.ts';
import { NO_DIGITS, readTwoDigits, writeThreeDigits, writeTwoDigits, ZERO } from '../digits.ts';

/**
 * Instants as applications write them into payloads, `2026-11-23T04:05:06.123Z` with 0, 3 or 6 digits behind the second,
 * as whole numbers of seconds, milliseconds or microseconds since 2000. Each of these texts has one number and each
 * number one text. Years are 1000 to 9999, and numbers within ±2^51, so that a step between two is exact in a double.
 */
export interface InstantDay {
  /** Days since 2000 of the day in `text`; NaN before the first. */
  day: number;
  /** `2026-11-23T`. */
  readonly text: Uint8Array;
}

/** By the digits behind the second, how long the text is. */
const TEXT_BYTES = { 0: 20, 3: 24, 6: 27 } as const;
const DAY_BYTES = 11;
const SECONDS_PER_DAY = 86_400;
const MS_PER_DAY = 86_400_000;
const MS_AT_2000 = 946_684_800_000;
const LIMIT = 2 ** 51;
const FIRST_DAY = daysSince2000(1000, 1, 1);
const LAST_DAY = daysSince2000(9999, 12, 31);

/** Digits behind the second of a text of this length; -1: it is no instant. */
export function fractionDigits(textBytes: number): number {
  if (textBytes === TEXT_BYTES[0]) return 0;
  if (textBytes === TEXT_BYTES[3]) return 3;
  return textBytes === TEXT_BYTES[6] ? 6 : -1;
}

export function instantBytes(digits: number): number {
  return digits === 0 ? TEXT_BYTES[0] : digits === 3 ? TEXT_BYTES[3] : TEXT_BYTES[6];
}

export function makeInstantDay(): InstantDay {
  return { day: Number.NaN, text: new Uint8Array(DAY_BYTES) };
}

function daysSince2000(year: number, month: number, day: number): number {
  return (Date.UTC(year, month - 1, day) - MS_AT_2000) / MS_PER_DAY;
}

/** NaN when the text is none that `writeInstant` writes. It must have the length that `digits` says. */
export function readInstant(bytes: Uint8Array, start: number, digits: number, day: InstantDay): number {
  if (!isSameDay(bytes, start, day) && !readDay(bytes, start, day)) return Number.NaN;
  const at = start + DAY_BYTES;
  if (bytes[at + 2] !== COLON || bytes[at + 5] !== COLON) return Number.NaN;
  const hour = readTwoDigits(bytes, at);
  const minute = readTwoDigits(bytes, at + 3);
  const second = readTwoDigits(bytes, at + 6);
  if (hour > 23 || minute > 59 || second > 59) return Number.NaN;
  const fraction = readFraction(bytes, at + 8, digits);
  if (bytes[start + instantBytes(digits) - 1] !== LETTER_Z || fraction === -1) return Number.NaN;
  const seconds = day.day * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second;
  const instant = seconds * 10 ** digits + fraction;
  return Math.abs(instant) < LIMIT ? instant : Number.NaN;
}

const COLON = 0x3a;
const HYPHEN = 0x2d;
const POINT = 0x2e;
const LETTER_T = 0x54;
const LETTER_Z = 0x5a;

function readFraction(bytes: Uint8Array, at: number, digits: number): number {
  if (digits === 0) return 0;
  if (bytes[at] !== POINT) return -1;
  let fraction = 0;
  for (let i = 1; i <= digits; i += 1) {
    const digit = bytes[at + i]! - ZERO;
    if (digit < 0 || digit > 9) return -1;
    fraction = fraction * 10 + digit;
  }
  return fraction;
}

function isSameDay(bytes: Uint8Array, start: number, { text, day }: InstantDay): boolean {
  if (Number.isNaN(day)) return false;
  for (let i = DAY_BYTES - 1; i >= 0; i -= 1) if (bytes[start + i] !== text[i]) return false;
  return true;
}

function readDay(bytes: Uint8Array, start: number, day: InstantDay): boolean {
  const year = readTwoDigits(bytes, start) * 100 + readTwoDigits(bytes, start + 2);
  const month = readTwoDigits(bytes, start + 5);
  const date = readTwoDigits(bytes, start + 8);
  if (year < 1000 || year >= NO_DIGITS || month < 1 || month > 12 || date < 1 || date > 31) return false;
  if (bytes[start + 4] !== HYPHEN || bytes[start + 7] !== HYPHEN || bytes[start + 10] !== LETTER_T)
    return false;
  const found = daysSince2000(year, month, date);
  // 30 February is another day in March.
  if (new Date(found * MS_PER_DAY + MS_AT_2000).getUTCDate() !== date) return false;
  for (let i = 0; i < DAY_BYTES; i += 1) day.text[i] = bytes[start + i]!;
  day.day = found;
  return true;
}

/** Whether there is a text for this number. */
export function isInstant(instant: number, digits: number): boolean {
  const day = Math.floor(instant / 10 ** digits / SECONDS_PER_DAY);
  return Math.abs(instant) < LIMIT && day >= FIRST_DAY && day <= LAST_DAY;
}

/** Appends the text; the number must be an instant, and the room have been reserved. */
export function writeInstant(out: ByteWriter, instant: number, digits: number, day: InstantDay): void {
  const unit = 10 ** digits;
  const seconds = Math.floor(instant / unit);
  const found = Math.floor(seconds / SECONDS_PER_DAY);
  if (found !== day.day) setDay(day, found);
  const { bytes } = out;
  const { at } = out;
  for (let i = 0; i < DAY_BYTES; i += 1) bytes[at + i] = day.text[i]!;
  writeClock(bytes, at + DAY_BYTES, seconds - found * SECONDS_PER_DAY);
  writeFraction(bytes, at + 19, instant - seconds * unit, digits);
  out.at = at + instantBytes(digits);
  bytes[out.at - 1] = LETTER_Z;
}

function setDay(day: InstantDay, found: number): void {
  const text = new Date(found * MS_PER_DAY + MS_AT_2000).toISOString();
  for (let i = 0; i < DAY_BYTES; i += 1) day.text[i] = text.charCodeAt(i);
  day.day = found;
}

function writeClock(bytes: Uint8Array, at: number, seconds: number): void {
  const minutes = (seconds / 60) | 0;
  writeTwoDigits(bytes, at, (minutes / 60) | 0);
  bytes[at + 2] = COLON;
  writeTwoDigits(bytes, at + 3, minutes % 60);
  bytes[at + 5] = COLON;
  writeTwoDigits(bytes, at + 6, seconds % 60);
}

function writeFraction(bytes: Uint8Array, at: number, fraction: number, digits: number): void {
  if (digits === 0) return;
  bytes[at] = POINT;
  const thousands = digits === 6 ? (fraction / 1000) | 0 : fraction;
  writeThreeDigits(bytes, at + 1, thousands);
  if (digits === 6) writeThreeDigits(bytes, at + 4, fraction - thousands * 1000);
}
