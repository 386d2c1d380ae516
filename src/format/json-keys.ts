import { closingQuote } from './json-text.ts';

/** The keys of a JSON object itself, not of what is in it, without making values of it. None for another value. */
export function* objectKeys(bytes: Buffer, start: number, end: number): Generator<string> {
  let depth = 0;
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at]!;
    if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      if (depth === 0 && byte === OPEN_ARRAY) return;
      depth += 1;
    } else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
      depth -= 1;
    } else if (byte === QUOTE) {
      const close = closingQuote(bytes, at + 1, end);
      if (close === -1) return;
      if (depth === 1 && isKey(bytes, close + 1, end)) yield keyText(bytes, at, close + 1);
      at = close;
    }
  }
}

const QUOTE = 0x22;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const [OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY] = [0x7b, 0x7d, 0x5b, 0x5d];
const SPACE = 0x20;

function isKey(bytes: Buffer, from: number, end: number): boolean {
  let at = from;
  while (at < end && bytes[at]! <= SPACE) at += 1;
  return bytes[at] === COLON;
}

function keyText(bytes: Buffer, start: number, end: number): string {
  const text = bytes.toString('utf8', start, end);
  const isEscaped = bytes.subarray(start, end).includes(BACKSLASH);
  if (!isEscaped) return text.slice(1, -1);
  try {
    return String(JSON.parse(text));
  } catch {
    return text;
  }
}
