import { formatDuration } from '../core/units.ts';
import { DRILL_HINT, judgeDrilled } from '../policy/objectives.ts';
import { bad, type Check, good, skipped, warn } from './check.ts';

const NAME = 'drills';
export const DRILL_CHECKS = [NAME] as const;

export interface DrillFacts {
  readonly total: number;
  readonly lastPassedAtMs: number | null;
  /** Whether the newest one passed; null when there is none, or it cannot be read. */
  readonly newestPassed: boolean | null;
  /** The longest time that the last passing drill may be ago; null when nothing says so. */
  readonly withinMs: number | null;
  readonly nowMs: number;
}

/** A backup that was never restored is a hope. */
export function checkDrills({ total, lastPassedAtMs, newestPassed, withinMs, nowMs }: DrillFacts): Check {
  const last =
    lastPassedAtMs === null
      ? total === 0
        ? 'no drill was made yet'
        : 'no drill has passed'
      : `the last one that passed is ${formatDuration(Math.max(0, nowMs - lastPassedAtMs))} old`;
  const objective = withinMs === null ? null : judgeDrilled(lastPassedAtMs, { promisedMs: withinMs, nowMs });
  if (objective?.state === 'breached')
    return bad(NAME, 'verification_failed', objective.reason, objective.next);
  if (total === 0) return skipped(NAME, last, DRILL_HINT);
  return newestPassed === true ? good(NAME, last) : warn(NAME, `the newest one failed; ${last}`, DRILL_HINT);
}
