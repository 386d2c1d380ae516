/**
 * A Bloom filter over the stream names of one chunk: says "surely not here" or "maybe here", so that one stream
 * is read by fetching few chunks. About ten bits a stream and seven probes: 1 % false alarms (FORMAT.md §4.3).
 */
const BITS_PER_STREAM = 10;
const PROBES = 7;

export function makeFilter(names: readonly Uint8Array[]): Uint8Array {
  const filter = new Uint8Array(Math.max(1, Math.ceil((names.length * BITS_PER_STREAM) / 8)));
  for (const name of names) {
    for (const bit of bitsOf(name, filter.length * 8))
      filter[bit >>> 3] = filter[bit >>> 3]! | (1 << (bit & 7));
  }
  return filter;
}

export function mayContain(filter: Uint8Array, name: Uint8Array): boolean {
  return bitsOf(name, filter.length * 8).every((bit) => (filter[bit >>> 3]! & (1 << (bit & 7))) !== 0);
}

/** Double hashing with two FNV-1a hashes of different offset basis; the second is made odd. */
function bitsOf(name: Uint8Array, bits: number): number[] {
  const first = fnv1a(name, 0x811c9dc5);
  const second = (fnv1a(name, 0x01000193) | 1) >>> 0;
  return Array.from({ length: PROBES }, (_, probe) => (first + probe * second) % bits);
}

function fnv1a(bytes: Uint8Array, basis: number): number {
  let hash = basis;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
