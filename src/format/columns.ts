import type { EventBatch } from '../core/event-batch.ts';
import { type ByteSource, byteSource } from './byte-source.ts';
import { type ByteWriter, clearWriter, makeByteWriter, writtenBytes } from './byte-writer.ts';
import { writeIds } from './columns/ids.ts';
import {
  COLUMN_NAMES,
  type ColumnName,
  type Encoding,
  writeDirectoryEntry,
  writeHeader,
} from './columns/layout.ts';
import { writeNames } from './columns/names.ts';
import { makeTemplateWriter, type TemplateWriter } from './columns/templates.ts';
import { rowsWithTimeText, writeTimeTexts } from './columns/time-texts.ts';
import { writeTimes } from './columns/times.ts';
import { writePayload } from './columns/values.ts';
import { writeVersions } from './columns/versions.ts';
import { makeNameDictionary, type NameDictionary } from './name-dictionary.ts';

/** What the columns add to an event's own bytes, generously. */
const USUAL_ROW_BYTES = 64;

interface ColumnsEncoder {
  readonly out: ByteWriter;
  readonly streams: NameDictionary;
  readonly types: NameDictionary;
  readonly templates: TemplateWriter;
  streamNumbers: Uint32Array;
  typeNumbers: Uint32Array;
  lastVersions: Float64Array;
}

/** Encodes batches as `columns` chunks (FORMAT.md): equal things side by side, which is quick and compresses well. */
export function makeColumnsEncoder(): (batch: EventBatch) => Uint8Array {
  const encoder: ColumnsEncoder = {
    out: makeByteWriter(),
    streams: makeNameDictionary(),
    types: makeNameDictionary(),
    templates: makeTemplateWriter(),
    streamNumbers: new Uint32Array(0),
    typeNumbers: new Uint32Array(0),
    lastVersions: new Float64Array(0),
  };
  return (batch) => encodeColumns(encoder, batch);
}

function encodeColumns(encoder: ColumnsEncoder, batch: EventBatch): Uint8Array {
  const { out } = encoder;
  fitScratch(encoder, batch.count);
  clearWriter(out, batch.bytes.length + batch.count * USUAL_ROW_BYTES);
  const source = byteSource(batch.bytes);
  const timeTextRows = rowsWithTimeText(batch);
  const names = timeTextRows.length === 0 ? COLUMN_NAMES.slice(0, -1) : COLUMN_NAMES;
  const places = writeHeader(out, batch.count, names);
  for (const name of names) {
    const start = out.at;
    const encoding = writeColumn(encoder, source, batch, name, timeTextRows);
    writeDirectoryEntry(out, places.get(name)!, encoding, out.at - start);
  }
  return writtenBytes(out);
}

function writeColumn(
  encoder: ColumnsEncoder,
  source: ByteSource,
  batch: EventBatch,
  name: ColumnName,
  timeTextRows: readonly number[],
): Encoding {
  const { out, streams, types, streamNumbers, typeNumbers, lastVersions } = encoder;
  const { count } = batch;
  switch (name) {
    case 'id':
      return writeIds(out, source, batch);
    case 'stream':
      return writeNames(out, source, batch.stream, count, streams, streamNumbers, batch.streamNumbers);
    case 'version':
      return writeVersions(out, batch.versions, streamNumbers, count, lastVersions);
    case 'type':
      return writeNames(out, source, batch.type, count, types, typeNumbers);
    case 'time':
      return writeTimes(out, batch.times, count);
    case 'data':
      // Events of one type have like data; metadata comes from the application, whatever the type.
      return writePayload(out, source, batch.data, count, encoder.templates, typeNumbers);
    case 'metadata':
      return writePayload(out, source, batch.metadata, count, encoder.templates, null);
    case 'timeText':
      return writeTimeTexts(out, batch.timeTexts!, timeTextRows);
  }
}

function fitScratch(encoder: ColumnsEncoder, count: number): void {
  if (encoder.streamNumbers.length >= count) return;
  const capacity = Math.max(count, encoder.streamNumbers.length * 2);
  encoder.streamNumbers = new Uint32Array(capacity);
  encoder.typeNumbers = new Uint32Array(capacity);
  encoder.lastVersions = new Float64Array(capacity);
}
