import { type ByteWriter, reserve } from '../byte-writer.ts';
import { chunkDamage } from '../chunk-damage.ts';
import { type ByteReader, makeByteReader } from '../varint.ts';

/** How a column's bytes are to be read. The numbers are part of the format. */
export const ENCODING = {
  uuidPlanes: 1,
  dictionary: 2,
  versionSteps: 3,
  timeSteps: 4,
  values: 5,
  constant: 6,
  sparse: 7,
  templates: 8,
} as const;
export type Encoding = (typeof ENCODING)[keyof typeof ENCODING];

/** Columns in the order of the chunk. The last one is there only when an event has a time text. */
export const COLUMN_NAMES = [
  'id',
  'stream',
  'version',
  'type',
  'time',
  'data',
  'metadata',
  'timeText',
] as const;
export type ColumnName = (typeof COLUMN_NAMES)[number];

const MAGIC = Buffer.from('ECC1', 'ascii');
const COUNT_AT = 4;
const COLUMN_COUNT_AT = 8;
const DIRECTORY_AT = 10;

/** Where a column's encoding and length stand in the directory of the chunk being written. */
export type DirectoryPlaces = ReadonlyMap<ColumnName, number>;

/** Writes all that stands before the columns; encodings and lengths follow with `writeDirectoryEntry`. */
export function writeHeader(out: ByteWriter, count: number, names: readonly ColumnName[]): DirectoryPlaces {
  reserve(out, DIRECTORY_AT + names.length * 32);
  MAGIC.copy(out.bytes, 0);
  out.bytes.writeUInt32LE(count, COUNT_AT);
  out.bytes.writeUInt16LE(names.length, COLUMN_COUNT_AT);
  out.at = DIRECTORY_AT;
  const places = new Map<ColumnName, number>();
  for (const name of names) {
    out.bytes[out.at] = name.length;
    places.set(name, out.at + 1 + out.bytes.write(name, out.at + 1, 'ascii'));
    out.at += 1 + name.length + 5;
  }
  return places;
}

export function writeDirectoryEntry(
  out: ByteWriter,
  place: number,
  encoding: Encoding,
  sizeBytes: number,
): void {
  out.bytes[place] = encoding;
  out.bytes.writeUInt32LE(sizeBytes, place + 1);
}

/** A column as the directory describes it, not yet read. */
export interface ColumnPart {
  readonly encoding: number;
  /** Where the directory says so, for error messages. */
  readonly encodingAt: number;
  readonly reader: ByteReader;
}

export interface ChunkParts {
  readonly count: number;
  readonly columns: ReadonlyMap<ColumnName, ColumnPart>;
}

/** Reads the header and cuts the chunk into its columns, which fill it exactly. */
export function readHeader(bytes: Buffer): ChunkParts {
  if (bytes.length < DIRECTORY_AT) throw chunkDamage('columns', 'it ends inside its header', bytes.length);
  if (bytes.compare(MAGIC, 0, MAGIC.length, 0, MAGIC.length) !== 0) {
    throw chunkDamage('columns', 'it does not start with ECC1', 0);
  }
  const entries = readDirectory(bytes, bytes.readUInt16LE(COLUMN_COUNT_AT));
  const columns = new Map<ColumnName, ColumnPart>();
  let start = entries.end;
  for (const { name, encoding, encodingAt, sizeBytes } of entries.list) {
    const reader = makeByteReader('columns', bytes, start, start + sizeBytes);
    columns.set(name, { encoding, encodingAt, reader });
    start += sizeBytes;
  }
  if (start !== bytes.length)
    throw chunkDamage('columns', `columns that end at ${start} in a chunk that ends`, bytes.length);
  return { count: bytes.readUInt32LE(COUNT_AT), columns };
}

interface DirectoryEntry {
  readonly name: ColumnName;
  readonly encoding: number;
  readonly encodingAt: number;
  readonly sizeBytes: number;
}

function readDirectory(bytes: Buffer, columnCount: number): { list: DirectoryEntry[]; end: number } {
  if (columnCount < COLUMN_NAMES.length - 1 || columnCount > COLUMN_NAMES.length) {
    throw chunkDamage('columns', `${columnCount} columns`, COLUMN_COUNT_AT);
  }
  const list: DirectoryEntry[] = [];
  let at = DIRECTORY_AT;
  for (const name of COLUMN_NAMES.slice(0, columnCount)) {
    const encodingAt = at + 1 + (bytes[at] ?? 0);
    if (encodingAt + 5 > bytes.length) throw chunkDamage('columns', 'it ends inside its directory', at);
    const found = bytes.toString('latin1', at + 1, encodingAt);
    if (found !== name) {
      throw chunkDamage('columns', `column ${JSON.stringify(found)} where "${name}" belongs`, at);
    }
    const sizeBytes = bytes.readUInt32LE(encodingAt + 1);
    list.push({ name, encoding: bytes[encodingAt]!, encodingAt, sizeBytes });
    at = encodingAt + 5;
  }
  return { list, end: at };
}

/** The error for a column whose encoding is none of those that it may have. */
export function unknownEncoding(name: ColumnName, part: ColumnPart): Error {
  return chunkDamage('columns', `column "${name}" has unknown encoding ${part.encoding}`, part.encodingAt);
}

/** Throws when bytes are left behind the last value of a column. */
export function endColumn(name: ColumnName, { reader }: ColumnPart): void {
  if (reader.at !== reader.end)
    throw chunkDamage('columns', `bytes behind the last value of "${name}"`, reader.at);
}
