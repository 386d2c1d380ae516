import { NULL_LENGTH, type Spans } from '../../core/event-batch.ts';
import { type ByteSource, sameBytes } from '../byte-source.ts';
import { type ByteWriter, copySpan, reserve } from '../byte-writer.ts';
import { chunkDamage } from '../chunk-damage.ts';
import { MAX_VARINT_BYTES, readVarint, writeVarint } from '../varint.ts';
import {
  type ColumnName,
  type ColumnPart,
  ENCODING,
  type Encoding,
  endColumn,
  unknownEncoding,
} from './layout.ts';
import { type TemplateWriter, writeTemplates } from './templates.ts';
import { type ReadTemplates, readTemplates } from './templates-decode.ts';

/**
 * Data or metadata: one value where all events have the same (EventCore's metadata is always `{}`), templates where that
 * gains something, else all values. For `groups` see `writeTemplates`.
 */
export function writePayload(
  out: ByteWriter,
  source: ByteSource,
  spans: Spans,
  count: number,
  templates: TemplateWriter,
  groups: Uint32Array | null,
): Encoding {
  if (count > 0 && allSame(source.bytes, spans, count)) {
    reserve(out, MAX_VARINT_BYTES + valueBytes(spans.lengths[0]!));
    writeLength(out, spans.lengths[0]!);
    writeValue(out, source.bytes, spans, 0);
    return ENCODING.constant;
  }
  if (writeTemplates(templates, out, source, spans, count, groups)) return ENCODING.templates;
  writeValues(out, source, spans, count);
  return ENCODING.values;
}

/** All lengths (plus one; 0 is SQL NULL), then all values. */
export function writeValues(out: ByteWriter, source: ByteSource, spans: Spans, count: number): void {
  let sizeBytes = 0;
  for (let row = 0; row < count; row += 1) sizeBytes += MAX_VARINT_BYTES + valueBytes(spans.lengths[row]!);
  reserve(out, sizeBytes);
  for (let row = 0; row < count; row += 1) writeLength(out, spans.lengths[row]!);
  for (let row = 0; row < count; row += 1) writeValue(out, source.bytes, spans, row);
}

function valueBytes(length: number): number {
  return length === NULL_LENGTH ? 0 : length;
}

function writeLength(out: ByteWriter, length: number): void {
  writeVarint(out, length === NULL_LENGTH ? 0 : length + 1);
}

function writeValue(out: ByteWriter, bytes: Buffer, spans: Spans, row: number): void {
  const length = spans.lengths[row]!;
  if (length !== NULL_LENGTH) copySpan(out, bytes, spans.starts[row]!, length);
}

function allSame(bytes: Buffer, spans: Spans, count: number): boolean {
  const start = spans.starts[0]!;
  const length = spans.lengths[0]!;
  for (let row = 1; row < count; row += 1) {
    if (spans.lengths[row] !== length) return false;
    if (length !== NULL_LENGTH && !sameBytes(bytes, start, spans.starts[row]!, length)) return false;
  }
  return true;
}

/** Gives the templates when the texts have still to be put together from them; else they lie where `spans` says. */
export function readPayload(
  name: ColumnName,
  part: ColumnPart,
  spans: Spans,
  count: number,
): ReadTemplates | null {
  if (part.encoding === ENCODING.templates) return readTemplates(name, part, count);
  if (part.encoding === ENCODING.constant) readConstant(name, part, spans, count);
  else if (part.encoding === ENCODING.values) {
    readValues(name, part, spans, count);
    if (count === 0 || !allSame(part.reader.bytes, spans, count)) return null;
    throw chunkDamage('columns', `column "${name}" repeats one value for all events`, part.encodingAt);
  } else throw unknownEncoding(name, part);
  return null;
}

function readConstant(name: ColumnName, part: ColumnPart, spans: Spans, count: number): void {
  const { reader } = part;
  if (count === 0) throw chunkDamage('columns', `column "${name}" has a value for no event`, part.encodingAt);
  const length = readLength(name, part);
  spans.starts.fill(reader.at, 0, count);
  spans.lengths.fill(length, 0, count);
  reader.at += valueBytes(length);
  endColumn(name, part);
}

export function readValues(name: ColumnName, part: ColumnPart, spans: Spans, count: number): void {
  const { reader } = part;
  const { starts, lengths } = spans;
  for (let row = 0; row < count; row += 1) lengths[row] = readLength(name, part);
  let start = reader.at;
  for (let row = 0; row < count; row += 1) {
    starts[row] = start;
    start += valueBytes(lengths[row]!);
  }
  if (start > reader.end) throw chunkDamage('columns', `column "${name}" ends inside its values`, reader.end);
  reader.at = start;
  endColumn(name, part);
}

function readLength(name: ColumnName, { reader }: ColumnPart): number {
  const at = reader.at;
  const length = readVarint(reader);
  if (length === 0) return NULL_LENGTH;
  if (length - 1 <= reader.end - reader.at) return length - 1;
  throw chunkDamage('columns', `column "${name}" has a value longer than the column`, at);
}
