import { type EventBatch, NULL_LENGTH, type Spans } from '../../core/event-batch.ts';
import { parseUuid, UUID_BYTES } from '../../core/uuid-text.ts';
import type { ByteSource } from '../byte-source.ts';
import { type ByteWriter, reserve } from '../byte-writer.ts';
import { chunkDamage } from '../chunk-damage.ts';
import { type ColumnPart, ENCODING, type Encoding } from './layout.ts';
import { readValues, writeValues } from './values.ts';

/**
 * Ids that are all UUIDs, as 16 bytes or as their canonical text (which is the same id), as 16 planes: the first
 * byte of each id, then the second of each, and so on, because the leading bytes of time-ordered ids are alike.
 * Any other ids as values.
 */
export function writeIds(out: ByteWriter, source: ByteSource, batch: EventBatch): Encoding {
  if (batch.idKind === 'uuid') {
    writePlanes(out, source.bytes, batch.id.starts, batch.count);
    return ENCODING.uuidPlanes;
  }
  const uuids = allUuids(source.bytes, batch.id, batch.count);
  if (uuids === null) {
    writeValues(out, source, batch.id, batch.count);
    return ENCODING.values;
  }
  writePlanes(out, uuids, null, batch.count);
  return ENCODING.uuidPlanes;
}

/** The ids as 16 bytes each when all of them are canonical UUID text; else null. */
function allUuids(bytes: Buffer, id: Spans, count: number): Buffer | null {
  if (count > 0 && !isUuid(bytes, id, 0)) return null;
  const uuids = Buffer.allocUnsafe(count * UUID_BYTES);
  for (let row = 0; row < count; row += 1) {
    if (!parseUuid(bytes, id.starts[row]!, id.lengths[row]!, uuids, row * UUID_BYTES)) return null;
  }
  return uuids;
}

function isUuid(bytes: Buffer, id: Spans, row: number): boolean {
  return parseUuid(bytes, id.starts[row]!, id.lengths[row]!, scratch, 0);
}

const scratch = new Uint8Array(UUID_BYTES);

/** `starts` null: the ids lie one behind the other. */
function writePlanes(out: ByteWriter, ids: Buffer, starts: Uint32Array | null, count: number): void {
  reserve(out, count * UUID_BYTES);
  const { bytes, at } = out;
  for (let row = 0; row < count; row += 1) {
    spread(bytes, at + row, count, ids, starts === null ? row * UUID_BYTES : starts[row]!);
  }
  out.at = at + count * UUID_BYTES;
}

/** Writes the bytes of an id `step` apart. */
function spread(bytes: Buffer, to: number, step: number, ids: Buffer, start: number): void {
  let at = to;
  for (let plane = 0; plane < UUID_BYTES; plane += 1) {
    bytes[at] = ids[start + plane]!;
    at += step;
  }
}

export function refuseShortPlanes({ reader }: ColumnPart, count: number): void {
  if (reader.end - reader.at === count * UUID_BYTES) return;
  throw chunkDamage(
    'columns',
    `column "id" does not have ${UUID_BYTES} bytes for each of ${count} events`,
    reader.at,
  );
}

/** Appends the ids to `out`, each in one piece; the room must have been reserved. */
export function readPlanes({ reader }: ColumnPart, count: number, out: ByteWriter, id: Spans): void {
  const { bytes: from, at: planes } = reader;
  const { bytes: to, at } = out;
  for (let row = 0; row < count; row += 1) {
    const start = at + row * UUID_BYTES;
    let plane = planes + row;
    for (let i = 0; i < UUID_BYTES; i += 1) {
      to[start + i] = from[plane]!;
      plane += count;
    }
    id.starts[row] = start;
  }
  id.lengths.fill(UUID_BYTES, 0, count);
  out.at = at + count * UUID_BYTES;
}

/** Ids as values; neither SQL NULL nor UUIDs throughout, which the encoder stores as planes. */
export function readTextIds(part: ColumnPart, id: Spans, count: number): void {
  readValues('id', part, id, count);
  if (id.lengths.subarray(0, count).includes(NULL_LENGTH)) {
    throw chunkDamage('columns', 'column "id" has an event without an id', part.encodingAt);
  }
  for (let row = 0; row < count; row += 1) if (!isUuid(part.reader.bytes, id, row)) return;
  throw chunkDamage('columns', 'column "id" has UUIDs stored as text', part.encodingAt);
}
