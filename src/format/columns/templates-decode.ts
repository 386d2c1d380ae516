import { NULL_LENGTH, type Spans } from '../../core/event-batch.ts';
import { UUID_BYTES } from '../../core/uuid-text.ts';
import { type ByteWriter, copySpan, reserve } from '../byte-writer.ts';
import { chunkDamage } from '../chunk-damage.ts';
import { UUID_TEXT_BYTES } from '../uuid-text.ts';
import { type ByteReader, readVarint } from '../varint.ts';
import { type ColumnName, type ColumnPart, endColumn } from './layout.ts';
import { addSlot, makeReadSlots, type ReadSlots, readSlot, writeValue } from './slots-decode.ts';
import { MAX_SLOTS } from './template-tree.ts';
import { FREE_EXPANSION_BYTES, MAX_EXPANSION } from './templates.ts';

/** A column of templates that was read and found whole: putting its texts together cannot fail. */
export interface ReadTemplates {
  readonly reader: ByteReader;
  /** For each template its first slot; one more at the end. Literal i of template t is `firstSlots[t] + t + i`. */
  readonly firstSlots: number[];
  readonly literalStarts: number[];
  readonly literalLengths: number[];
  readonly rowTemplates: Int32Array;
  readonly slots: ReadSlots;
  /** No fewer than the texts have together. */
  readonly mostBytes: number;
}

/** Reads a column and checks every value in it, without putting a text together. Throws `damaged`. */
export function readTemplates(name: ColumnName, part: ColumnPart, count: number): ReadTemplates {
  const { reader } = part;
  const sizeBytes = reader.end - reader.at;
  const literals = readLiterals(name, part, count);
  const { rowTemplates, uses } = readRowTemplates(name, part, count, literals.firstSlots.length - 1);
  const slots = makeReadSlots();
  let mostBytes = 0;
  uses.forEach((users, template) => {
    const [first, behind] = [literals.firstSlots[template]!, literals.firstSlots[template + 1]!];
    for (let literal = first + template; literal <= behind + template; literal += 1) {
      mostBytes += users * literals.literalLengths[literal]!;
    }
    for (let slot = first; slot < behind; slot += 1)
      mostBytes += addSlot(slots, readSlot(name, part, users), users);
  });
  readUuids(name, part, slots);
  endColumn(name, part);
  if (mostBytes > FREE_EXPANSION_BYTES + 2 * MAX_EXPANSION * sizeBytes) {
    throw chunkDamage('columns', `column "${name}" has texts of ${mostBytes} bytes`, part.encodingAt);
  }
  return { reader, ...literals, rowTemplates, slots, mostBytes };
}

function readLiterals(
  name: ColumnName,
  { reader }: ColumnPart,
  count: number,
): Pick<ReadTemplates, 'firstSlots' | 'literalStarts' | 'literalLengths'> {
  const at = reader.at;
  const templates = readVarint(reader);
  if (templates > count) throw chunkDamage('columns', `column "${name}" has ${templates} templates`, at);
  const firstSlots = [0];
  const literalLengths: number[] = [];
  for (let template = 0; template < templates; template += 1) {
    const slots = readVarint(reader);
    if (slots > MAX_SLOTS) throw chunkDamage('columns', `column "${name}" has ${slots} slots`, reader.at);
    firstSlots.push(firstSlots[template]! + slots);
    for (let literal = 0; literal <= slots; literal += 1) literalLengths.push(readVarint(reader));
  }
  const literalStarts = literalLengths.map((length) => {
    const start = reader.at;
    if (length > reader.end - start) {
      throw chunkDamage('columns', `column "${name}" ends inside its templates`, start);
    }
    reader.at += length;
    return start;
  });
  return { firstSlots, literalStarts, literalLengths };
}

/** For each event its template, −1 for SQL NULL, and for each template how many events have it. */
function readRowTemplates(
  name: ColumnName,
  { reader }: ColumnPart,
  count: number,
  templates: number,
): { rowTemplates: Int32Array; uses: number[] } {
  const rowTemplates = new Int32Array(count);
  const uses: number[] = [];
  for (let row = 0; row < count; row += 1) {
    const { at } = reader;
    const template = readVarint(reader) - 1;
    if (template > uses.length || template >= templates) {
      throw chunkDamage('columns', `column "${name}" has template ${template} out of turn`, at);
    }
    if (template === uses.length) uses.push(0);
    rowTemplates[row] = template;
    if (template >= 0) uses[template] = uses[template]! + 1;
  }
  if (uses.length !== templates) {
    throw chunkDamage('columns', `column "${name}" has unused templates`, reader.at);
  }
  return { rowTemplates, uses };
}

/** The UUIDs of all slots that have some stand at the end. */
function readUuids(name: ColumnName, { reader }: ColumnPart, slots: ReadSlots): void {
  for (let slot = 0; slot < slots.count; slot += 1) {
    const uuids = slots.uuids[slot]!;
    if (uuids === 0) continue;
    if (uuids * UUID_BYTES > reader.end - reader.at) {
      throw chunkDamage('columns', `column "${name}" ends inside its UUIDs`, reader.at);
    }
    slots.valuesAt[slot] = reader.at;
    reader.at += uuids * UUID_BYTES;
  }
}

/** Puts the texts together at the end of `out` and says where they lie. May be done once. */
export function expandTemplates(
  templates: ReadTemplates,
  out: ByteWriter,
  spans: Spans,
  count: number,
): void {
  const { reader, firstSlots, literalStarts, literalLengths, rowTemplates, slots } = templates;
  reserve(out, templates.mostBytes + UUID_TEXT_BYTES);
  for (let row = 0; row < count; row += 1) {
    const template = rowTemplates[row]!;
    spans.starts[row] = template === -1 ? 0 : out.at;
    spans.lengths[row] = NULL_LENGTH;
    if (template === -1) continue;
    const start = out.at;
    const behind = firstSlots[template + 1]!;
    let literal = firstSlots[template]! + template;
    copySpan(out, reader.bytes, literalStarts[literal]!, literalLengths[literal]!);
    for (let slot = firstSlots[template]!; slot < behind; slot += 1) {
      writeValue(slots, slot, reader, out);
      literal += 1;
      copySpan(out, reader.bytes, literalStarts[literal]!, literalLengths[literal]!);
    }
    spans.lengths[row] = out.at - start;
  }
}
