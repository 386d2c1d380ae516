import { BackupError } from '../core/errors.ts';
import type { EventFacts } from '../core/event-facts.ts';
import { formatTime } from '../core/time.ts';

/** One line of a data file's chunk table (FORMAT.md §4). */
export interface ChunkEntry {
  readonly offset: number;
  readonly storedBytes: number;
  readonly plainBytes: number;
  /** SHA-256 (hex) of the stored bytes. */
  readonly sha256: string;
  readonly records: number;
  /** Only for events. */
  readonly events?: ChunkEvents;
}

export interface ChunkEvents {
  readonly earliest: string;
  readonly latest: string;
  readonly lowestVersion: number;
  readonly highestVersion: number;
  readonly streams: number;
  /** Base64 of the stream filter. */
  readonly filter: string;
}

export function chunkEvents(facts: EventFacts, streams: number, filter: Uint8Array): ChunkEvents {
  return {
    earliest: formatTime(facts.minTime),
    latest: formatTime(facts.maxTime),
    lowestVersion: facts.minVersion,
    highestVersion: facts.maxVersion,
    streams,
    filter: Buffer.from(filter.buffer, filter.byteOffset, filter.byteLength).toString('base64'),
  };
}

/** JSON Lines: a first line that names the data file, then one line a chunk. */
export function encodeIndex(fileName: string, entries: readonly ChunkEntry[]): Buffer {
  const line = (value: object): Buffer => Buffer.from(`${JSON.stringify(value)}\n`);
  // Never one string: the table of a file of some hundred GiB is longer than a string can be.
  return Buffer.concat([line({ index: 1, file: fileName, chunks: entries.length }), ...entries.map(line)]);
}

/**
 * Reads a chunk table and checks it against itself: the chunks lie one after the other from the file's first byte
 * to `fileBytes`. Throws `damaged`.
 */
export function decodeIndex(bytes: Uint8Array, fileName: string, fileBytes: number): ChunkEntry[] {
  const [head, ...entries] = Array.from(linesOf(bytes, fileName), (line) => parseLine(fileName, line));
  if (head === undefined || head.index !== 1) throw broken(fileName, 'its first line is no header');
  if (head.file !== fileName) throw broken(fileName, `it is the table of ${shown(head.file)}`);
  if (head.chunks !== entries.length)
    throw broken(fileName, `it has ${entries.length} chunks, not ${shown(head.chunks)}`);
  let offset = 0;
  for (const entry of entries) {
    if (!isEntry(entry) || entry.offset !== offset)
      throw broken(fileName, `a chunk at byte ${offset} is missing`);
    offset += entry.storedBytes;
  }
  if (offset !== fileBytes) throw broken(fileName, `its chunks have ${offset} bytes, the file ${fileBytes}`);
  return entries as unknown as ChunkEntry[];
}

/** Of what may be anything, no more than a message can bear. */
function shown(value: unknown): string {
  return typeof value === 'object' && value !== null
    ? 'something else'
    : (JSON.stringify(value) ?? 'nothing');
}

function* linesOf(bytes: Uint8Array, fileName: string): Generator<string> {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let start = 0; start < text.length; ) {
    const end = text.indexOf(0x0a, start);
    if (end === -1) throw broken(fileName, 'its last line has no end');
    yield text.toString('utf8', start, end);
    start = end + 1;
  }
}

function parseLine(fileName: string, line: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch (cause) {
    throw new BackupError('damaged', `chunk table of ${fileName} is damaged: a line is no JSON`, { cause });
  }
  throw broken(fileName, 'a line is no object');
}

function isEntry(entry: Record<string, unknown>): entry is Record<string, unknown> & ChunkEntry {
  const sizes = [entry.offset, entry.storedBytes, entry.plainBytes, entry.records];
  return (
    sizes.every((size) => Number.isSafeInteger(size) && (size as number) >= 0) &&
    typeof entry.sha256 === 'string' &&
    (entry.events === undefined || typeof (entry.events as ChunkEvents | null)?.filter === 'string')
  );
}

function broken(fileName: string, reason: string): BackupError {
  return new BackupError('damaged', `chunk table of ${fileName} is damaged: ${reason}`);
}
