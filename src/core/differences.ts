/** What a store has no more, or has otherwise, of what a chain of backups holds. */
export type DifferenceKind =
  /** Events that are not in the store any more. */
  | 'lost'
  /** Events with the same id and other content. */
  | 'changed'
  /** Other events in their place: after a failover or a restore, the store went another way. */
  | 'diverged';

export interface StreamDifference {
  readonly streamId: string;
  readonly kind: DifferenceKind;
  readonly events: number;
  /** The first version that is known to differ; null where only their number is known. */
  readonly version: number | null;
}

export interface Differences {
  readonly note: (streamId: string, kind: DifferenceKind, events: number, version: number | null) => void;
  readonly report: () => DifferenceReport;
}

export interface DifferenceReport {
  readonly events: Readonly<Record<DifferenceKind, number>>;
  /** In the order in which they were found. */
  readonly streams: readonly StreamDifference[];
  /** Streams that are counted and not listed. */
  readonly streamsOmitted: number;
}

/** Enough to see what happened. */
const MAX_STREAMS = 1000;

export function makeDifferences(): Differences {
  const events = { lost: 0, changed: 0, diverged: 0 };
  const streams = new Map<string, StreamDifference>();
  const omitted = new Set<string>();
  return {
    note: (streamId, kind, count, version) => {
      events[kind] += count;
      const key = `${kind} ${streamId}`;
      const known = streams.get(key);
      if (known === undefined && streams.size >= MAX_STREAMS) {
        omitted.add(key);
        return;
      }
      const first = known?.version ?? version;
      const least = first === null || version === null ? first : Math.min(first, version);
      streams.set(key, { streamId, kind, events: (known?.events ?? 0) + count, version: least });
    },
    report: () => ({ events: { ...events }, streams: [...streams.values()], streamsOmitted: omitted.size }),
  };
}

export function hasDifferences({ events }: DifferenceReport): boolean {
  return events.lost + events.changed + events.diverged > 0;
}
