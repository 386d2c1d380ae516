import type { Spans } from '../../core/event-batch.ts';
import type { ByteSource } from '../byte-source.ts';
import { type ByteWriter, copySpan, reserve } from '../byte-writer.ts';
import { chunkDamage } from '../chunk-damage.ts';
import { clearNames, type NameDictionary, nameNumber } from '../name-dictionary.ts';
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
 * Numbers go by first appearance. `numbers` gets them too.
 */
export function writeNames(
  out: ByteWriter,
  source: ByteSource,
  spans: Spans,
  count: number,
  names: NameDictionary,
  numbers: Uint32Array,
): Encoding {
  clearNames(names);
  for (let row = 0; row < count; row += 1) {
    numbers[row] = nameNumber(names, source.bytes, spans.starts[row]!, spans.lengths[row]!);
  }
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
    if (nameNumber(names, reader.bytes, reader.at, length) !== number) {
      throw chunkDamage('columns', `column "${name}" has a name twice`, reader.at);
    }
    reader.at += length;
  }
}
