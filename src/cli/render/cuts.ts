import type { StoreCursor } from '../../core/event-store.ts';
import { formatDuration } from '../../core/units.ts';

/** Of a store of several shards: how many views a backup is of, and how far apart they were taken. */
export interface Cuts {
  readonly shards: number;
  /** Null where that is not to be told. */
  readonly withinMs: number | null;
}

/** Null of a store that gives one cut. */
export function cutsOf(cursor: StoreCursor): Cuts | null {
  const { kind, shards } = cursor;
  if (kind !== 'shards' || typeof shards !== 'number') return null;
  const times = Array.from({ length: shards }, (_, shard) => openedAtMs(cursor[`shard${shard + 1}`]));
  const withinMs = Math.max(...times) - Math.min(...times);
  return { shards, withinMs: Number.isFinite(withinMs) ? withinMs : null };
}

/** NaN where a manifest says something else. */
function openedAtMs(view: unknown): number {
  try {
    return Date.parse(String((JSON.parse(String(view)) as { openedAt?: unknown } | null)?.openedAt));
  } catch {
    return Number.NaN;
  }
}

export function cutPairs(cursor: StoreCursor): [string, string][] {
  const cuts = cutsOf(cursor);
  if (cuts === null) return [];
  const within = cuts.withinMs === null ? '' : `, taken within ${formatDuration(cuts.withinMs)}`;
  return [
    ['cuts', `one of each of ${cuts.shards} shards${within}: not one over all; each stream is whole in one`],
  ];
}
