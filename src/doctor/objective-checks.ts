import type { ErrorCode } from '../core/errors.ts';
import type { Objective, StatusRegion } from '../core/status.ts';
import { parseTime, timeToUnixMs } from '../core/time.ts';
import { formatDuration, formatInstant } from '../core/units.ts';
import { judgeRegion, judgeRpo, judgeRto } from '../policy/objectives.ts';
import { newestInstant, type RecoveryWindow } from '../recovery/windows.ts';
import { bad, type Check, good, skipped, warn } from './check.ts';

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

/** Whether what a region can bring back alone is as new as was promised. */
export function checkRegion(
  region: Pick<StatusRegion, 'region' | 'newestPoint' | 'backups'>,
  regionRpoMs: number,
  nowMs: number,
): Check {
  return asCheck(NAME, 'no_restore_point', judgeRegion(region, false, { promisedMs: regionRpoMs, nowMs }));
}

/** Whether a restore is as quick as was promised, as far as a drill measured it. */
export function checkRestoreTime(rtoMs: number | null, promisedMs: number): Check {
  const seconds = rtoMs === null ? null : rtoMs / 1000;
  return asCheck('restore time', 'verification_failed', judgeRto(seconds, promisedMs));
}

function asCheck(name: string, code: ErrorCode, { state, reason, next }: Objective): Check {
  if (state === 'kept') return good(name, reason);
  return state === 'breached' ? bad(name, code, reason, next) : warn(name, reason, next);
}
