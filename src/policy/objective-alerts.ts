import type { Alert } from '../core/alert.ts';
import type { AlertPlace } from '../core/monitor-state.ts';
import type { Objective } from '../core/status.ts';
import type { Sight } from './steady.ts';

/** What of a store's promises is told: pure, from what the daemon knows of it. */

export interface KnownOfStore {
  readonly objectives: readonly Objective[];
  /** There is a status to judge by. */
  readonly hasStatus: boolean;
  /** It could not be asked anew. */
  readonly isTroubled: boolean;
}

/** A status of another minute may judge otherwise: what is breached for less is not told. */
const BREACH_HOLD_MS = 60_000;
/** A store may be started anew, and a region be away for a while. */
const UNKNOWN_HOLD_MS = 3_600_000;
const TROUBLE_HOLD_MS = 30 * 60_000;

const UNKNOWN = '_unknown';
export const STATUS_CHECK = 'status';

/** Promises without which events may be lost; of the others a breach costs knowledge. */
const CRITICAL: ReadonlySet<Objective['name']> = new Set(['rpo', 'region_rpo']);

export function objectiveCheck({ name, state }: Pick<Objective, 'name' | 'state'>): string {
  return `objective_${name}${state === 'unknown' ? UNKNOWN : ''}`;
}

export function objectivePlace({ region }: Pick<Objective, 'region'>): string {
  return region === null ? 'store' : `region ${region}`;
}

/**
 * Each promise stands for two things that can be told: that it is not kept, and that nobody knows. A promise of which nobody knows is not
 * kept again.
 */
export function sightsOfStore({ objectives, hasStatus, isTroubled }: KnownOfStore): Sight[] {
  const promises = objectives.flatMap((objective) => {
    const { name, state } = objective;
    const place = objectivePlace(objective);
    const severity: Alert['severity'] = CRITICAL.has(name) ? 'critical' : 'warning';
    return [
      sight(objectiveCheck({ name, state: 'breached' }), place, {
        ...{ severity, holdMs: BREACH_HOLD_MS },
        state: state === 'kept' ? 'well' : state === 'breached' ? 'bad' : 'unknown',
      }),
      sight(objectiveCheck({ name, state: 'unknown' }), place, {
        ...{ severity: 'warning', holdMs: UNKNOWN_HOLD_MS },
        state: state === 'unknown' ? 'bad' : 'well',
      }),
    ];
  });
  const isBad = isTroubled || !hasStatus;
  const known = sight(STATUS_CHECK, 'store', {
    ...{ severity: 'warning', holdMs: TROUBLE_HOLD_MS },
    state: isBad ? 'bad' : 'well',
  });
  return [...promises, known];
}

function sight(check: string, place: string, rest: Omit<Sight, 'check' | 'place'>): Sight {
  return { check, place, ...rest };
}

/** Whether something that was told is promised no more, as far as that is known. */
export function isPromisedNoMore({ check, place }: AlertPlace, known: KnownOfStore): boolean {
  if (!check.startsWith('objective_') || !known.hasStatus) return false;
  return !known.objectives.some(
    (objective) =>
      objectivePlace(objective) === place &&
      check.startsWith(objectiveCheck({ ...objective, state: 'kept' })),
  );
}
