import { BackupError } from '../../core/errors.ts';
import type { StoreRange } from '../../core/event-store.ts';

/** What a range of all shards is made of: ranges of single ones, read one behind the other. */
export interface Part {
  readonly shard: number;
  readonly range: StoreRange;
}

export function joinParts(parts: readonly Part[], index: number): StoreRange {
  return { index, spec: JSON.stringify(parts.map(({ shard, range }) => [shard, range.index, range.spec])) };
}

/** Throws `usage` when another adapter made the range, or a store of other shards. */
export function partsOf({ spec }: StoreRange, shards: number): Part[] {
  try {
    const parts = JSON.parse(spec) as unknown;
    if (Array.isArray(parts) && parts.every((part) => isPart(part, shards)))
      return parts.map(([shard, index, own]) => ({ shard, range: { index, spec: own } }));
  } catch {
    // Said below.
  }
  throw new BackupError('usage', `${JSON.stringify(spec)} is no range of a store of ${shards} shards`);
}

function isPart(part: unknown, shards: number): part is [number, number, string] {
  if (!Array.isArray(part)) return false;
  const [shard, index, spec] = part as unknown[];
  return (
    Number.isInteger(shard) &&
    Number(shard) >= 0 &&
    Number(shard) < shards &&
    Number.isInteger(index) &&
    typeof spec === 'string'
  );
}

/**
 * Ranges of all shards, numbered anew: one of each shard, then the next of each, so that who reads several at once asks different servers.
 * With `most` no more than so many: several are then put together.
 */
export function joinRanges(
  perShard: readonly (readonly StoreRange[])[],
  most = Number.POSITIVE_INFINITY,
): StoreRange[] {
  const parts = inTurn(perShard.map((ranges, shard) => ranges.map((range): Part => ({ shard, range }))));
  const count = Math.min(parts.length, Math.max(1, Math.floor(most)));
  const bound = (index: number): number => Math.floor((parts.length * index) / count);
  return Array.from({ length: count }, (_, index) =>
    joinParts(parts.slice(bound(index), bound(index + 1)), index),
  );
}

/** The first of each list, then the second of each. */
export function inTurn<Item>(lists: readonly (readonly Item[])[]): Item[] {
  const longest = Math.max(0, ...lists.map(({ length }) => length));
  return Array.from({ length: longest }, (_, place) =>
    lists.flatMap((list) => list.slice(place, place + 1)),
  ).flat();
}
