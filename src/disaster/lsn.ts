import { parsePosition } from '../recovery/position.ts';

/** How many bytes of log `behind` lacks of `ahead`: negative where it has more. Null where one of the two is no position. */
export function bytesBetween(behind: string, ahead: string): bigint | null {
  const [from, to] = [parsePosition(behind), parsePosition(ahead)];
  return from === null || to === null ? null : to - from;
}

/** The greatest of them; null when there is none. */
export function greatestPosition(positions: readonly string[]): string | null {
  const known = positions.flatMap((text) => {
    const at = parsePosition(text);
    return at === null ? [] : [{ text, at }];
  });
  known.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  return known.at(-1)?.text ?? null;
}
