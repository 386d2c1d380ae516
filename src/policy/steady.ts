import type { Alert } from '../core/alert.ts';
import { type AlertPlace, alertKey } from '../core/monitor-state.ts';

/**
 * What stands still for long enough to be told. What is seen from minute to minute may flap: it must not be told each time, nor must a
 * beginning or an end go untold. Pure, by a clock that is never set.
 */

/** What is looked at again and again, and how it is now. `unknown` says nothing of either. */
export interface Sight extends AlertPlace {
  readonly severity: Alert['severity'];
  readonly state: 'bad' | 'well' | 'unknown';
  /** How long it must be bad before it counts. */
  readonly holdMs: number;
}

interface Watch {
  /** Since when it is bad, or well, without a break; null: it is not. */
  readonly badSinceMs: number | null;
  readonly wellSinceMs: number | null;
  /** It has been bad for long enough since it was well. */
  readonly counts: boolean;
  /** How often it came to count, until it was well for a day. */
  readonly times: number;
}

/** By key. */
export type Watches = ReadonlyMap<string, Watch>;

/** `seen`: it is bad. `clear`: it is well. `open`: it stays what it was. */
export type Verdict = 'seen' | 'clear' | 'open';

/** How long it must be well before it is over; each time that it comes again, twice as long. */
const CALM_MS = 60_000;
const LONGEST_CALM_MS = 3_600_000;
const FORGET_MS = 24 * 3_600_000;

const NEW: Watch = { badSinceMs: null, wellSinceMs: null, counts: false, times: 0 };

/** What is known after a look; what is not looked at any more is forgotten. */
export function watchAll(before: Watches, sights: readonly Sight[], nowMs: number): Watches {
  return new Map(
    sights.map((sight) => [alertKey(sight), watchOne(before.get(alertKey(sight)) ?? NEW, sight, nowMs)]),
  );
}

function watchOne(before: Watch, { state, holdMs }: Sight, nowMs: number): Watch {
  if (state === 'unknown') return { ...before, wellSinceMs: null };
  if (state === 'well') {
    const wellSinceMs = before.wellSinceMs ?? nowMs;
    const isForgotten = nowMs - wellSinceMs >= FORGET_MS;
    return { badSinceMs: null, wellSinceMs, counts: false, times: isForgotten ? 0 : before.times };
  }
  const badSinceMs = before.badSinceMs ?? nowMs;
  const counts = nowMs - badSinceMs >= holdMs;
  const isNew = counts && !before.counts;
  return { badSinceMs, wellSinceMs: null, counts, times: before.times + (isNew ? 1 : 0) };
}

export function verdictOf(watches: Watches, place: AlertPlace, nowMs: number): Verdict {
  const { counts, badSinceMs, wellSinceMs, times } = watches.get(alertKey(place)) ?? NEW;
  if (counts && badSinceMs !== null) return 'seen';
  if (wellSinceMs === null) return 'open';
  const calmMs = Math.min(CALM_MS * 2 ** Math.max(0, Math.min(times, 20) - 1), LONGEST_CALM_MS);
  return nowMs - wellSinceMs >= calmMs ? 'clear' : 'open';
}
