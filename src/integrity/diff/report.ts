import type { StreamFacts } from '../../core/stream-table.ts';
import { DIFF_KINDS, type DiffKind, EVENT_FIELDS, type EventField } from './event-match.ts';

/** Events of one stream. */
export interface Extent {
  readonly events: number;
  readonly firstVersion: number;
  readonly lastVersion: number;
}

export type Differing = Readonly<Record<DiffKind, Extent | null>>;

/** What the two sides have of one stream, where that is not the same. */
export interface StreamDiff extends Differing {
  readonly streamId: string;
  /** What the past holds of it; null when it has no such stream. */
  readonly past: Extent | null;
  /** Of the events that are `changed`, how many in each field; those without are left out. */
  readonly changedFields: Readonly<Partial<Record<EventField, number>>>;
  /** Behind the past's last event. */
  readonly newer: Extent | null;
}

export interface Count {
  readonly events: number;
  readonly streams: number;
}

/** How much differs in all, whatever of it is listed. */
export type DiffTotals = Readonly<Record<DiffKind | 'newer', Count>>;

export interface Totals {
  readonly add: (place: number, kind: DiffKind, events: number) => void;
  /** Whether the past has events of the stream that the store has not, or otherwise. */
  readonly isTroubled: (place: number) => boolean;
  readonly isMarked: (place: number) => boolean;
  readonly report: (newer: Count) => DiffTotals;
}

/** Counts events, and streams once for each kind: a byte for each stream. */
export function makeTotals(streams: number): Totals {
  const bits = new Uint8Array(streams);
  const counts = DIFF_KINDS.map(() => ({ events: 0, streams: 0 }));
  const between = 1 << DIFF_KINDS.indexOf('between');
  return {
    add: (place, kind, events) => {
      const index = DIFF_KINDS.indexOf(kind);
      const count = counts[index]!;
      count.events += events;
      if ((bits[place]! & (1 << index)) === 0) count.streams += 1;
      bits[place] = bits[place]! | (1 << index);
    },
    isTroubled: (place) => (bits[place]! & ~between) !== 0,
    isMarked: (place) => bits[place] !== 0,
    report: (newer) => {
      const [missing, replaced, changed, added] = counts as [Count, Count, Count, Count];
      return { missing, replaced, changed, between: added, newer };
    },
  };
}

/** The differences of one stream, put together one by one in whatever order. */
export interface StreamDiffBuilder {
  readonly add: (version: number, kind: DiffKind, fields: number) => void;
  readonly diff: () => Differing & Pick<StreamDiff, 'changedFields'>;
  /** The least versions that differ, ascending, each once. */
  readonly versions: () => readonly number[];
}

/** `maxVersions`: how many versions are known one by one. */
export function makeStreamDiff(maxVersions: number): StreamDiffBuilder {
  const extents = new Map<DiffKind, { events: number; firstVersion: number; lastVersion: number }>();
  const changedFields: Partial<Record<EventField, number>> = {};
  const versions: number[] = [];
  return {
    add: (version, kind, fields) => {
      const extent = extents.get(kind) ?? { events: 0, firstVersion: version, lastVersion: version };
      extents.set(kind, extent);
      extent.events += 1;
      extent.firstVersion = Math.min(extent.firstVersion, version);
      extent.lastVersion = Math.max(extent.lastVersion, version);
      EVENT_FIELDS.forEach((field, bit) => {
        if ((fields & (1 << bit)) !== 0) changedFields[field] = (changedFields[field] ?? 0) + 1;
      });
      keepLeast(versions, version, maxVersions);
    },
    diff: () => {
      const of = (kind: DiffKind): Extent | null => extents.get(kind) ?? null;
      return {
        ...{ missing: of('missing'), replaced: of('replaced'), changed: of('changed') },
        ...{ between: of('between'), changedFields },
      };
    },
    versions: () => versions,
  };
}

/** Keeps the least of many, ascending, each once. */
function keepLeast(kept: number[], version: number, most: number): void {
  if (kept.length === most && (most === 0 || version >= kept[most - 1]!)) return;
  let at = kept.length;
  while (at > 0 && kept[at - 1]! > version) at -= 1;
  if (kept[at - 1] === version) return;
  kept.splice(at, 0, version);
  if (kept.length > most) kept.pop();
}

/** All of what a table holds of a stream. */
export function wholeExtent({ events, firstVersion, lastVersion }: StreamFacts): Extent {
  return { events, firstVersion, lastVersion };
}

/** The first versions that a table holds of a stream. */
export function firstVersions({ firstVersion, lastVersion, gaps }: StreamFacts, most: number): number[] {
  const versions: number[] = [];
  const behind = [...gaps, [lastVersion + 1, lastVersion + 1] as const];
  let from = firstVersion;
  for (const [gapFirst, gapLast] of behind) {
    for (let version = from; version < gapFirst && versions.length < most; version += 1)
      versions.push(version);
    if (versions.length >= most) break;
    from = gapLast + 1;
  }
  return versions;
}

/** Events of the past are not in the store, or not as they were. */
export function isDiverged({ missing, replaced, changed }: DiffTotals): boolean {
  return missing.events + replaced.events + changed.events > 0;
}

export function isEqual(totals: DiffTotals): boolean {
  return !isDiverged(totals) && totals.between.events + totals.newer.events === 0;
}
