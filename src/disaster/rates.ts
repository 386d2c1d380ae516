import type { PositionSample } from '../core/disaster.ts';
import { bytesBetween } from './lsn.ts';

/** How fast a primary wrote, as its samples say. */
export interface WriteRate {
  readonly eventsPerMs: number | null;
  readonly eventsPerByte: number | null;
  readonly bytesPerMs: number | null;
  /** Between two samples: so long a primary may have lived after the newest one. */
  readonly intervalMs: number;
}

/** Null where there are no two samples of one history. They come in any order. */
export function findRate(samples: readonly PositionSample[]): WriteRate | null {
  const sorted = samples.toSorted((a, b) => timeOf(a) - timeOf(b));
  const last = sorted.at(-1);
  if (last === undefined) return null;
  const own = sorted.filter((sample) => isSameHistory(sample, last));
  const first = own[0]!;
  const ms = timeOf(last) - timeOf(first);
  if (ms <= 0) return null;
  const bytes = bytesBetween(first.position, last.position);
  const events =
    first.eventsInserted === null || last.eventsInserted === null
      ? null
      : last.eventsInserted - first.eventsInserted;
  return {
    // Statistics that were reset meanwhile count less than before.
    eventsPerMs: events === null || events < 0 ? null : events / ms,
    eventsPerByte:
      events === null || events < 0 || bytes === null || bytes <= 0n ? null : events / Number(bytes),
    bytesPerMs: bytes === null || bytes < 0n ? null : Number(bytes) / ms,
    intervalMs: ms / (own.length - 1),
  };
}

function isSameHistory(a: PositionSample, b: PositionSample): boolean {
  return a.server === b.server && a.systemIdentifier === b.systemIdentifier && a.timeline === b.timeline;
}

/** Milliseconds since 1970. */
export function timeOf({ sampledAt }: Pick<PositionSample, 'sampledAt'>): number {
  return Date.parse(sampledAt);
}
