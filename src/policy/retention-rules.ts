import type { RetentionRule } from '../core/retention-rule.ts';
import { makeCalendar, type Period } from './calendar.ts';
import { formatSpan } from './duration.ts';

/** A backup as the rules see it. */
export interface RestorePoint {
  readonly backupId: string;
  readonly createdAtMs: number;
}

/** Takes down why something is kept. */
export type Keep = (backupId: string, reason: string) => void;

const PERIODS = [
  ['daily', 'day'],
  ['weekly', 'week'],
  ['monthly', 'month'],
  ['yearly', 'year'],
] as const satisfies readonly (readonly [keyof RetentionRule, Period])[];

/** Whether a rule says anything of backups; one that does not keeps them all. */
export function saysOfBackups(rule: RetentionRule): boolean {
  return [rule.last, rule.withinMs, ...PERIODS.map(([key]) => rule[key])].some(
    (value) => value !== undefined,
  );
}

/**
 * Keeps what any part of the rule keeps. `points` are newest first. `within` counts back from `sinceMs`: from now, or from the
 * newest backup where none was taken since, so that backups which stop coming do not make the last ones go.
 */
export function keepByRule(
  points: readonly RestorePoint[],
  rule: RetentionRule,
  sinceMs: number,
  keep: Keep,
): void {
  const { last = 0, withinMs } = rule;
  // A full backup that was made of a chain is the same point as the newest of the chain, and comes before it.
  const instants = new Set<number>();
  for (const { backupId, createdAtMs } of points) {
    if (instants.size >= last) break;
    if (!instants.has(createdAtMs)) keep(backupId, last === 1 ? 'the last one' : `one of the last ${last}`);
    instants.add(createdAtMs);
  }
  if (withinMs !== undefined) {
    for (const { backupId, createdAtMs } of points) {
      if (createdAtMs >= sinceMs - withinMs) keep(backupId, `within ${formatSpan(withinMs)}`);
    }
  }
  const calendar = makeCalendar(rule.timeZone ?? 'UTC');
  for (const [key, period] of PERIODS) {
    const seen = new Set<string>();
    for (const { backupId, createdAtMs } of points) {
      if (seen.size >= (rule[key] ?? 0)) break;
      const name = calendar(createdAtMs, period);
      if (!seen.has(name)) keep(backupId, `newest of ${period} ${name}`);
      seen.add(name);
    }
  }
}
