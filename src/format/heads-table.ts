import { nameBytes } from '../core/name-text.ts';
import { setStream } from '../core/stream-entry.ts';
import type { StreamFacts, StreamTable } from '../core/stream-table.ts';
import { decodeHeads } from './heads.ts';

/** Whether the stream whose name stands at this place is to be read. */
export type IsWanted = (bytes: Uint8Array, start: number, length: number) => boolean;

/**
 * Puts each line of a heads chunk into the table, in the place of what it held of the stream: the chunks of a chain's
 * backups, oldest first, give what the chain holds. Usual lines are read byte by byte, as there may be millions. Throws
 * `damaged`.
 */
export function readHeadsInto(table: StreamTable, plain: Uint8Array, isWanted: IsWanted = () => true): void {
  const line = makeUsualLine(plain);
  let at = 0;
  while (at < plain.length) {
    const end = readUsualLine(line, at);
    if (end === NOT_USUAL) {
      const found = plain.indexOf(NEWLINE, at);
      const next = found === -1 ? plain.length : found + 1;
      setUnusual(table, plain.subarray(at, next), isWanted);
      at = next;
      continue;
    }
    const { name } = line;
    if (isWanted(name.bytes, name.start, name.length)) setStream(table, name, line.facts, line.lastId);
    at = end;
  }
}

/** A line of printable ASCII without escapes, gaps and doubled versions, and with a UUID as its last id. */
interface UsualLine {
  readonly bytes: Uint8Array;
  readonly name: { bytes: Uint8Array; start: number; length: number };
  readonly facts: { -readonly [Key in keyof StreamFacts]: StreamFacts[Key] };
  readonly lastId: { bytes: Uint8Array; start: number; length: number; idKind: 'text' };
}

/** One for all lines of a chunk: each is put into it in its turn. */
function makeUsualLine(bytes: Uint8Array): UsualLine {
  return {
    bytes,
    name: { bytes, start: 0, length: 0 },
    facts: { events: 0, firstVersion: 0, lastVersion: 0, gaps: [], duplicates: 0 },
    lastId: { bytes, start: 0, length: UUID_TEXT_BYTES, idKind: 'text' },
  };
}

const NEWLINE = 0x0a;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const ZERO = 0x30;
const NOT_USUAL = -1;
const UUID_TEXT_BYTES = 36;
/** More digits might not be exact. */
const MAX_DIGITS = 15;

const PREFIX = Buffer.from('{"streamId":"');
const NUMBERS = (['events', 'firstVersion', 'lastVersion'] as const).map((fact, i) => ({
  fact,
  key: Buffer.from(`${i === 0 ? '"' : ''},"${fact}":`),
}));
/** Perhaps the text of a name that is no UTF-8. */
const BASE64 = Buffer.from('base64:');
const ID_KEY = Buffer.from(',"lastEventId":"');
const END = Buffer.from('"}\n');

/** Reads the line at `at`; gives the start of the next one, or `NOT_USUAL`. */
function readUsualLine(line: UsualLine, at: number): number {
  const { bytes, name, facts, lastId } = line;
  if (!isAt(bytes, at, PREFIX)) return NOT_USUAL;
  name.start = at + PREFIX.length;
  let next = name.start;
  for (; next < bytes.length; next += 1) {
    const byte = bytes[next]!;
    if (byte === QUOTE) break;
    if (byte === BACKSLASH || byte >= 0x80 || byte < 0x20) return NOT_USUAL;
  }
  name.length = next - name.start;
  if (isAt(bytes, name.start, BASE64)) return NOT_USUAL;
  for (let i = 0; i < NUMBERS.length; i += 1) {
    const { fact, key } = NUMBERS[i]!;
    if (!isAt(bytes, next, key)) return NOT_USUAL;
    const start = next + key.length;
    let number = 0;
    for (next = start; next < bytes.length; next += 1) {
      const digit = bytes[next]! - ZERO;
      if (digit < 0 || digit > 9) break;
      number = number * 10 + digit;
    }
    if (next === start || next - start > MAX_DIGITS) return NOT_USUAL;
    if (bytes[start] === ZERO && next - start > 1) return NOT_USUAL;
    facts[fact] = number;
  }
  if (!isAt(bytes, next, ID_KEY)) return NOT_USUAL;
  lastId.start = next + ID_KEY.length;
  const end = lastId.start + UUID_TEXT_BYTES;
  return isAt(bytes, end, END) && isPlain(bytes, lastId.start, end) ? end + END.length : NOT_USUAL;
}

/** Whether these stand for themselves in JSON. */
function isPlain(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at]!;
    if (byte < 0x20 || byte >= 0x80 || byte === QUOTE || byte === BACKSLASH) return false;
  }
  return true;
}

function isAt(bytes: Uint8Array, at: number, text: Uint8Array): boolean {
  for (let i = 0; i < text.length; i += 1) if (bytes[at + i] !== text[i]) return false;
  return true;
}

function setUnusual(table: StreamTable, plain: Uint8Array, isWanted: IsWanted): void {
  for (const { streamId, lastEventId, gaps, duplicates = 0, ...facts } of decodeHeads(plain)) {
    const name = nameBytes(streamId);
    if (!isWanted(name, 0, name.length)) continue;
    const id = Buffer.from(lastEventId);
    setStream(
      table,
      { bytes: name, start: 0, length: name.length },
      { ...facts, gaps: gaps ?? [], duplicates },
      { bytes: id, start: 0, length: id.length, idKind: 'text' },
    );
  }
}
