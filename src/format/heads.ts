import { BackupError } from '../core/errors.ts';
import { nameText } from '../core/name-text.ts';
import { getSparse } from '../core/sparse.ts';
import { sortedStreams } from '../core/stream-order.ts';
import { type StreamTable, streamFacts, streamName } from '../core/stream-table.ts';
import { UUID_BYTES } from '../core/uuid-text.ts';
import {
  type ByteWriter,
  clearWriter,
  makeByteWriter,
  reserve,
  writeLiteral,
  writtenBytes,
} from './byte-writer.ts';
import { ZERO } from './digits.ts';
import { writeUuid } from './uuid-text.ts';

/** One line of the heads file (FORMAT.md §6): what the backup holds of one stream. */
export interface HeadLine {
  readonly streamId: string;
  readonly events: number;
  readonly firstVersion: number;
  readonly lastVersion: number;
  readonly lastEventId: string;
  /** Missing versions in between, inclusive; only when the store itself lacked them. */
  readonly gaps?: readonly (readonly [number, number])[];
  readonly duplicates?: number;
}

/** Small, so that one stream is looked up with few bytes; whoever reads all fetches many at once. */
const HEADS_CHUNK_BYTES = 1 << 16;

/**
 * The heads of a table as JSON Lines in byte order of the stream names, in chunks of about 64 KiB. A chunk is valid until
 * the next one is asked for.
 */
export function* encodeHeads(table: StreamTable): Generator<{ plain: Uint8Array; records: number }> {
  const out = makeByteWriter();
  let records = 0;
  for (const index of sortedStreams(table)) {
    writeHead(out, table, index);
    records += 1;
    if (out.at < HEADS_CHUNK_BYTES) continue;
    yield { plain: writtenBytes(out), records };
    clearWriter(out);
    records = 0;
  }
  if (records > 0) yield { plain: writtenBytes(out), records };
}

/** Reads one plain chunk of a heads file. Throws `damaged`. */
export function decodeHeads(plain: Uint8Array): HeadLine[] {
  return decodeLines(plain, 'heads').map((value) => {
    const line = value as HeadLine;
    if (isHeadLine(line)) return line;
    throw new BackupError('damaged', 'a line of the heads is not one of a stream');
  });
}

function isHeadLine(line: HeadLine | null): boolean {
  if (typeof line?.streamId !== 'string' || typeof line.lastEventId !== 'string') return false;
  const { events, firstVersion, lastVersion, duplicates } = line;
  if (![events, firstVersion, lastVersion].every(Number.isSafeInteger)) return false;
  if (duplicates !== undefined && !Number.isSafeInteger(duplicates)) return false;
  return line.gaps === undefined || areGaps(line.gaps, firstVersion, lastVersion);
}

/** Whether these lie one behind the other, apart from one another and inside of the versions. */
function areGaps(gaps: unknown, firstVersion: number, lastVersion: number): boolean {
  if (!Array.isArray(gaps)) return false;
  let behind = firstVersion;
  for (const gap of gaps as unknown[]) {
    if (!Array.isArray(gap) || gap.length !== 2 || !gap.every(Number.isSafeInteger)) return false;
    const [first, last] = gap as [number, number];
    if (first <= behind || last < first) return false;
    behind = last + 1;
  }
  return gaps.length === 0 || behind <= lastVersion;
}

/** The values of a chunk of JSON Lines. Throws `damaged`. */
export function decodeLines(plain: Uint8Array, file: string): unknown[] {
  const text = Buffer.from(plain.buffer, plain.byteOffset, plain.byteLength).toString('utf8');
  const lines = text.split('\n');
  if (lines.pop() !== '') throw new BackupError('damaged', `the last line of the ${file} has no end`);
  return lines.map((line) => {
    try {
      return JSON.parse(line) as unknown;
    } catch (cause) {
      throw new BackupError('damaged', `a line of the ${file} is no JSON`, { cause });
    }
  });
}

/** A HeadLine as JSON, its keys in the order of the format. Byte by byte: there may be millions. */
function writeHead(out: ByteWriter, table: StreamTable, index: number): void {
  const { events, firstVersion, lastVersion, gaps, duplicates } = streamFacts(table, index);
  const name = streamName(table, index);
  reserve(out, name.length + USUAL_LINE_BYTES);
  writeLiteral(out, STREAM_ID);
  if (isPlainAscii(name)) copyBytes(out, name);
  else writeText(out, JSON.stringify(nameText(name)).slice(1, -1));
  writeLiteral(out, EVENTS);
  writeNumber(out, events);
  writeLiteral(out, FIRST_VERSION);
  writeNumber(out, firstVersion);
  writeLiteral(out, LAST_VERSION);
  writeNumber(out, lastVersion);
  writeLiteral(out, LAST_EVENT_ID);
  writeHeadId(out, table, index);
  const more = gaps.length > 0 ? `,"gaps":${JSON.stringify(gaps)}` : '';
  const doubled = duplicates > 0 ? `,"duplicates":${duplicates}` : '';
  writeText(out, `"${more}${doubled}}\n`);
}

const [STREAM_ID, EVENTS, FIRST_VERSION, LAST_VERSION, LAST_EVENT_ID] = [
  '{"streamId":"',
  '","events":',
  ',"firstVersion":',
  ',"lastVersion":',
  ',"lastEventId":"',
].map((text) => Buffer.from(text)) as [Buffer, Buffer, Buffer, Buffer, Buffer];

/** All keys, four numbers and a UUID. */
const USUAL_LINE_BYTES = 256;

function writeHeadId(out: ByteWriter, table: StreamTable, index: number): void {
  const text = getSparse(table.headTextIds, index);
  if (text === undefined) writeUuid(out, table.headIds, index * UUID_BYTES);
  else writeText(out, JSON.stringify(text).slice(1, -1));
}

function writeText(out: ByteWriter, text: string): void {
  reserve(out, text.length * 3 + USUAL_LINE_BYTES);
  out.at += out.bytes.write(text, out.at, 'utf8');
}

function writeNumber(out: ByteWriter, number: number): void {
  if (number >= 0 && number < 10) {
    out.bytes[out.at] = ZERO + number;
    out.at += 1;
  } else {
    out.at += out.bytes.write(String(number), out.at, 'latin1');
  }
}

function copyBytes(out: ByteWriter, bytes: Uint8Array): void {
  out.bytes.set(bytes, out.at);
  out.at += bytes.length;
}

/** Printable, and nothing that JSON escapes. */
function isPlainAscii(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i += 1) {
    const byte = bytes[i]!;
    if (byte < 0x20 || byte > 0x7e || byte === QUOTE || byte === BACKSLASH) return false;
  }
  return true;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
