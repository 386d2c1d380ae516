import type { StreamTable } from './stream-table.ts';

/** So many with one beginning are put in order by moving each to its place. */
const FEW = 24;
/** Bytes of the names that one look takes. */
const STEP = 3;
/** The fourth byte of a key: how many of the three the name still has; or that it goes on behind them. */
const GOES_ON = 4;

/** Numbers of 64 bits that the engine sorts by itself: above, a key; below, the stream. */
interface Keyed {
  readonly numbers: BigUint64Array;
  readonly halves: Uint32Array;
}

/** Which of the two comes first is the processor's choice. */
const [KEY, STREAM] = new Uint32Array(BigUint64Array.of(1n).buffer)[0] === 1 ? [1, 0] : [0, 1];

/**
 * Stream indexes in the byte order of their names. Sorts by three bytes at a time, then each group that is alike in these by the next three
 * (as multikey quicksort does: Bentley and Sedgewick, "Fast Algorithms for Sorting and Searching Strings", 1997), so that names are hardly
 * ever compared: of many millions each comparison waits for memory. Takes 12 bytes a stream.
 */
export function sortedStreams(table: StreamTable): Uint32Array {
  const { count } = table;
  const numbers = new BigUint64Array(count);
  const keyed: Keyed = { numbers, halves: new Uint32Array(numbers.buffer) };
  for (let at = 0; at < count; at += 1) keyed.halves[2 * at + STREAM] = at;
  // Those that are still to be sorted.
  const groups: Group[] = [];
  const all = { start: 0, end: count, depth: 0 };
  if (count > FEW) groups.push(all);
  else orderFew(table, keyed.halves, all);
  for (let group = groups.pop(); group !== undefined; group = groups.pop())
    orderMany(table, keyed, group, groups);
  const order = new Uint32Array(count);
  for (let at = 0; at < count; at += 1) order[at] = keyed.halves[2 * at + STREAM]!;
  (numbers.buffer as ArrayBuffer).transfer(0);
  return order;
}

interface Group {
  readonly start: number;
  readonly end: number;
  /** How many bytes of their names are alike. */
  readonly depth: number;
}

function orderMany(
  table: StreamTable,
  { numbers, halves }: Keyed,
  { start, end, depth }: Group,
  groups: Group[],
): void {
  let isAlike = true;
  for (let at = start; at < end; at += 1) {
    const key = keyAt(table, halves[2 * at + STREAM]!, depth);
    halves[2 * at + KEY] = key;
    isAlike &&= key === halves[2 * start + KEY];
  }
  if (isAlike) {
    groups.push({ start, end, depth: alikeUntil(table, halves, { start, end, depth: depth + STEP }) });
    return;
  }
  numbers.subarray(start, end).sort();
  for (let from = start; from < end; ) {
    const key = halves[2 * from + KEY]!;
    let to = from + 1;
    while (to < end && halves[2 * to + KEY] === key) to += 1;
    if (to - from > FEW) groups.push({ start: from, end: to, depth: depth + STEP });
    else orderFew(table, halves, { start: from, end: to, depth: depth + STEP });
    from = to;
  }
}

/** Passes over what all of them begin with in one go. */
function alikeUntil(
  { names, nameStarts, nameLengths }: StreamTable,
  halves: Uint32Array,
  { start, end, depth }: Group,
): number {
  const first = halves[2 * start + STREAM]!;
  const startA = nameStarts[first]!;
  let until = nameLengths[first]!;
  for (let at = start + 1; at < end && until > depth; at += 1) {
    const other = halves[2 * at + STREAM]!;
    const startB = nameStarts[other]!;
    const most = Math.min(until, nameLengths[other]!);
    for (until = depth; until < most && names[startA + until] === names[startB + until]; ) until += 1;
  }
  return until;
}

/** Names that end are before those that go on. Those of a table all differ, so no two that are alike in this end here. */
function keyAt({ names, nameStarts, nameLengths }: StreamTable, stream: number, depth: number): number {
  const at = nameStarts[stream]! + depth;
  const left = nameLengths[stream]! - depth;
  const state = left > STEP ? GOES_ON : left;
  const first = left > 0 ? names[at]! : 0;
  const second = left > 1 ? names[at + 1]! : 0;
  const third = left > 2 ? names[at + 2]! : 0;
  return ((first << 24) | (second << 16) | (third << 8) | state) >>> 0;
}

function orderFew(table: StreamTable, halves: Uint32Array, { start, end, depth }: Group): void {
  for (let i = start + 1; i < end; i += 1) {
    const moved = halves[2 * i + STREAM]!;
    let at = i;
    for (; at > start; at -= 1) {
      const before = halves[2 * (at - 1) + STREAM]!;
      if (compareNames(table, before, moved, depth) <= 0) break;
      halves[2 * at + STREAM] = before;
    }
    halves[2 * at + STREAM] = moved;
  }
}

/** Both are alike in their first `depth` bytes. */
function compareNames(
  { names, nameStarts, nameLengths }: StreamTable,
  a: number,
  b: number,
  depth: number,
): number {
  const startA = nameStarts[a]!;
  const startB = nameStarts[b]!;
  const lengthA = nameLengths[a]!;
  const lengthB = nameLengths[b]!;
  const shared = Math.min(lengthA, lengthB);
  for (let i = depth; i < shared; i += 1) {
    const difference = names[startA + i]! - names[startB + i]!;
    if (difference !== 0) return difference;
  }
  return lengthA - lengthB;
}
