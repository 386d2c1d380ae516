/**
 * Times as pairs of 32-bit words in the memory of a BigInt64Array: arithmetic on words needs no BigInt, which
 * would be an object for each event.
 */
export function timeWords(times: BigInt64Array): Int32Array {
  return new Int32Array(times.buffer, times.byteOffset, times.length * 2);
}

const littleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
/** Where the two words of a time stand in its pair, on this machine. */
export const LOW_WORD = littleEndian ? 0 : 1;
export const HIGH_WORD = littleEndian ? 1 : 0;
