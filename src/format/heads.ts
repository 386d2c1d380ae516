import { BackupError } from '../core/errors.ts';
import { nameText } from '../core/name-text.ts';
import { headId, type StreamTable, sortedStreams, streamFacts, streamName } from '../core/stream-table.ts';

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

const HEADS_CHUNK_BYTES = 1 << 18;

/** The heads of a table as JSON Lines in byte order of the stream names, in chunks of about 256 KiB. */
export function* encodeHeads(table: StreamTable): Generator<{ plain: Buffer; records: number }> {
  let lines: string[] = [];
  let bytes = 0;
  for (const index of sortedStreams(table)) {
    const line = `${headText(table, index)}\n`;
    lines.push(line);
    bytes += line.length;
    if (bytes < HEADS_CHUNK_BYTES) continue;
    yield { plain: Buffer.from(lines.join('')), records: lines.length };
    lines = [];
    bytes = 0;
  }
  if (lines.length > 0) yield { plain: Buffer.from(lines.join('')), records: lines.length };
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
  return [line.events, line.firstVersion, line.lastVersion].every(Number.isSafeInteger);
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

/** A HeadLine as JSON, its keys in the order of the format. Spelt out: there may be millions. */
function headText(table: StreamTable, index: number): string {
  const { events, firstVersion, lastVersion, gaps, duplicates } = streamFacts(table, index);
  const streamId = JSON.stringify(nameText(streamName(table, index)));
  const lastEventId = JSON.stringify(headId(table, index));
  const versions = `"events":${events},"firstVersion":${firstVersion},"lastVersion":${lastVersion}`;
  const more = gaps.length > 0 ? `,"gaps":${JSON.stringify(gaps)}` : '';
  const doubled = duplicates > 0 ? `,"duplicates":${duplicates}` : '';
  return `{"streamId":${streamId},${versions},"lastEventId":${lastEventId}${more}${doubled}}`;
}
