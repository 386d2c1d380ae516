import { NULL_LENGTH, type Spans } from '../../core/event-batch.ts';
import type { ByteSource } from '../byte-source.ts';
import { type ByteWriter, clearWriter, copySpan, makeByteWriter, reserve } from '../byte-writer.ts';
import { MAX_VARINT_BYTES, writeVarint } from '../varint.ts';
import { makeSlotScratch, type SlotScratch, type SlotValues, writeSlot } from './slots.ts';
import { addText, clearTree, literalsOf, makeTemplateTree, type TemplateTree } from './template-tree.ts';

/** Cuts the texts of a column by their templates. Its memory serves the next chunk. */
export interface TemplateWriter {
  readonly tree: TemplateTree;
  readonly uuids: ByteWriter;
  readonly scratch: SlotScratch;
  readonly values: { starts: Uint32Array; lengths: Uint32Array };
  /** For each event its template, or NO_TEXT, and the place of its first value. */
  rowTemplates: Int32Array;
  rowValues: Uint32Array;
  /** The events by template: those of template t are `members[ends[t - 1]]` to `members[ends[t] - 1]`. */
  members: Uint32Array;
}

/** The template of SQL NULL. */
const NO_TEXT = -1;

/** With fewer texts than this there is little to share. */
const LEAST_TEXTS = 64;
/** After so many texts it is clear whether they are alike. */
const TRIAL_TEXTS = 256;
/**
 * The most that texts may be longer than what they are written as: a chunk that says more is damaged or hostile, and
 * texts that are more alike are written as values, which compress just as well.
 */
export const MAX_EXPANSION = 64;
export const FREE_EXPANSION_BYTES = 16 << 20;

export function makeTemplateWriter(): TemplateWriter {
  return {
    tree: makeTemplateTree(),
    uuids: makeByteWriter(),
    scratch: makeSlotScratch(),
    values: { starts: new Uint32Array(0), lengths: new Uint32Array(0) },
    rowTemplates: new Int32Array(0),
    rowValues: new Uint32Array(0),
    members: new Uint32Array(0),
  };
}

/**
 * Writes texts as templates and slots. False, with nothing written, where that would gain nothing: few texts, or texts
 * that have little in common. `groups` gives for each text a number that it shares with the texts that are likely to be
 * like it (the type of its event); null: they are all likely to be alike.
 */
export function writeTemplates(
  writer: TemplateWriter,
  out: ByteWriter,
  source: ByteSource,
  spans: Spans,
  count: number,
  groups: Uint32Array | null,
): boolean {
  if (count < LEAST_TEXTS || !cutTexts(writer, source, spans, count, groups)) return false;
  const start = out.at;
  const { tree } = writer;
  writeLiterals(out, source, tree);
  reserve(out, count * MAX_VARINT_BYTES);
  for (let row = 0; row < count; row += 1) writeVarint(out, writer.rowTemplates[row]! + 1);
  writeSlots(writer, out, source, count);
  reserve(out, writer.uuids.at);
  copySpan(out, writer.uuids.bytes, 0, writer.uuids.at);
  if (textBytes(spans, count) <= FREE_EXPANSION_BYTES + MAX_EXPANSION * (out.at - start)) return true;
  out.at = start;
  return false;
}

function textBytes({ lengths }: Spans, count: number): number {
  let sizeBytes = 0;
  for (let row = 0; row < count; row += 1) if (lengths[row] !== NULL_LENGTH) sizeBytes += lengths[row]!;
  return sizeBytes;
}

/** False when the texts turn out to be too different. */
function cutTexts(
  writer: TemplateWriter,
  source: ByteSource,
  { starts, lengths }: Spans,
  count: number,
  groups: Uint32Array | null,
): boolean {
  fitRows(writer, count);
  const { tree, rowTemplates, rowValues } = writer;
  clearTree(tree, source);
  let seenBytes = 0;
  for (let row = 0; row < count; row += 1) {
    rowValues[row] = tree.values;
    const length = lengths[row]!;
    if (length === NULL_LENGTH) {
      rowTemplates[row] = NO_TEXT;
      continue;
    }
    rowTemplates[row] = addText(tree, groups === null ? 0 : groups[row]!, starts[row]!, length);
    seenBytes += length;
    if (row === TRIAL_TEXTS && !isWorthIt(tree, seenBytes)) return false;
  }
  return isWorthIt(tree, seenBytes);
}

/** The literals are written once: when they are most of the texts, little is saved. */
function isWorthIt(tree: TemplateTree, seenBytes: number): boolean {
  return tree.literalBytes * 2 < seenBytes;
}

function fitRows(writer: TemplateWriter, count: number): void {
  if (writer.rowTemplates.length >= count) return;
  const capacity = Math.max(count, writer.rowTemplates.length * 2);
  writer.rowTemplates = new Int32Array(capacity);
  writer.rowValues = new Uint32Array(capacity);
  writer.members = new Uint32Array(capacity);
  writer.values.starts = new Uint32Array(capacity);
  writer.values.lengths = new Uint32Array(capacity);
}

/** How many templates; for each its number of slots and the lengths of its literals; all literals. */
function writeLiterals(out: ByteWriter, source: ByteSource, tree: TemplateTree): void {
  const paths = tree.leaves.map((_, template) => literalsOf(tree, template));
  reserve(out, MAX_VARINT_BYTES);
  writeVarint(out, paths.length);
  let literalBytes = 0;
  for (const path of paths) {
    reserve(out, (1 + path.length) * MAX_VARINT_BYTES);
    writeVarint(out, path.length - 1);
    for (const node of path) writeVarint(out, tree.literalLengths[node]!);
    for (const node of path) literalBytes += tree.literalLengths[node]!;
  }
  reserve(out, literalBytes);
  for (const path of paths) {
    for (const node of path) {
      copySpan(out, source.bytes, tree.literalStarts[node]!, tree.literalLengths[node]!);
    }
  }
}

/** The slots of each template, one after the other. */
function writeSlots(writer: TemplateWriter, out: ByteWriter, source: ByteSource, count: number): void {
  const { tree, uuids, scratch } = writer;
  const ends = groupRows(writer, count);
  clearWriter(uuids);
  const values: SlotValues = { source, ...writer.values, count: 0 };
  for (let template = 0; template < tree.leaves.length; template += 1) {
    const from = template === 0 ? 0 : ends[template - 1]!;
    values.count = ends[template]! - from;
    const slots = literalsOf(tree, template).length - 1;
    for (let slot = 0; slot < slots; slot += 1) {
      gatherValues(writer, values, from, slot);
      writeSlot(out, uuids, values, scratch);
    }
  }
}

/** A function of its own: V8 gives up on the optimised code of a loop within a loop each time the inner one ends. */
function gatherValues(writer: TemplateWriter, values: SlotValues, from: number, slot: number): void {
  const { members, rowValues } = writer;
  const { valueStarts, valueLengths } = writer.tree;
  const { starts, lengths, count } = values;
  for (let i = 0; i < count; i += 1) {
    const value = rowValues[members[from + i]!]! + slot;
    starts[i] = valueStarts[value]!;
    lengths[i] = valueLengths[value]!;
  }
}

/** Sorts the events by template, those of a template in their order. Gives the end of each template's events. */
function groupRows({ tree, rowTemplates, members }: TemplateWriter, count: number): Uint32Array {
  const ends = new Uint32Array(tree.leaves.length);
  for (let row = 0; row < count; row += 1) {
    const template = rowTemplates[row]!;
    if (template !== NO_TEXT) ends[template] = ends[template]! + 1;
  }
  let end = 0;
  for (let template = 0; template < ends.length; template += 1) {
    end += ends[template]!;
    ends[template] = end;
  }
  for (let row = count - 1; row >= 0; row -= 1) {
    const template = rowTemplates[row]!;
    if (template === NO_TEXT) continue;
    ends[template] = ends[template]! - 1;
    members[ends[template]!] = row;
  }
  // Counting down has turned the ends into starts.
  for (let template = 0; template + 1 < ends.length; template += 1) ends[template] = ends[template + 1]!;
  if (ends.length > 0) ends[ends.length - 1] = end;
  return ends;
}
