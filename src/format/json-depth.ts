/** Nothing that is written here is nested this deep. */
const MOST_LEVELS = 32;

/**
 * Whether a value that was read from JSON is nested so deep that writing it again, which goes by recursion, could overflow the
 * stack. A few kilobytes are enough for that; and what is written with an indent grows with the square of the depth.
 */
export function isTooDeep(value: unknown, levels = MOST_LEVELS): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((inner) => isTooDeep(inner, levels - 1));
}
