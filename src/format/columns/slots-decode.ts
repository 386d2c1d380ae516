import { UUID_BYTES } from '../../core/uuid-text.ts';
import { type ByteWriter, copySpan } from '../byte-writer.ts';
import { chunkDamage } from '../chunk-damage.ts';
import { ZERO } from '../digits.ts';
import { UUID_TEXT_BYTES, writeUuid } from '../uuid-text.ts';
import { type ByteReader, readVarint, readVarint53, unzigzag } from '../varint.ts';
import { type InstantDay, instantBytes, isInstant, makeInstantDay, writeInstant } from './instants.ts';
import type { ColumnName, ColumnPart } from './layout.ts';
import { SLOT } from './slots.ts';

/** Slots that were read, each with how far it has been given out: value after value, in the order of its events. */
export interface ReadSlots {
  count: number;
  readonly kinds: number[];
  /** Where the next length, number or step stands. */
  readonly numbersAt: number[];
  /** Where the next text or UUID lies. */
  readonly valuesAt: number[];
  /** The last integer or instant. */
  readonly last: number[];
  /** Integers: their prefix. Dictionary: its first entry. Instants: digits behind the second. */
  readonly extra: number[];
  readonly prefixBytes: number[];
  /** False for a dictionary of one entry. */
  readonly hasNumbers: boolean[];
  /** How many UUIDs a slot has. */
  readonly uuids: number[];
  readonly entryStarts: number[];
  readonly entryLengths: number[];
  readonly day: InstantDay;
}

/** A slot as it was read. */
interface Slot {
  readonly kind: number;
  readonly numbersAt: number;
  readonly valuesAt: number;
  readonly extra: number;
  readonly prefixBytes: number;
  readonly entries: readonly { readonly start: number; readonly length: number }[];
  /** No fewer than all its values have together. */
  readonly mostBytes: number;
}

export function makeReadSlots(): ReadSlots {
  return {
    count: 0,
    kinds: [],
    numbersAt: [],
    valuesAt: [],
    last: [],
    extra: [],
    prefixBytes: [],
    hasNumbers: [],
    uuids: [],
    entryStarts: [],
    entryLengths: [],
    day: makeInstantDay(),
  };
}

/** Keeps a slot and gives the most bytes that its values can have. */
export function addSlot(slots: ReadSlots, slot: Slot, count: number): number {
  slots.count += 1;
  slots.kinds.push(slot.kind);
  slots.numbersAt.push(slot.numbersAt);
  slots.valuesAt.push(slot.valuesAt);
  slots.last.push(0);
  slots.extra.push(slot.kind === SLOT.dictionary ? slots.entryStarts.length : slot.extra);
  slots.prefixBytes.push(slot.prefixBytes);
  slots.hasNumbers.push(slot.entries.length !== 1);
  slots.uuids.push(slot.kind === SLOT.uuids ? count : 0);
  for (const { start, length } of slot.entries) {
    slots.entryStarts.push(start);
    slots.entryLengths.push(length);
  }
  return slot.mostBytes;
}

/** Reads one slot of `count` values and checks each. Throws `damaged`. */
export function readSlot(name: ColumnName, { reader }: ColumnPart, count: number): Slot {
  const at = reader.at;
  const kind = readVarint(reader);
  switch (kind) {
    case SLOT.texts:
      return readTexts(name, reader, count);
    case SLOT.dictionary:
      return readEntries(name, reader, count);
    case SLOT.integers:
    case SLOT.integerSteps:
      return readIntegers(name, reader, count, kind);
    case SLOT.instantSteps:
      return readInstants(name, reader, count);
    case SLOT.uuids:
      return slotOf(kind, { mostBytes: count * UUID_TEXT_BYTES });
    default:
      throw chunkDamage('columns', `column "${name}" has a slot of kind ${kind}`, at);
  }
}

function slotOf(kind: number, rest: Partial<Slot>): Slot {
  return { kind, numbersAt: 0, valuesAt: 0, extra: 0, prefixBytes: 0, entries: [], mostBytes: 0, ...rest };
}

function readTexts(name: ColumnName, reader: ByteReader, count: number): Slot {
  const numbersAt = reader.at;
  let sizeBytes = 0;
  for (let i = 0; i < count; i += 1) sizeBytes += readVarint(reader);
  const valuesAt = skip(name, reader, sizeBytes);
  return slotOf(SLOT.texts, { numbersAt, valuesAt, mostBytes: sizeBytes });
}

function skip(name: ColumnName, reader: ByteReader, sizeBytes: number): number {
  const { at } = reader;
  if (sizeBytes > reader.end - at) throw chunkDamage('columns', `column "${name}" ends inside a slot`, at);
  reader.at = at + sizeBytes;
  return at;
}

function readEntries(name: ColumnName, reader: ByteReader, count: number): Slot {
  const { at } = reader;
  const distinct = readVarint(reader);
  if (distinct === 0 || distinct > count) {
    throw chunkDamage('columns', `column "${name}" has a slot of ${distinct} entries`, at);
  }
  const lengths = Array.from({ length: distinct }, () => readVarint(reader));
  const entries = lengths.map((length) => ({ start: skip(name, reader, length), length }));
  const numbersAt = reader.at;
  if (distinct === 1) return slotOf(SLOT.dictionary, { entries, mostBytes: count * lengths[0]! });
  let seen = 0;
  let mostBytes = 0;
  for (let i = 0; i < count; i += 1) {
    const number = readVarint(reader);
    if (number > seen || number >= distinct) {
      throw chunkDamage('columns', `column "${name}" has entry ${number} out of turn`, reader.at);
    }
    if (number === seen) seen += 1;
    mostBytes += lengths[number]!;
  }
  if (seen !== distinct) throw chunkDamage('columns', `column "${name}" has unused entries`, reader.at);
  return slotOf(SLOT.dictionary, { numbersAt, entries, mostBytes });
}

/** Digits of a number within ±10^15, and its sign. */
const MOST_DIGITS = 16;
const LIMIT = 1e15;

function readIntegers(name: ColumnName, reader: ByteReader, count: number, kind: number): Slot {
  const prefixBytes = readVarint(reader);
  const extra = skip(name, reader, prefixBytes);
  const numbersAt = reader.at;
  let last = 0;
  for (let i = 0; i < count; i += 1) {
    const number = unzigzag(readVarint53(reader));
    last = kind === SLOT.integerSteps ? last + number : number;
    if (Math.abs(last) >= LIMIT || (last < 0 && prefixBytes > 0)) {
      throw chunkDamage('columns', `column "${name}" has an integer out of range`, reader.at);
    }
  }
  return slotOf(kind, { numbersAt, extra, prefixBytes, mostBytes: count * (prefixBytes + MOST_DIGITS) });
}

function readInstants(name: ColumnName, reader: ByteReader, count: number): Slot {
  const digits = readVarint(reader);
  if (digits !== 0 && digits !== 3 && digits !== 6) {
    throw chunkDamage('columns', `column "${name}" has instants with ${digits} digits`, reader.at);
  }
  const numbersAt = reader.at;
  let last = 0;
  for (let i = 0; i < count; i += 1) {
    last += unzigzag(readVarint53(reader));
    if (!isInstant(last, digits)) {
      throw chunkDamage('columns', `column "${name}" has an instant out of range`, reader.at);
    }
  }
  return slotOf(SLOT.instantSteps, { numbersAt, extra: digits, mostBytes: count * instantBytes(digits) });
}

/** Appends the next value of a slot; the room must have been reserved. `reader` is the column's. */
export function writeValue(slots: ReadSlots, slot: number, reader: ByteReader, out: ByteWriter): void {
  switch (slots.kinds[slot]) {
    case SLOT.texts:
      writeText(slots, slot, reader, out);
      return;
    case SLOT.dictionary:
      writeEntry(slots, slot, reader, out);
      return;
    case SLOT.integers:
      writePrefixed(slots, slot, reader, out, unzigzag(nextNumber(slots, slot, reader)));
      return;
    case SLOT.integerSteps:
      writePrefixed(slots, slot, reader, out, nextStep(slots, slot, reader));
      return;
    case SLOT.instantSteps:
      writeInstant(out, nextStep(slots, slot, reader), slots.extra[slot]!, slots.day);
      return;
    default:
      writeUuid(out, reader.bytes, slots.valuesAt[slot]!);
      slots.valuesAt[slot] = slots.valuesAt[slot]! + UUID_BYTES;
  }
}

function nextNumber(slots: ReadSlots, slot: number, reader: ByteReader): number {
  reader.at = slots.numbersAt[slot]!;
  const number = readVarint53(reader);
  slots.numbersAt[slot] = reader.at;
  return number;
}

function nextStep(slots: ReadSlots, slot: number, reader: ByteReader): number {
  const number = slots.last[slot]! + unzigzag(nextNumber(slots, slot, reader));
  slots.last[slot] = number;
  return number;
}

function writeText(slots: ReadSlots, slot: number, reader: ByteReader, out: ByteWriter): void {
  const length = nextNumber(slots, slot, reader);
  const at = slots.valuesAt[slot]!;
  copySpan(out, reader.bytes, at, length);
  slots.valuesAt[slot] = at + length;
}

function writeEntry(slots: ReadSlots, slot: number, reader: ByteReader, out: ByteWriter): void {
  const number = slots.hasNumbers[slot] ? nextNumber(slots, slot, reader) : 0;
  const entry = slots.extra[slot]! + number;
  copySpan(out, reader.bytes, slots.entryStarts[entry]!, slots.entryLengths[entry]!);
}

function writePrefixed(
  slots: ReadSlots,
  slot: number,
  reader: ByteReader,
  out: ByteWriter,
  number: number,
): void {
  copySpan(out, reader.bytes, slots.extra[slot]!, slots.prefixBytes[slot]!);
  const { bytes } = out;
  let rest = number;
  if (rest < 0) {
    bytes[out.at] = MINUS;
    out.at += 1;
    rest = -rest;
  }
  const end = out.at + digitsOf(rest);
  for (let at = end - 1; at >= out.at; at -= 1) {
    const tenth = Math.floor(rest / 10);
    bytes[at] = ZERO + rest - tenth * 10;
    rest = tenth;
  }
  out.at = end;
}

const MINUS = 0x2d;

function digitsOf(number: number): number {
  let digits = 1;
  for (let limit = 10; number >= limit; limit *= 10) digits += 1;
  return digits;
}
