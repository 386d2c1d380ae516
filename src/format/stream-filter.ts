/**
 * A Bloom filter over the stream names of one chunk: says "surely not here" or "maybe here", so that one stream
 * is read by fetching few chunks. About ten bits a stream and seven probes: 1 % false alarms (FORMAT.md §4.3).
 */
const BITS_PER_STREAM = 10;
const PROBES = 7;

export function makeFilter(names: readonly Uint8Array[]): Uint8Array {
  const filter = new Uint8Array(Math.max(1, Math.ceil((names.length * BITS_PER_STREAM) / 8)));
  const bits = filter.length * 8;
  for (const name of names) {
    const step = stepOf(name);
    let at = fnv1a(name, 0x811c9dc5);
    for (let probe = 0; probe < PROBES; probe += 1) {
      const bit = at % bits;
      filter[bit >>> 3] = filter[bit >>> 3]! | (1 << (bit & 7));
      at += step;
    }
  }
  return filter;
}

export function mayContain(filter: Uint8Array, name: Uint8Array): boolean {
  const bits = filter.length * 8;
  const step = stepOf(name);
  let at = fnv1a(name, 0x811c9dc5);
  for (let probe = 0; probe < PROBES; probe += 1) {
    const bit = at % bits;
    if ((filter[bit >>> 3]! & (1 << (bit & 7))) === 0) return false;
    at += step;
  }
  return true;
}

/** The second hash of double hashing: FNV-1a with another offset basis, made odd. */
function stepOf(name: Uint8Array): number {
  return (fnv1a(name, 0x01000193) | 1) >>> 0;
}

function fnv1a(bytes: Uint8Array, basis: number): number {
  let hash = basis;
  for (let i = 0; i < bytes.length; i += 1) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  return hash >>> 0;
}
