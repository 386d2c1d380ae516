import type { EventBatch } from '../core/event-batch.ts';
import { UUID_BYTES } from '../core/uuid-text.ts';
import { byteSource } from './byte-source.ts';
import { type ByteWriter, clearWriter, copySpan, makeByteWriter, writtenBytes } from './byte-writer.ts';
import { chunkDamage } from './chunk-damage.ts';
import { readPlanes, readTextIds, refuseShortPlanes } from './columns/ids.ts';
import { type ColumnPart, ENCODING, readHeader, unknownEncoding } from './columns/layout.ts';
import { readNames } from './columns/names.ts';
import { expandTemplates } from './columns/templates-decode.ts';
import { readTimeTexts } from './columns/time-texts.ts';
import { readTimes } from './columns/times.ts';
import { readPayload } from './columns/values.ts';
import { readVersions } from './columns/versions.ts';
import { batchOf, type DecodedRows, growRows, makeDecodedRows } from './decoded-rows.ts';
import { makeNameDictionary, type NameDictionary } from './name-dictionary.ts';

interface ColumnsDecoder {
  readonly rows: DecodedRows;
  readonly names: NameDictionary;
  /** The chunk, and behind it its ids and texts put together. */
  readonly joined: ByteWriter;
  streamNumbers: Uint32Array;
  typeNumbers: Uint32Array;
  lastVersions: Float64Array;
}

/**
 * Decodes `columns` chunks; see ChunkCodec. Values stay where they lie in the chunk; only UUIDs have to be put together
 * from their planes, and texts from their templates.
 */
export function makeColumnsDecoder(): (plain: Uint8Array, withTexts: boolean) => EventBatch {
  const decoder: ColumnsDecoder = {
    rows: makeDecodedRows(0),
    names: makeNameDictionary(),
    joined: makeByteWriter(),
    streamNumbers: new Uint32Array(0),
    typeNumbers: new Uint32Array(0),
    lastVersions: new Float64Array(0),
  };
  return (plain, withTexts) => decodeColumns(decoder, byteSource(plain).bytes, withTexts);
}

function decodeColumns(decoder: ColumnsDecoder, plain: Buffer, withTexts: boolean): EventBatch {
  const { count, columns } = readHeader(plain);
  fitScratch(decoder, columns.get('version')!, count);
  const { rows, names, streamNumbers, typeNumbers, lastVersions } = decoder;
  readNames('stream', columns.get('stream')!, rows.stream, count, names, streamNumbers);
  readVersions(columns.get('version')!, rows.versions, streamNumbers, count, lastVersions);
  readNames('type', columns.get('type')!, rows.type, count, names, typeNumbers);
  readTimes(columns.get('time')!, rows.times, count);
  const data = readPayload('data', columns.get('data')!, rows.data, count);
  const metadata = readPayload('metadata', columns.get('metadata')!, rows.metadata, count);
  const timeText = columns.get('timeText');
  const timeTexts = timeText === undefined ? null : readTimeTexts(timeText, count);
  const ids = readIds(decoder, plain, columns.get('id')!, count);
  if (!withTexts || (data === null && metadata === null))
    return batchOf(rows, count, { ...ids, timeTexts, jsonIsCompact: false, streamNumbers });
  const joined = joinedWith(decoder, ids.bytes);
  if (data !== null) expandTemplates(data, joined, rows.data, count);
  if (metadata !== null) expandTemplates(metadata, joined, rows.metadata, count);
  const bytes = writtenBytes(joined);
  return batchOf(rows, count, {
    bytes,
    idKind: ids.idKind,
    timeTexts,
    jsonIsCompact: false,
    streamNumbers,
  });
}

/** The writer whose content begins with the chunk. */
function joinedWith({ joined }: ColumnsDecoder, bytes: Uint8Array): ByteWriter {
  if (bytes.buffer === joined.bytes.buffer) return joined;
  const source = byteSource(bytes).bytes;
  clearWriter(joined, source.length);
  copySpan(joined, source, 0, source.length);
  return joined;
}

function readIds(
  { rows, joined }: ColumnsDecoder,
  plain: Buffer,
  part: ColumnPart,
  count: number,
): Pick<EventBatch, 'bytes' | 'idKind'> {
  if (part.encoding === ENCODING.values) {
    readTextIds(part, rows.id, count);
    return { bytes: plain, idKind: 'text' };
  }
  if (part.encoding !== ENCODING.uuidPlanes) throw unknownEncoding('id', part);
  refuseShortPlanes(part, count);
  clearWriter(joined, plain.length + count * UUID_BYTES);
  copySpan(joined, plain, 0, plain.length);
  readPlanes(part, count, joined, rows.id);
  return { bytes: writtenBytes(joined), idKind: 'uuid' };
}

/** Each event has at least one byte in this column: no chunk makes a decoder reserve more than its own size asks for. */
function fitScratch(decoder: ColumnsDecoder, version: ColumnPart, count: number): void {
  if (count > version.reader.end - version.reader.at) {
    throw chunkDamage('columns', `column "version" is too short for ${count} events`, version.reader.at);
  }
  if (decoder.rows.capacity >= count) return;
  const capacity = Math.max(count, decoder.rows.capacity * 2);
  growRows(decoder.rows, capacity);
  decoder.streamNumbers = new Uint32Array(capacity);
  decoder.typeNumbers = new Uint32Array(capacity);
  decoder.lastVersions = new Float64Array(capacity);
}
