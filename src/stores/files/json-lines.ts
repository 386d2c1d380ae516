/**
 * Where the values of an event's line lie. What is read here was parsed before (`transaction.ts`), so its structure is
 * trusted; the text of a value stays as it is, which a parser would not give back (numbers, order of keys, escapes).
 */

/** First byte and the one behind the last; of a string with its quotes. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export const EVENT_KEYS = [
  ...['record', 'event_id', 'stream_id', 'stream_version', 'event_type', 'event_data', 'metadata'],
] as const;
export type EventSpans = Readonly<Record<string, Span>>;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const LINE_FEED = 0x0a;

/** Each line that is not blank, without its end: as Rust's `lines()` cuts them. */
export function* linesOf(bytes: Uint8Array, start: number): Generator<Span> {
  let from = start;
  while (from < bytes.length) {
    const found = bytes.indexOf(LINE_FEED, from);
    const end = found === -1 ? bytes.length : found;
    if (!isBlank(bytes, from, end)) yield { start: from, end };
    from = end + 1;
  }
}

function isBlank(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) if (!isSpace(bytes[at]!)) return false;
  return true;
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;
}

/** The values of an object's keys; null when a key is there twice, which EventCore's reader refuses. */
export function valueSpans(bytes: Uint8Array, line: Span): EventSpans | null {
  const spans: Record<string, Span> = Object.create(null);
  let at = skipSpace(bytes, skipSpace(bytes, line.start) + 1);
  while (bytes[at] === QUOTE) {
    const keyEnd = skipString(bytes, at);
    const key = decodeString(bytes, { start: at, end: keyEnd });
    // Behind the colon.
    const start = skipSpace(bytes, skipSpace(bytes, keyEnd) + 1);
    const end = skipValue(bytes, start);
    if (key in spans) return null;
    spans[key] = { start, end };
    at = skipSpace(bytes, skipSpace(bytes, end) + 1);
  }
  return spans;
}

function skipSpace(bytes: Uint8Array, from: number): number {
  let at = from;
  while (isSpace(bytes[at] ?? 0)) at += 1;
  return at;
}

function skipString(bytes: Uint8Array, from: number): number {
  let at = from + 1;
  while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
  return at + 1;
}

const OPENING = [0x7b, 0x5b];
const CLOSING = [0x7d, 0x5d];
const COMMA = 0x2c;

function skipValue(bytes: Uint8Array, from: number): number {
  if (bytes[from] === QUOTE) return skipString(bytes, from);
  if (!OPENING.includes(bytes[from]!)) return skipScalar(bytes, from);
  let depth = 0;
  let at = from;
  do {
    const byte = bytes[at]!;
    if (byte === QUOTE) {
      at = skipString(bytes, at);
      continue;
    }
    if (byte === 0x7b || byte === 0x5b) depth += 1;
    else if (byte === 0x7d || byte === 0x5d) depth -= 1;
    at += 1;
  } while (depth > 0 && at < bytes.length);
  return at;
}

function skipScalar(bytes: Uint8Array, from: number): number {
  let at = from;
  while (at < bytes.length && bytes[at] !== COMMA && !CLOSING.includes(bytes[at]!) && !isSpace(bytes[at]!))
    at += 1;
  return at;
}

/** The text that a string stands for. */
export function decodeString(bytes: Uint8Array, span: Span): string {
  const text = sliceText(bytes, span);
  return text.includes('\\') ? JSON.parse(text) : text.slice(1, -1);
}

/** The bytes that a string stands for, without copying where it has no escapes. */
export function stringBytes(bytes: Uint8Array, { start, end }: Span): Uint8Array {
  const inner = bytes.subarray(start + 1, end - 1);
  return inner.includes(BACKSLASH) ? Buffer.from(decodeString(bytes, { start, end })) : inner;
}

export function sliceText(bytes: Uint8Array, { start, end }: Span): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString();
}

/**
 * JSON text in one line: only where it has line breaks, which can stand between values alone, are the spaces taken out.
 * Numbers, escapes and the order of keys stay.
 */
export function inOneLine(json: string): string {
  const text = json.trim();
  if (!/[\r\n]/.test(text)) return text;
  return text.replace(/"(?:[^"\\]|\\.)*"|[ \t\r\n]+/g, (part) => (part[0] === '"' ? part : ''));
}
