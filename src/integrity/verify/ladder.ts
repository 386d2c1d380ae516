import { type FoundProblem, type Problem, RUNG_OF } from '../../core/report.ts';
import { RUNGS, type Rung, type RungResult } from '../../core/rungs.ts';

/** Rungs that were not tried, and why. */
export type Untried = Partial<Record<Rung, string>>;

/** These are tried whatever is wrong below them. */
const INDEPENDENT: ReadonlySet<Rung> = new Set(['completeness']);

/**
 * How far up the ladder a verification came. Above a rung that failed nothing is said to have passed: what did not have its
 * checksum was not decoded, and what was not decoded was not counted.
 */
export function climb(failed: ReadonlySet<Rung>, untried: Untried): RungResult[] {
  const lowest = RUNGS.find((name) => failed.has(name));
  const place = lowest === undefined ? RUNGS.length : RUNGS.indexOf(lowest);
  return RUNGS.map((name, at): RungResult => {
    if (failed.has(name)) return { name, state: 'failed' };
    const below = at > place && !INDEPENDENT.has(name) ? `\`${lowest}\` failed` : undefined;
    const reason = untried[name] ?? below;
    return reason === undefined ? { name, state: 'passed' } : { name, state: 'skipped', reason };
  });
}

export function rungsOf(problems: readonly Problem[]): Set<Rung> {
  return new Set(problems.map(({ code }) => RUNG_OF[code]));
}

export function withRung(problem: Problem): FoundProblem {
  return { ...problem, rung: RUNG_OF[problem.code] };
}

/** The same reason for several rungs. */
export function untriedFor(reason: string | null, ...names: readonly Rung[]): Untried {
  return reason === null ? {} : Object.fromEntries(names.map((name) => [name, reason]));
}
