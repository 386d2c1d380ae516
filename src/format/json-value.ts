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

/** The place behind a JSON value and the white space around it; -1 when there is none. */
export function jsonEnd(bytes: Uint8Array, start: number, end: number): number {
  return skipJson(bytes, start, end, BLANKS);
}

const QUOTE = 0x22;
const PLUS = 0x2b;
const COMMA = 0x2c;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const COLON = 0x3a;
const BRACKET_OPEN = 0x5b;
const BACKSLASH = 0x5c;
const LETTER_E = 0x65;
const LETTER_U = 0x75;
const BRACE_OPEN = 0x7b;
const BRACE_CLOSE = 0x7d;

const WORDS = [Buffer.from('true'), Buffer.from('false'), Buffer.from('null')] as const;
const BLANKS_IN_LINE = byteSet(' \t');
const BLANKS = byteSet(' \t\n\r');
const DIGITS = byteSet('0123456789');
const HEX_DIGITS = byteSet('0123456789abcdefABCDEF');
const SHORT_ESCAPES = byteSet('"\\/bfnrt');

function byteSet(members: string): Uint8Array {
  const set = new Uint8Array(256);
  for (const byte of Buffer.from(members)) set[byte] = 1;
  return set;
}

/** What may come next. The `first` ones stand behind an opening bracket, where the closing one may come too. */
const VALUE = 0;
const KEY = 1;
const NEXT = 2;
const FIRST_VALUE = 3;
const FIRST_KEY = 4;

/** Closing brackets of what is open; a deeper value gets a longer array for the time. */
const OPEN = new Uint8Array(512);

/** One loop over the tokens with a stack of its own, so that no depth of nesting overflows the program's. */
function skipJson(bytes: Uint8Array, start: number, end: number, blanks: Uint8Array): number {
  let open = OPEN;
  let depth = 0;
  let closing = 0;
  let expected = VALUE;
  let at = start;
  while (at < end) {
    const byte = bytes[at]!;
    if (blanks[byte] === 1) {
      at += 1;
    } else if (expected === NEXT) {
      if (depth === 0) return at;
      at += 1;
      if (byte === COMMA) expected = closing === BRACE_CLOSE ? KEY : VALUE;
      else if (byte !== closing) return -1;
      else {
        depth -= 1;
        closing = depth === 0 ? 0 : open[depth - 1]!;
      }
    } else if (byte === QUOTE) {
      at = skipString(bytes, at + 1, end);
      if (at === -1) return -1;
      if (expected === VALUE || expected === FIRST_VALUE) expected = NEXT;
      else {
        at = skipColon(bytes, at, end, blanks);
        if (at === -1) return -1;
        expected = VALUE;
      }
    } else if (byte === closing && (expected === FIRST_VALUE || expected === FIRST_KEY)) {
      at += 1;
      depth -= 1;
      closing = depth === 0 ? 0 : open[depth - 1]!;
      expected = NEXT;
    } else if (expected === KEY || expected === FIRST_KEY) {
      return -1;
    } else if (byte === BRACE_OPEN || byte === BRACKET_OPEN) {
      at += 1;
      // In ASCII each closing bracket comes two places behind its opening one.
      closing = byte + 2;
      expected = byte === BRACE_OPEN ? FIRST_KEY : FIRST_VALUE;
      if (depth === open.length) open = doubled(open);
      open[depth] = closing;
      depth += 1;
    } else {
      at = skipNumberOrWord(bytes, at, end, byte);
      if (at === -1) return -1;
      expected = NEXT;
    }
  }
  return expected === NEXT && depth === 0 ? end : -1;
}

function doubled(open: Uint8Array): Uint8Array<ArrayBuffer> {
  const longer = new Uint8Array(open.length * 2);
  longer.set(open);
  return longer;
}

/** White space and the colon behind a key. */
function skipColon(bytes: Uint8Array, start: number, end: number, blanks: Uint8Array): number {
  const at = bytes[start] === COLON ? start : skipAll(bytes, start, end, blanks);
  return at < end && bytes[at] === COLON ? at + 1 : -1;
}

/** From behind the opening quote to behind the closing one. */
function skipString(bytes: Uint8Array, start: number, end: number): number {
  const at = plainTextEnd(bytes, start, end);
  if (at < end && bytes[at] === QUOTE) return at + 1;
  return skipUnusualString(bytes, at, end);
}

/** The rest of a string with an escape or with other than ASCII in it. */
function skipUnusualString(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end) {
    const byte = bytes[at]!;
    if (byte === QUOTE) return at + 1;
    at = byte === BACKSLASH ? skipEscape(bytes, at + 1, end) : sequenceEnd(bytes, at, end);
    if (at === -1) return -1;
    at = plainTextEnd(bytes, at, end);
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

function skipNumberOrWord(bytes: Uint8Array, start: number, end: number, first: number): number {
  if (DIGITS[first] === 1 || first === MINUS) return skipNumber(bytes, start, end);
  for (const word of WORDS) if (startsWith(bytes, start, end, word)) return start + word.length;
  return -1;
}

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
  const isSigned = at + 1 < end && (bytes[at + 1] === PLUS || bytes[at + 1] === MINUS);
  return skipDigits(bytes, isSigned ? at + 2 : at + 1, end);
}

/** One digit or more; -1 when there is none. */
function skipDigits(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && DIGITS[bytes[at]!] === 1) at += 1;
  return at > start ? at : -1;
}

function skipAll(bytes: Uint8Array, start: number, end: number, set: Uint8Array): number {
  let at = start;
  while (at < end && set[bytes[at]!] === 1) at += 1;
  return at;
}
