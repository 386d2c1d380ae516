import type { Spans } from '../../core/event-batch.ts';
import { type ByteSource, byteSource } from '../byte-source.ts';
import { type ByteWriter, copySpan, reserve } from '../byte-writer.ts';
import { chunkDamage } from '../chunk-damage.ts';
import { appendName, clearNames, type NameDictionary, nameNumber } from '../name-dictionary.ts';
import { MAX_VARINT_BYTES, readVarint, writeVarint } from '../varint.ts';
import {
  type ColumnName,
  type ColumnPart,
  ENCODING,
  type Encoding,
  endColumn,
  unknownEncoding,
} from './layout.ts';

/**
 * Stream names or types: how many distinct ones, their lengths, the names, then for each event its name's number.
 * Numbers go by first appearance. They come from `known` where the batch has them; `numbers` gets them in any case.
 */
export function writeNames(
  out: ByteWriter,
  source: ByteSource,
  spans: Spans,
  count: number,
  names: NameDictionary,
  numbers: Uint32Array,
  known?: Uint32Array,
): Encoding {
  clearNames(names);
  if (known === undefined) numberNames(source, spans, count, names, numbers);
  else takeNumbers(spans, count, names, numbers, known);
  let sizeBytes = MAX_VARINT_BYTES * (1 + names.count + count);
  for (let number = 0; number < names.count; number += 1) sizeBytes += names.lengths[number]!;
  reserve(out, sizeBytes);
  writeVarint(out, names.count);
  for (let number = 0; number < names.count; number += 1) writeVarint(out, names.lengths[number]!);
  for (let number = 0; number < names.count; number += 1) {
    copySpan(out, source.bytes, names.starts[number]!, names.lengths[number]!);
  }
  for (let row = 0; row < count; row += 1) writeVarint(out, numbers[row]!);
  return ENCODING.dictionary;
}

function numberNames(
  source: ByteSource,
  { starts, lengths }: Spans,
  count: number,
  names: NameDictionary,
  numbers: Uint32Array,
): void {
  for (let row = 0; row < count; row += 1) {
    numbers[row] = nameNumber(names, source, starts[row]!, lengths[row]!);
  }
}

function takeNumbers(
  { starts, lengths }: Spans,
  count: number,
  names: NameDictionary,
  numbers: Uint32Array,
  known: Uint32Array,
): void {
  for (let row = 0; row < count; row += 1) {
    const number = known[row]!;
    numbers[row] = number;
    if (number === names.count) appendName(names, starts[row]!, lengths[row]!);
  }
}

export function readNames(
  name: ColumnName,
  part: ColumnPart,
  spans: Spans,
  count: number,
  names: NameDictionary,
  numbers: Uint32Array,
): void {
  if (part.encoding !== ENCODING.dictionary) throw unknownEncoding(name, part);
  readDictionary(name, part, count, names);
  const { reader } = part;
  let seen = 0;
  for (let row = 0; row < count; row += 1) {
    const at = reader.at;
    const number = readVarint(reader);
    if (number > seen || number >= names.count) {
      throw chunkDamage('columns', `column "${name}" has number ${number} out of turn`, at);
    }
    if (number === seen) seen += 1;
    numbers[row] = number;
    spans.starts[row] = names.starts[number]!;
    spans.lengths[row] = names.lengths[number]!;
  }
  if (seen !== names.count) throw chunkDamage('columns', `column "${name}" has unused names`, part.reader.at);
  endColumn(name, part);
}

function readDictionary(name: ColumnName, part: ColumnPart, count: number, names: NameDictionary): void {
  const { reader } = part;
  const source = byteSource(reader.bytes);
  clearNames(names);
  const at = reader.at;
  const distinct = readVarint(reader);
  if (distinct > count) throw chunkDamage('columns', `column "${name}" has ${distinct} names`, at);
  const lengths = { ...reader };
  // The names lie behind all their lengths: one reader goes ahead to them, a second one follows through the lengths.
  for (let number = 0; number < distinct; number += 1) readVarint(reader);
  for (let number = 0; number < distinct; number += 1) {
    const length = readVarint(lengths);
    if (length > reader.end - reader.at) {
      throw chunkDamage('columns', `column "${name}" ends inside its names`, reader.at);
    }
    if (nameNumber(names, source, reader.at, length) !== number) {
      throw chunkDamage('columns', `column "${name}" has a name twice`, reader.at);
    }
    reader.at += length;
  }
}
