import { parseUuidPairs, UUID_BYTES } from '../../core/uuid-text.ts';
import { type ByteSource, sameBytes } from '../byte-source.ts';
import { type ByteWriter, copySpan, reserve } from '../byte-writer.ts';
import { isDigit, ZERO } from '../digits.ts';
import { clearNames, makeNameDictionary, type NameDictionary, nameNumber } from '../name-dictionary.ts';
import { UUID_TEXT_BYTES } from '../uuid-text.ts';
import { MAX_VARINT_BYTES, varintBytes, writeVarint, zigzag } from '../varint.ts';
import { fractionDigits, type InstantDay, makeInstantDay, readInstant } from './instants.ts';

/** How the values of a slot are written. The numbers are part of the format (FORMAT.md §5.2). */
export const SLOT = {
  texts: 0,
  dictionary: 1,
  integers: 2,
  integerSteps: 3,
  instantSteps: 4,
  uuids: 5,
} as const;

/** The values of one slot of one template. Value `i` of a slot lies at `starts[i]`. */
export interface SlotValues {
  readonly source: ByteSource;
  starts: Uint32Array;
  lengths: Uint32Array;
  count: number;
}

/** Room that serves all slots, one after the other. */
export interface SlotScratch {
  numbers: Float64Array;
  readonly day: InstantDay;
  readonly names: NameDictionary;
}

export function makeSlotScratch(): SlotScratch {
  return { numbers: new Float64Array(0), day: makeInstantDay(), names: makeNameDictionary() };
}

/**
 * Writes the values of a slot in the shortest way that fits all of them. UUIDs are written to `uuids`: they do not
 * compress, and apart from the rest they do not spoil it.
 */
export function writeSlot(
  out: ByteWriter,
  uuids: ByteWriter,
  values: SlotValues,
  scratch: SlotScratch,
): void {
  const { source, starts, lengths, count } = values;
  if (scratch.numbers.length < count) scratch.numbers = new Float64Array(2 * count);
  const length = lengths[0]!;
  if (length === UUID_TEXT_BYTES && writeUuids(out, uuids, values)) return;
  if (fractionDigits(length) !== -1 && writeInstants(out, values, scratch)) return;
  const endsWithDigit = length > 0 && isDigit(source.bytes[starts[0]! + length - 1]!);
  if (endsWithDigit && writeIntegers(out, values, scratch)) return;
  if (writeDictionary(out, values, scratch)) return;
  writeTexts(out, values);
}

function writeKind(out: ByteWriter, kind: number): void {
  out.bytes[out.at] = kind;
  out.at += 1;
}

function writeUuids(out: ByteWriter, uuids: ByteWriter, values: SlotValues): boolean {
  const { source, starts, lengths, count } = values;
  reserve(uuids, count * UUID_BYTES);
  let { at } = uuids;
  for (let i = 0; i < count; i += 1) {
    if (lengths[i] !== UUID_TEXT_BYTES) return false;
    if (!parseUuidPairs(source.view, starts[i]!, uuids.bytes, at)) return false;
    at += UUID_BYTES;
  }
  uuids.at = at;
  reserve(out, 1);
  writeKind(out, SLOT.uuids);
  return true;
}

/** The digits behind the second, then the steps from each instant to the next, the first from 2000. */
function writeInstants(out: ByteWriter, values: SlotValues, { numbers, day }: SlotScratch): boolean {
  const { source, starts, lengths, count } = values;
  const length = lengths[0]!;
  const digits = fractionDigits(length);
  for (let i = 0; i < count; i += 1) {
    if (lengths[i] !== length) return false;
    const instant = readInstant(source.bytes, starts[i]!, digits, day);
    if (Number.isNaN(instant)) return false;
    numbers[i] = instant;
  }
  reserve(out, 2 + count * MAX_VARINT_BYTES);
  writeKind(out, SLOT.instantSteps);
  writeVarint(out, digits);
  return writeSteps(out, numbers, count);
}

function writeSteps(out: ByteWriter, numbers: Float64Array, count: number): true {
  let last = 0;
  for (let i = 0; i < count; i += 1) {
    writeVarint(out, zigzag(numbers[i]! - last));
    last = numbers[i]!;
  }
  return true;
}

/** What all values begin with, then a whole number for each: as it is or as the step from the one before. */
function writeIntegers(out: ByteWriter, values: SlotValues, { numbers }: SlotScratch): boolean {
  const { source, starts, count } = values;
  const prefixBytes = prefixOf(values);
  if (!readIntegers(values, prefixBytes, numbers)) return false;
  let plainBytes = 0;
  let stepBytes = 0;
  let last = 0;
  for (let i = 0; i < count; i += 1) {
    const number = numbers[i]!;
    plainBytes += varintBytes(zigzag(number));
    stepBytes += varintBytes(zigzag(number - last));
    last = number;
  }
  reserve(out, 1 + MAX_VARINT_BYTES + prefixBytes + count * MAX_VARINT_BYTES);
  writeKind(out, stepBytes < plainBytes ? SLOT.integerSteps : SLOT.integers);
  writeVarint(out, prefixBytes);
  copySpan(out, source.bytes, starts[0]!, prefixBytes);
  if (stepBytes < plainBytes) return writeSteps(out, numbers, count);
  for (let i = 0; i < count; i += 1) writeVarint(out, zigzag(numbers[i]!));
  return true;
}

const MINUS = 0x2d;

/** All of the first value before its last run of digits; a lone minus belongs to the number. */
function prefixOf({ source, starts, lengths }: SlotValues): number {
  const start = starts[0]!;
  let at = start + lengths[0]!;
  while (at > start && isDigit(source.bytes[at - 1]!)) at -= 1;
  return at === start + 1 && source.bytes[start] === MINUS ? 0 : at - start;
}

/** Every whole number of so many digits is exact in a double, and so is the step between two. */
const MAX_DIGITS = 15;

function readIntegers(values: SlotValues, prefixBytes: number, numbers: Float64Array): boolean {
  const { source, starts, lengths, count } = values;
  const first = starts[0]!;
  for (let i = 0; i < count; i += 1) {
    const start = starts[i]!;
    const digits = lengths[i]! - prefixBytes;
    if (digits < 1 || digits > MAX_DIGITS + 1) return false;
    if (prefixBytes > 0 && i > 0 && !sameBytes(source.bytes, first, start, prefixBytes)) return false;
    const number = readInteger(source.bytes, start + prefixBytes, digits, prefixBytes === 0);
    if (Number.isNaN(number)) return false;
    numbers[i] = number;
  }
  return true;
}

/** NaN for all but the shortest spelling of a whole number. */
function readInteger(bytes: Uint8Array, start: number, length: number, maySigned: boolean): number {
  const isNegative = maySigned && length > 1 && bytes[start] === MINUS;
  const first = isNegative ? start + 1 : start;
  const digits = start + length - first;
  if (digits > MAX_DIGITS) return Number.NaN;
  if (bytes[first] === ZERO && (digits > 1 || isNegative)) return Number.NaN;
  let number = 0;
  for (let at = first; at < start + length; at += 1) {
    const digit = bytes[at]! - ZERO;
    if (digit < 0 || digit > 9) return Number.NaN;
    number = number * 10 + digit;
  }
  return isNegative ? -number : number;
}

/** A dictionary pays when each of its entries stands for several values. */
const USES_PER_ENTRY = 3;

/** The distinct values, then for each value its number; no numbers when all are the same. */
function writeDictionary(out: ByteWriter, values: SlotValues, { names, numbers }: SlotScratch): boolean {
  const { source, starts, lengths, count } = values;
  const most = Math.max(1, Math.floor(count / USES_PER_ENTRY));
  clearNames(names);
  for (let i = 0; i < count; i += 1) {
    numbers[i] = nameNumber(names, source, starts[i]!, lengths[i]!);
    if (names.count > most) return false;
  }
  let sizeBytes = 1 + MAX_VARINT_BYTES * (1 + names.count + count);
  for (let entry = 0; entry < names.count; entry += 1) sizeBytes += names.lengths[entry]!;
  reserve(out, sizeBytes);
  writeKind(out, SLOT.dictionary);
  writeVarint(out, names.count);
  for (let entry = 0; entry < names.count; entry += 1) writeVarint(out, names.lengths[entry]!);
  for (let entry = 0; entry < names.count; entry += 1) {
    copySpan(out, source.bytes, names.starts[entry]!, names.lengths[entry]!);
  }
  if (names.count === 1) return true;
  for (let i = 0; i < count; i += 1) writeVarint(out, numbers[i]!);
  return true;
}

function writeTexts(out: ByteWriter, { source, starts, lengths, count }: SlotValues): void {
  let sizeBytes = 1 + count * MAX_VARINT_BYTES;
  for (let i = 0; i < count; i += 1) sizeBytes += lengths[i]!;
  reserve(out, sizeBytes);
  writeKind(out, SLOT.texts);
  for (let i = 0; i < count; i += 1) writeVarint(out, lengths[i]!);
  for (let i = 0; i < count; i += 1) copySpan(out, source.bytes, starts[i]!, lengths[i]!);
}
