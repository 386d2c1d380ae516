import { formatDuration, formatInstant } from '../cli/units.ts';
import { formatTime, parseTime, timeFromUnixMs, timeToUnixMs } from '../core/time.ts';
import type { RecoveryWindow } from '../recovery/windows.ts';
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
  const newest = windows.reduce<string | null>((max, { to }) => (max === null || to > max ? to : max), null);
  if (newest === null) {
    if (rpoMs === null) return skipped(NAME, 'nothing can be recovered yet');
    return bad(
      NAME,
      'no_restore_point',
      'nothing can be recovered',
      '`eventcore backup full` makes a backup',
    );
  }
  const ageMs = Math.max(0, nowMs - timeToUnixMs(parseTime(newest) ?? timeFromUnixMs(nowMs)));
  const message = `${formatInstant(formatTime(parseTime(newest) ?? 0n))}, ${formatDuration(ageMs)} ago`;
  if (rpoMs === null || ageMs <= rpoMs) return good(NAME, message);
  return bad(
    NAME,
    'no_restore_point',
    `${message}: the policy promises rpo ${formatDuration(rpoMs)}`,
    'run `eventcore archive`, which keeps it to seconds, or `eventcore backup incremental` oftener',
  );
}
