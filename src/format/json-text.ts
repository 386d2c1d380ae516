import { type ByteWriter, copySpan, reserve } from './byte-writer.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const LETTER_U = 0x75;
const HEX_DIGITS = Buffer.from('0123456789abcdef');
const SHORT_ESCAPES = ['""', '\\\\', '\bb', '\ff', '\nn', '\rr', '\tt'].map((pair) => Buffer.from(pair));

/** For each byte the letter that follows the backslash of its escape; 0 where the byte stands for itself. */
const ESCAPE_OF = new Uint8Array(256).fill(LETTER_U, 0, 0x20);
/** For each letter the byte that its short escape stands for; 0 for other letters. */
const ESCAPED_BY = new Uint8Array(256);
for (const [byte, letter] of SHORT_ESCAPES) {
  ESCAPE_OF[byte!] = letter!;
  ESCAPED_BY[letter!] = byte!;
}

/** 1 for each ASCII byte that stands for itself in a JSON string. */
export const PLAIN_TEXT = ESCAPE_OF.map((letter, byte) => (letter === 0 && byte < 0x80 ? 1 : 0));

/** The place of the first byte that is escaped or not ASCII; `end` when there is none. */
export function plainTextEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && PLAIN_TEXT[bytes[at]!] === 1) at += 1;
  return at;
}

/**
 * Appends text that is ASCII without anything to escape; the room must have been reserved. False, with nothing
 * appended, when it is other text.
 */
export function writePlainText(out: ByteWriter, bytes: Buffer, start: number, end: number): boolean {
  const to = out.bytes;
  let { at } = out;
  for (let from = start; from < end; from += 1) {
    const byte = bytes[from]!;
    if (PLAIN_TEXT[byte] !== 1) return false;
    to[at] = byte;
    at += 1;
  }
  out.at = at;
  return true;
}

/** A longer text is measured before room is made for it. */
const SHORT_TEXT_BYTES = 1024;
/** `\u00` and two digits. */
const LONGEST_ESCAPE_BYTES = 6;

/**
 * Appends UTF-8 text as the inside of a JSON string. Only quote, backslash and control characters are escaped,
 * with their short form where they have one, else as `\u00` and two lower-case digits.
 */
export function writeJsonText(out: ByteWriter, bytes: Buffer, start: number, end: number): void {
  const sizeBytes =
    end - start > SHORT_TEXT_BYTES ? escapedBytes(bytes, start, end) : (end - start) * LONGEST_ESCAPE_BYTES;
  reserve(out, sizeBytes);
  let at = start;
  while (at < end) {
    const runStart = at;
    while (at < end && ESCAPE_OF[bytes[at]!] === 0) at += 1;
    copySpan(out, bytes, runStart, at - runStart);
    if (at === end) return;
    writeEscape(out, bytes[at]!);
    at += 1;
  }
}

function escapedBytes(bytes: Buffer, start: number, end: number): number {
  let sizeBytes = 0;
  for (let at = start; at < end; at += 1) {
    const letter = ESCAPE_OF[bytes[at]!]!;
    sizeBytes += letter === 0 ? 1 : letter === LETTER_U ? LONGEST_ESCAPE_BYTES : 2;
  }
  return sizeBytes;
}

function writeEscape(out: ByteWriter, byte: number): void {
  const { bytes, at } = out;
  const letter = ESCAPE_OF[byte]!;
  bytes[at] = BACKSLASH;
  bytes[at + 1] = letter;
  out.at = at + 2;
  if (letter !== LETTER_U) return;
  bytes[at + 2] = ZERO;
  bytes[at + 3] = ZERO;
  bytes[at + 4] = HEX_DIGITS[byte >> 4]!;
  bytes[at + 5] = HEX_DIGITS[byte & 15]!;
  out.at = at + LONGEST_ESCAPE_BYTES;
}

const ZERO = 0x30;

/**
 * The place of the quote that closes a JSON string; -1 when there is none. What `writeJsonText` escapes must be
 * escaped; the escapes themselves are not looked at.
 */
export function closingQuote(bytes: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end) {
    const byte = bytes[at]!;
    if (ESCAPE_OF[byte] === 0) at += 1;
    else if (byte === QUOTE) return at;
    else if (byte === BACKSLASH) at += 2;
    else return -1;
  }
  return -1;
}

/**
 * Appends the text that the inside of a JSON string stands for, `end` being its closing quote. False when it is
 * not what `writeJsonText` writes for any text.
 */
export function readJsonText(bytes: Buffer, start: number, end: number, out: ByteWriter): boolean {
  reserve(out, end - start);
  let at = start;
  while (at < end) {
    const runStart = at;
    while (at < end && bytes[at] !== BACKSLASH) at += 1;
    copySpan(out, bytes, runStart, at - runStart);
    if (at === end) return true;
    const after = readEscape(bytes, at, out);
    if (after === -1 || after > end) return false;
    at = after;
  }
  return true;
}

const NO_DIGIT = 0xff;
/** Value of a lower-case hexadecimal digit by its byte. */
const HEX_VALUES = new Uint8Array(256).fill(NO_DIGIT);
for (const [value, digit] of HEX_DIGITS.entries()) HEX_VALUES[digit] = value;

/** The place behind the escape; -1 when it is none. The string's closing quote ends digits that are cut off. */
function readEscape(bytes: Buffer, at: number, out: ByteWriter): number {
  const letter = bytes[at + 1]!;
  const short = ESCAPED_BY[letter]!;
  if (short !== 0) {
    out.bytes[out.at] = short;
    out.at += 1;
    return at + 2;
  }
  if (letter !== LETTER_U || bytes[at + 2] !== ZERO || bytes[at + 3] !== ZERO) return -1;
  const high = HEX_VALUES[bytes[at + 4]!]!;
  if (high === NO_DIGIT) return -1;
  const low = HEX_VALUES[bytes[at + 5]!]!;
  const byte = high * 16 + low;
  if (low === NO_DIGIT || ESCAPE_OF[byte] !== LETTER_U) return -1;
  out.bytes[out.at] = byte;
  out.at += 1;
  return at + LONGEST_ESCAPE_BYTES;
}
