import type { StreamSample } from './inspection.ts';

/**
 * Which bucket of a `StreamSample` a stream falls into, by its name's bytes. The hash is Bob Jenkins's lookup3 as PostgreSQL's
 * `hashtextextended` has it, so that a server can leave the streams of other buckets out by itself: what a backup holds is then
 * divided just as what a store holds.
 */
export function bucketOf(
  { seed, of }: Pick<StreamSample, 'seed' | 'of'>,
  bytes: Uint8Array,
  start = 0,
  length = bytes.length,
): number {
  return (hashName(bytes, start, length, seed) & LOW_BITS) % of;
}

/** Tells for name after name whether its stream is in the sample. */
export function bucketFilter(
  sample: StreamSample,
): (bytes: Uint8Array, start?: number, length?: number) => boolean {
  const wanted = new Uint8Array(sample.of);
  for (const bucket of sample.buckets) wanted[bucket] = 1;
  return (bytes, start, length) => wanted[bucketOf(sample, bytes, start, length)] === 1;
}

/** Without the sign. */
const LOW_BITS = 0x7fff_ffff;
const INITIAL = (0x9e37_79b9 + 3_923_095) | 0;
const BLOCK_BYTES = 12;

/** The low half of the 64 bits; `seed` has 32. */
function hashName(bytes: Uint8Array, start: number, length: number, seed: number): number {
  const state: [number, number, number] = [INITIAL + length, INITIAL + length, INITIAL + length];
  if (seed !== 0) {
    state[1] += seed;
    mix(state);
  }
  let at = start;
  let left = length;
  for (; left >= BLOCK_BYTES; left -= BLOCK_BYTES) {
    for (let word = 0; word < 3; word += 1)
      state[word] = (state[word]! + wordAt(bytes, at + 4 * word, 4)) | 0;
    mix(state);
    at += BLOCK_BYTES;
  }
  state[0] += wordAt(bytes, at, Math.min(left, 4));
  state[1] += wordAt(bytes, at + 4, Math.min(left - 4, 4));
  // The lowest byte of the last word is the length's.
  state[2] += wordAt(bytes, at + 8, Math.min(left - 8, 3)) << 8;
  return finish(state);
}

/** Up to four bytes, the lowest one first. */
function wordAt(bytes: Uint8Array, at: number, count: number): number {
  let word = 0;
  for (let i = 0; i < count; i += 1) word |= bytes[at + i]! << (8 * i);
  return word;
}

function rotate(word: number, by: number): number {
  return (word << by) | (word >>> (32 - by));
}

const MIX_ROTATIONS = [4, 6, 8, 16, 19, 4] as const;

function mix(state: [number, number, number]): void {
  let [x, y, z] = state;
  for (const by of MIX_ROTATIONS) {
    // Each step is the one before with a, b and c moved on by one.
    x = ((x - z) | 0) ^ rotate(z, by);
    z = (z + y) | 0;
    [x, y, z] = [y, z, x];
  }
  [state[0], state[1], state[2]] = [x, y, z];
}

const FINAL_ROTATIONS = [14, 11, 25, 16, 4, 14, 24] as const;

function finish([a, b, c]: readonly [number, number, number]): number {
  let [x, y, z] = [c, b, a];
  for (const by of FINAL_ROTATIONS) {
    x = ((x ^ y) - rotate(y, by)) | 0;
    [x, y, z] = [z, x, y];
  }
  // The word that the last step changed.
  return y;
}
