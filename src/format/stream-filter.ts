import { FNV_BASIS, fnv1a, type StreamTable } from '../core/stream-table.ts';

/**
 * A Bloom filter over the stream names of one chunk: says "surely not here" or "maybe here", so that one stream
 * is read by fetching few chunks. About ten bits a stream and seven probes: 1 % false alarms (FORMAT.md §4.3).
 */
const BITS_PER_STREAM = 10;
const PROBES = 7;

export function makeFilter(table: StreamTable, streams: readonly number[]): Uint8Array {
  const filter = new Uint8Array(Math.max(1, Math.ceil((streams.length * BITS_PER_STREAM) / 8)));
  const bits = filter.length * 8;
  for (const index of streams) {
    const step = stepOf(table.names, table.nameStarts[index]!, table.nameLengths[index]!);
    // The table's own hash is the first one.
    let at = table.hashes[index]!;
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
  const step = stepOf(name, 0, name.length);
  let at = fnv1a(name, 0, name.length, FNV_BASIS);
  for (let probe = 0; probe < PROBES; probe += 1) {
    const bit = at % bits;
    if ((filter[bit >>> 3]! & (1 << (bit & 7))) === 0) return false;
    at += step;
  }
  return true;
}

/** The second hash of double hashing: FNV-1a with another offset basis, made odd. */
function stepOf(bytes: Uint8Array, start: number, length: number): number {
  return (fnv1a(bytes, start, length, 0x01000193) | 1) >>> 0;
}
