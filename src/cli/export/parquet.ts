import { isUtf8 } from 'node:buffer';
import { zstdCompressSync } from 'node:zlib';
import type { SchemaElement, Writer } from 'hyparquet-writer';
import { BackupError } from '../../core/errors.ts';
import { type EventBatch, NULL_LENGTH, type Spans } from '../../core/event-batch.ts';
import { formatTime, timeToUnixUs } from '../../core/time.ts';
import type { EventWriter } from './events.ts';
import type { ExportSink } from './sink.ts';

type Library = typeof import('hyparquet-writer');

/** A row group is held in memory until it is written. It ends with the batch that fills it, or before the one that has no room. */
const GROUP_ROWS = 50_000;
const GROUP_BYTES = 32 << 20;

const TEXTS = ['id', 'streamId', 'type', 'metadata', 'data'] as const;
type TextName = (typeof TEXTS)[number];
type Text = string | Uint8Array | null;

/** A row an event, in the order of the columns. */
const COLUMNS = [
  text('id'),
  text('streamId'),
  { name: 'version', type: 'INT64', repetition_type: 'REQUIRED' },
  text('type'),
  {
    ...({ name: 'recordedAt', type: 'INT64', repetition_type: 'OPTIONAL' } as const),
    ...{ converted_type: 'TIMESTAMP_MICROS' as const },
    logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MICROS' },
  },
  text('recordedAtText'),
  text('metadata'),
  text('data'),
  text('notUtf8'),
] as const satisfies readonly SchemaElement[];
const SCHEMA: SchemaElement[] = [{ name: 'event', num_children: COLUMNS.length }, ...COLUMNS];

/**
 * Of these readers learn which row groups to pass over. The library keeps the least and the greatest until the end: texts are strings, since
 * bytes would hold all the memory that they lie in.
 */
const WITH_STATISTICS: ReadonlySet<string> = new Set(['streamId', 'version', 'type', 'recordedAt']);
/** Hardly a value comes twice: not even looked at for a dictionary. */
const DISTINCT: ReadonlySet<string> = new Set(['id', 'metadata', 'data']);

function text<Name extends string>(name: Name) {
  return {
    ...({ name, type: 'BYTE_ARRAY', repetition_type: 'OPTIONAL', converted_type: 'UTF8' } as const),
    logical_type: { type: 'STRING' as const },
  };
}

interface Group extends Record<TextName, Text[]> {
  version: bigint[];
  recordedAt: (bigint | null)[];
  recordedAtText: (string | null)[];
  notUtf8: (string | null)[];
  /** What values lie in, `used` bytes of it: the same one for each group. */
  arena: Buffer;
  used: number;
}

export interface ParquetOptions {
  readonly groupRows?: number;
  readonly load?: () => Promise<Library>;
}

/**
 * Apache Parquet, a row an event, compressed with zstd. Texts are the store's bytes; a value that is no UTF-8, which a text of Parquet cannot hold,
 * is null, and stands in `notUtf8` as base64. Throws `usage` where the library is not installed.
 */
export async function parquetWriter(
  sink: ExportSink,
  software: string,
  { groupRows = GROUP_ROWS, load = () => import('hyparquet-writer') }: ParquetOptions = {},
): Promise<EventWriter> {
  const { ByteWriter, ParquetWriter } = await loaded(load);
  const out = flushingInto(new ByteWriter(), sink);
  const file = new ParquetWriter({
    ...{ writer: out.writer, schema: SCHEMA, codec: 'ZSTD', createdBy: software },
    compressors: { ZSTD: (bytes) => zstdCompressSync(bytes) },
  });
  let group = emptyGroup(Buffer.alloc(0));
  const flush = async (): Promise<boolean> => {
    await file.write({ columnData: columnsOf(group), rowGroupSize: group.id.length });
    group = emptyGroup(group.arena);
    return out.goesOn();
  };
  return {
    write: async (batch) => {
      const fits = group.used + batch.bytes.length <= group.arena.length;
      if (!fits && group.id.length > 0 && !(await flush())) return false;
      addBatch(group, batch);
      return group.id.length >= groupRows ? flush() : true;
    },
    end: async () => {
      if (group.id.length > 0 && !(await flush())) return false;
      await file.finish();
      return out.goesOn();
    },
  };
}

async function loaded(load: () => Promise<Library>): Promise<Library> {
  try {
    return await load();
  } catch (cause) {
    throw new BackupError('usage', 'what writes Parquet is not installed', {
      hint: 'npm install hyparquet-writer, where eventcore-backup is installed',
      cause,
    });
  }
}

/** The library's buffer, emptied into the sink behind each row group. */
function flushingInto(writer: Writer, sink: ExportSink): { writer: Writer; goesOn: () => boolean } {
  let isRead = true;
  const flush = async (): Promise<void> => {
    const bytes = Buffer.from(writer.getBytes());
    Object.assign(writer, { index: 0 });
    isRead = isRead && (await sink.write(bytes));
  };
  return { writer: Object.assign(writer, { flush, finish: flush }), goesOn: () => isRead };
}

function columnsOf(group: Group) {
  return COLUMNS.map(({ name }) => ({
    ...{ name, data: group[name], statistics: WITH_STATISTICS.has(name), offsetIndex: false },
    ...(DISTINCT.has(name) ? { encoding: 'PLAIN' as const } : {}),
  }));
}

function emptyGroup(arena: Buffer): Group {
  return {
    ...{ id: [], streamId: [], type: [], metadata: [], data: [], version: [] },
    ...{ recordedAt: [], recordedAtText: [], notUtf8: [], arena, used: 0 },
  };
}

/** Takes over the events of a batch: its bytes are copied, once for all of them. */
function addBatch(group: Group, batch: EventBatch): void {
  const bytes = copyInto(group, batch.bytes);
  for (let row = 0; row < batch.count; row += 1) {
    const values: Record<TextName, Buffer | null> = {
      id: batch.idKind === 'uuid' ? uuidText(bytes, batch.id.starts[row]!) : span(bytes, batch.id, row),
      ...{ streamId: span(bytes, batch.stream, row), type: span(bytes, batch.type, row) },
      ...{ metadata: span(bytes, batch.metadata, row), data: span(bytes, batch.data, row) },
    };
    const odd: Record<string, string> = {};
    for (const name of TEXTS) {
      const value = values[name];
      const isOdd = value !== null && !isUtf8(value);
      if (isOdd) odd[name] = value.toString('base64');
      group[name].push(isOdd || value === null ? null : WITH_STATISTICS.has(name) ? value.toString() : value);
    }
    group.version.push(BigInt(batch.versions[row]!));
    addTime(group, batch.times[row]!, batch.timeTexts?.get(row), odd);
    const isPlain = Object.keys(odd).length === 0;
    group.notUtf8.push(isPlain ? null : JSON.stringify(odd));
  }
}

function copyInto(group: Group, bytes: Uint8Array): Buffer {
  if (bytes.length > group.arena.length)
    group.arena = Buffer.allocUnsafeSlow(Math.max(GROUP_BYTES, bytes.length));
  const from = group.used;
  group.arena.set(bytes, from);
  group.used += bytes.length;
  return group.arena.subarray(from, group.used);
}

/** A time that Parquet has no number for, as infinity, is a text alone. */
function addTime(
  group: Group,
  time: bigint,
  stored: Uint8Array | undefined,
  odd: Record<string, string>,
): void {
  const unixUs = timeToUnixUs(time);
  group.recordedAt.push(unixUs);
  if (stored !== undefined && !isUtf8(stored)) {
    odd.recordedAtText = Buffer.from(stored).toString('base64');
    group.recordedAtText.push(null);
  } else {
    const shown = stored === undefined ? null : Buffer.from(stored).toString();
    group.recordedAtText.push(shown ?? (unixUs === null ? formatTime(time) : null));
  }
}

function span(bytes: Buffer, { starts, lengths }: Spans, row: number): Buffer | null {
  const length = lengths[row]!;
  return length === NULL_LENGTH ? null : bytes.subarray(starts[row]!, starts[row]! + length);
}

function uuidText(bytes: Buffer, start: number): Buffer {
  const hex = bytes.toString('hex', start, start + 16);
  const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)];
  return Buffer.from(parts.join('-'), 'ascii');
}
