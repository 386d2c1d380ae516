import type { StatusWindow, StoreStatus } from '../core/status.ts';
import { parseTime } from '../core/time.ts';

/** How new the status of a store has to be, and what is known of it between two: pure. All times are of a clock that is never set. */

export interface AskTimes {
  /** When it was asked the last time; null: never. */
  readonly beganMs: number | null;
  /** When something happened last that changes it; null: nothing did. */
  readonly touchedMs: number | null;
  /** When somebody looked last; null: nobody did. */
  readonly lookedMs: number | null;
  readonly periodMs: number;
}

const LONGEST_PERIOD_MS = 10 * 60_000;
const SHORTEST_PERIOD_MS = 60_000;
/** What happens at about the same time is asked for once. */
const GATHER_MS = 3000;
/** Not oftener than this, whatever happens. */
const LEAST_MS = 10_000;
/** For whoever looks. */
const LOOK_MS = 60_000;

/** A promise is looked at twice while it may break, also where many stores are asked. `rpoMs` null: none was made. */
export function periodOf(rpoMs: number | null, leastMs = 0): number {
  const half = (rpoMs ?? Number.POSITIVE_INFINITY) / 2;
  const periodMs = Math.min(LONGEST_PERIOD_MS, Math.max(SHORTEST_PERIOD_MS, half));
  return Math.max(periodMs, Math.min(leastMs, half));
}

/** When it is to be asked next. */
export function nextAskAt({ beganMs, touchedMs, lookedMs, periodMs }: AskTimes): number {
  if (beganMs === null) return Number.NEGATIVE_INFINITY;
  const isTouched = touchedMs !== null && touchedMs >= beganMs;
  const isLookedAt = lookedMs !== null && lookedMs >= beganMs;
  return Math.min(
    beganMs + periodMs,
    isTouched ? Math.max(touchedMs + GATHER_MS, beganMs + LEAST_MS) : Number.POSITIVE_INFINITY,
    isLookedAt ? beganMs + LOOK_MS : Number.POSITIVE_INFINITY,
  );
}

/**
 * The status with what the log in the vault holds since it was asked: up to `until`, RFC 3339. Only where the newest point is the end of a log
 * that nothing breaks off.
 */
export function extendNewest(status: StoreStatus, until: string): StoreStatus {
  const { newestPoint, windows, gaps } = status;
  if (newestPoint === null || !isAfter(until, newestPoint)) return status;
  const newest = windows.find(({ source, to }) => source === 'log' && to === newestPoint);
  const isBroken = gaps.some(({ from }) => from !== null && !isAfter(newestPoint, from));
  if (newest === undefined || isBroken) return status;
  const extended = (window: StatusWindow): StatusWindow =>
    window === newest ? { ...window, to: until } : window;
  return { ...status, newestPoint: until, windows: windows.map(extended) };
}

function isAfter(a: string, b: string): boolean {
  const [first, second] = [parseTime(a), parseTime(b)];
  return first !== null && second !== null && first > second;
}
