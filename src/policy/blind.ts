import type { BlindCount } from '../core/monitor-state.ts';
import type { Observation } from './alerts.ts';

/** Name of the alert that something could not be looked at: silence must not be taken for soundness. */
export const BLIND_CHECK = 'monitor_blind';

/** What a run could look at, and what not, by causes; what it did not come to is in neither. */
export interface Sight {
  readonly blind: readonly string[];
  readonly clear: readonly string[];
}

/** How many runs in a row make it an alert. A store may be started anew, replication may lag for a while. */
const TIMES: Readonly<Record<string, number>> = { store: 2, vault: 2, comparison: 1, replication: 6 };
const TIMES_OF_A_CHECK = 3;
/** Counting ends somewhere. */
const MOST_TIMES = 1_000_000;

export function countBlind(before: readonly BlindCount[], { blind, clear }: Sight): BlindCount[] {
  const stay = before.filter(({ cause }) => !blind.includes(cause) && !clear.includes(cause));
  const counted = [...new Set(blind)].map((cause) => ({
    cause,
    times: Math.min(MOST_TIMES, 1 + (before.find((count) => count.cause === cause)?.times ?? 0)),
  }));
  return [...stay, ...counted];
}

/** What is to be told of it. */
export function observeBlind(counts: readonly BlindCount[]): Observation[] {
  return counts
    .filter(({ cause, times }) => times >= (TIMES[cause] ?? TIMES_OF_A_CHECK))
    .map(({ cause }) => ({
      ...{ check: BLIND_CHECK, place: cause, findings: 1, events: 0 },
      severity: cause === 'store' || cause === 'vault' ? 'critical' : 'warning',
    }));
}
