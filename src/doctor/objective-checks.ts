import { formatDuration, formatInstant } from '../cli/units.ts';
import { parseTime, timeToUnixMs } from '../core/time.ts';
import { judgeRpo } from '../policy/objectives.ts';
import { newestInstant, type RecoveryWindow } from '../recovery/windows.ts';
import { bad, type Check, good, skipped } from './check.ts';

const NAME = 'recoverable point';
export const OBJECTIVE_CHECKS = [NAME] as const;

export interface RecoverableFacts {
  readonly windows: readonly Pick<RecoveryWindow, 'to'>[];
  /** What the policy promises; null where it promises nothing. */
  readonly rpoMs: number | null;
  readonly nowMs: number;
}

/** How much would be lost if the store were lost now, and whether that is more than was promised. */
export function checkRecoverable({ windows, rpoMs, nowMs }: RecoverableFacts): Check {
  const newest = newestInstant(windows);
  if (rpoMs !== null) {
    const { state, reason, next } = judgeRpo(newest, { promisedMs: rpoMs, nowMs });
    if (state !== 'kept') return bad(NAME, 'no_restore_point', reason, next);
  }
  if (newest === null) return skipped(NAME, 'nothing can be recovered yet');
  const ageMs = Math.max(0, nowMs - timeToUnixMs(parseTime(newest) ?? 0n));
  return good(NAME, `${formatInstant(newest)}, ${formatDuration(ageMs)} ago`);
}
