import { plainTextEnd } from './json-text.ts';
import { sequenceEnd } from './utf8.ts';

/** True when the bytes are one JSON value (RFC 8259) in UTF-8, with or without white space around it. */
export function isJson(bytes: Uint8Array, start: number, end: number): boolean {
  return skipJson(bytes, start, end, BLANKS) === end;
}

/** True when the bytes are JSON without a line break, which a line can hold as they are. */
export function isJsonLine(bytes: Uint8Array, start: number, end: number): boolean {
  return skipJson(bytes, start, end, BLANKS_IN_LINE) === end;
}

/** The place behind a JSON value without a line break and the white space around it; -1 when there is none. */
export function jsonLineEnd(bytes: Uint8Array, start: number, end: number): number {
  return skipJson(bytes, start, end, BLANKS_IN_LINE);
}

const TAB = 0x09;
const LINE_FEED = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const PLUS = 0x2b;
const COMMA = 0x2c;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const COLON = 0x3a;
const BRACKET_OPEN = 0x5b;
const BACKSLASH = 0x5c;
const BRACE_OPEN = 0x7b;
const BRACE_CLOSE = 0x7d;

const BLANKS_IN_LINE = byteSet(TAB, SPACE);
const BLANKS = byteSet(TAB, LINE_FEED, RETURN, SPACE);
const DIGITS = byteSet(...Buffer.from('0123456789'));
const HEX_DIGITS = byteSet(...Buffer.from('0123456789abcdefABCDEF'));
const SHORT_ESCAPES = byteSet(...Buffer.from('"\\/bfnrt'));

function byteSet(...members: number[]): Uint8Array {
  const set = new Uint8Array(256);
  for (const byte of members) set[byte] = 1;
  return set;
}

/** Closing brackets of what is open; deeper values get a longer one for the time. */
const OPEN = new Uint8Array(512);

/** Keeps its own stack, so that no depth of nesting overflows the program's. */
function skipJson(bytes: Uint8Array, start: number, end: number, blanks: Uint8Array): number {
  let open = OPEN;
  let depth = 0;
  let at = start;
  for (;;) {
    at = skipAll(bytes, at, end, blanks);
    const first = at < end ? bytes[at]! : 0;
    if (first === BRACE_OPEN || first === BRACKET_OPEN) {
      const close = first + 2;
      at = skipAll(bytes, at + 1, end, blanks);
      if (at < end && bytes[at] === close) at += 1;
      else {
        if (depth === open.length) open = doubled(open);
        open[depth] = close;
        depth += 1;
        if (first === BRACE_OPEN) at = skipKey(bytes, at, end, blanks);
        if (at === -1) return -1;
        continue;
      }
    } else at = first === QUOTE ? skipString(bytes, at + 1, end) : skipScalar(bytes, at, end);
    if (at === -1) return -1;
    for (;;) {
      at = skipAll(bytes, at, end, blanks);
      if (depth === 0) return at;
      const next = at < end ? bytes[at]! : 0;
      at += 1;
      if (next === COMMA) break;
      if (next !== open[depth - 1]) return -1;
      depth -= 1;
    }
    if (open[depth - 1] === BRACE_CLOSE) at = skipKey(bytes, skipAll(bytes, at, end, blanks), end, blanks);
    if (at === -1) return -1;
  }
}

function doubled(open: Uint8Array): Uint8Array<ArrayBuffer> {
  const longer = new Uint8Array(open.length * 2);
  longer.set(open);
  return longer;
}

function skipAll(bytes: Uint8Array, start: number, end: number, set: Uint8Array): number {
  let at = start;
  while (at < end && set[bytes[at]!] === 1) at += 1;
  return at;
}

function skipKey(bytes: Uint8Array, start: number, end: number, blanks: Uint8Array): number {
  if (start >= end || bytes[start] !== QUOTE) return -1;
  const afterString = skipString(bytes, start + 1, end);
  if (afterString === -1) return -1;
  const at = skipAll(bytes, afterString, end, blanks);
  return at < end && bytes[at] === COLON ? at + 1 : -1;
}

/** From behind the opening quote to behind the closing one. */
function skipString(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at !== -1) {
    at = plainTextEnd(bytes, at, end);
    if (at >= end) return -1;
    const byte = bytes[at]!;
    if (byte === QUOTE) return at + 1;
    at = byte === BACKSLASH ? skipEscape(bytes, at + 1, end) : sequenceEnd(bytes, at, end);
  }
  return -1;
}

function skipEscape(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end) return -1;
  if (SHORT_ESCAPES[bytes[at]!] === 1) return at + 1;
  const after = at + 5;
  if (bytes[at] !== LETTER_U || after > end) return -1;
  return skipAll(bytes, at + 1, after, HEX_DIGITS) === after ? after : -1;
}

const LETTER_U = 0x75;

function skipScalar(bytes: Uint8Array, start: number, end: number): number {
  if (start >= end) return -1;
  if (bytes[start] === MINUS || DIGITS[bytes[start]!] === 1) return skipNumber(bytes, start, end);
  for (const word of WORDS) if (startsWith(bytes, start, end, word)) return start + word.length;
  return -1;
}

const WORDS = [Buffer.from('true'), Buffer.from('false'), Buffer.from('null')] as const;

function startsWith(bytes: Uint8Array, start: number, end: number, word: Uint8Array): boolean {
  if (end - start < word.length) return false;
  for (let i = 0; i < word.length; i += 1) if (bytes[start + i] !== word[i]) return false;
  return true;
}

function skipNumber(bytes: Uint8Array, start: number, end: number): number {
  let at = bytes[start] === MINUS ? start + 1 : start;
  at = at < end && bytes[at] === ZERO ? at + 1 : skipDigits(bytes, at, end);
  if (at !== -1 && at < end && bytes[at] === POINT) at = skipDigits(bytes, at + 1, end);
  // The letter of the exponent in either case.
  if (at === -1 || at >= end || (bytes[at]! | 0x20) !== LETTER_E) return at;
  const signed = at + 1 < end && (bytes[at + 1] === PLUS || bytes[at + 1] === MINUS);
  return skipDigits(bytes, signed ? at + 2 : at + 1, end);
}

const LETTER_E = 0x65;

/** One digit or more; -1 when there is none. */
function skipDigits(bytes: Uint8Array, start: number, end: number): number {
  const at = skipAll(bytes, start, end, DIGITS);
  return at > start ? at : -1;
}
