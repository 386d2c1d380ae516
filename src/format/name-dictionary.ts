import { type ByteSource, sameBytes } from './byte-source.ts';

/**
 * The distinct names of one chunk, numbered in the order in which they are first seen. An open-addressed hash table
 * over spans of the chunk's own bytes: nothing is copied, and the table's memory serves the next chunk.
 */
export interface NameDictionary {
  count: number;
  slots: Int32Array;
  hashes: Int32Array;
  starts: Uint32Array;
  lengths: Uint32Array;
}

const EMPTY = -1;
const FIRST_CAPACITY = 1024;
/** Names may be chosen by a store's users; with an unknown seed none can make them all collide. */
const SEED = Math.floor(Math.random() * 0x1_0000_0000) | 0;

export function makeNameDictionary(): NameDictionary {
  return {
    count: 0,
    slots: new Int32Array(FIRST_CAPACITY * 2).fill(EMPTY),
    hashes: new Int32Array(FIRST_CAPACITY),
    starts: new Uint32Array(FIRST_CAPACITY),
    lengths: new Uint32Array(FIRST_CAPACITY),
  };
}

export function clearNames(names: NameDictionary): void {
  names.count = 0;
  names.slots.fill(EMPTY);
}

/** The name's number; the next free one when it is new. All names of a chunk must lie in the same `source`. */
export function nameNumber(names: NameDictionary, source: ByteSource, start: number, length: number): number {
  const hash = hashBytes(source, start, length);
  const mask = names.slots.length - 1;
  let slot = hash & mask;
  for (;;) {
    const number = names.slots[slot]!;
    if (number === EMPTY) return addName(names, slot, hash, start, length);
    if (names.hashes[number] === hash && names.lengths[number] === length) {
      if (sameBytes(source.bytes, names.starts[number]!, start, length)) return number;
    }
    slot = (slot + 1) & mask;
  }
}

function addName(names: NameDictionary, slot: number, hash: number, start: number, length: number): number {
  const number = names.count;
  names.slots[slot] = number;
  names.hashes[number] = hash;
  appendName(names, start, length);
  return number;
}

/** Gives the next number to a name that is known to be new. It is not found by `nameNumber`. */
export function appendName(names: NameDictionary, start: number, length: number): void {
  const number = names.count;
  names.count = number + 1;
  names.starts[number] = start;
  names.lengths[number] = length;
  if (names.count === names.hashes.length) growNames(names);
}

function growNames(names: NameDictionary): void {
  const capacity = names.hashes.length * 2;
  names.hashes = growInto(names.hashes, new Int32Array(capacity));
  names.starts = growInto(names.starts, new Uint32Array(capacity));
  names.lengths = growInto(names.lengths, new Uint32Array(capacity));
  names.slots = new Int32Array(capacity * 2).fill(EMPTY);
  const mask = names.slots.length - 1;
  for (let number = 0; number < names.count; number += 1) {
    let slot = names.hashes[number]! & mask;
    while (names.slots[slot] !== EMPTY) slot = (slot + 1) & mask;
    names.slots[slot] = number;
  }
}

function growInto<T extends Int32Array | Uint32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

/** Four bytes a step: xor, multiply, fold the high bits down. */
function hashBytes({ bytes, view }: ByteSource, start: number, length: number): number {
  let hash = SEED ^ length;
  const end = start + length;
  let at = start;
  for (; at + 4 <= end; at += 4) hash = mix(hash ^ view.getInt32(at));
  for (; at < end; at += 1) hash = mix(hash ^ bytes[at]!);
  return hash;
}

function mix(value: number): number {
  const product = Math.imul(value, 0x9e37_79b1);
  return product ^ (product >>> 15);
}
