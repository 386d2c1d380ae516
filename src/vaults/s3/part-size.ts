/** An upload has at most so many parts, each of at most 5 GiB, and an object at most 5 TiB. */
export const MAX_PARTS = 10_000;

export const FIRST_PART_BYTES = 8 << 20;
/** The size doubles after so many parts. */
const STEP = 1000;
/** With this for the last parts, all of them together have more than 5 TiB. */
const LAST_BYTES = 1664 * 2 ** 20;

/**
 * How large a part is, by its number from 1. Nobody knows how long an object will be when it begins, and each part waits in
 * memory: so parts are small as long as the object may still be.
 */
export function partSizeOf(number: number, firstBytes = FIRST_PART_BYTES): number {
  return Math.min(firstBytes * 2 ** Math.floor((number - 1) / STEP), LAST_BYTES);
}
