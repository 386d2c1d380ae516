import type { EventBatch } from '../../core/event-batch.ts';
import { type ByteWriter, reserve } from '../byte-writer.ts';
import { chunkDamage } from '../chunk-damage.ts';
import { MAX_VARINT_BYTES, readVarint, writeVarint } from '../varint.ts';
import { type ColumnPart, ENCODING, type Encoding, endColumn, unknownEncoding } from './layout.ts';

/** The events that have a time text, in order. */
export function rowsWithTimeText(batch: EventBatch): number[] {
  if (batch.timeTexts === null) return [];
  return [...batch.timeTexts.keys()].filter((row) => row < batch.count).sort((a, b) => a - b);
}

/**
 * The store's own time texts, of the few events that have one: how many, then for each the number of events
 * since the one before that has one, its length and its bytes.
 */
export function writeTimeTexts(
  out: ByteWriter,
  texts: ReadonlyMap<number, Uint8Array>,
  rows: readonly number[],
): Encoding {
  reserve(out, MAX_VARINT_BYTES);
  writeVarint(out, rows.length);
  let next = 0;
  for (const row of rows) {
    const text = texts.get(row)!;
    reserve(out, 2 * MAX_VARINT_BYTES + text.length);
    writeVarint(out, row - next);
    writeVarint(out, text.length);
    out.bytes.set(text, out.at);
    out.at += text.length;
    next = row + 1;
  }
  return ENCODING.sparse;
}

export function readTimeTexts(part: ColumnPart, count: number): ReadonlyMap<number, Uint8Array> {
  if (part.encoding !== ENCODING.sparse) throw unknownEncoding('timeText', part);
  const { reader } = part;
  const at = reader.at;
  const size = readVarint(reader);
  if (size === 0 || size > count) throw chunkDamage('columns', `column "timeText" has ${size} texts`, at);
  const texts = new Map<number, Uint8Array>();
  let next = 0;
  while (texts.size < size) {
    const row = next + readVarint(reader);
    const length = readVarint(reader);
    if (row >= count || length > reader.end - reader.at) {
      throw chunkDamage('columns', `column "timeText" has ${length} bytes for event ${row}`, reader.at);
    }
    texts.set(row, reader.bytes.subarray(reader.at, reader.at + length));
    reader.at += length;
    next = row + 1;
  }
  endColumn('timeText', part);
  return texts;
}
