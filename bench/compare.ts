import { measuredValue, REQUIREMENTS } from './requirements.ts';
import { baselineOf, findResult, type Outcome, type Result } from './results.ts';

/** A number that hardly depends on the machine: a ratio, or how much memory it takes. Less is better. */
export interface Ratio {
  readonly name: string;
  readonly figure: 'wallSeconds' | 'bytes' | 'peakMiB';
  readonly value: number;
}

export interface Change extends Ratio {
  readonly before: number;
  readonly isWorse: boolean;
}

/** How much of a ratio is chance: times and memory differ from run to run, bytes hardly do. */
const TOLERANCE = { wallSeconds: 0.15, bytes: 0.02, peakMiB: 0.15 } as const;

/** All ratios that an outcome has: those of the requirements, and each of ours to the baseline of its work. */
export function ratiosOf(outcome: Outcome): Ratio[] {
  const ratios = new Map<string, Ratio>();
  const note = (ratio: Ratio): void => void ratios.set(`${ratio.figure} ${ratio.name}`, ratio);
  for (const result of outcome.results) for (const ratio of ratiosOfResult(outcome, result)) note(ratio);
  for (const requirement of REQUIREMENTS) {
    const { figure, of, by } = requirement;
    const value = measuredValue(requirement, outcome);
    if (value === null || by === null || figure === 'eventsPerSecond') continue;
    note({ name: `${of.join(', ')} / ${by}`, figure, value });
  }
  return [...ratios.values()];
}

function ratiosOfResult(outcome: Outcome, { name, work, role, summary }: Result): Ratio[] {
  if (role !== 'ours' && role !== 'variant') return [];
  const memory: Ratio = { name, figure: 'peakMiB', value: summary.peakMiB };
  const baseline = baselineOf(outcome, work);
  if (baseline === undefined) return [memory];
  const pair = `${name} / ${baseline.name}`;
  const wall: Ratio = {
    ...{ name: pair, figure: 'wallSeconds' },
    value: summary.wallSeconds / baseline.summary.wallSeconds,
  };
  const { bytes } = baseline.summary;
  if (summary.bytes === null || bytes === null) return [memory, wall];
  return [memory, wall, { name: pair, figure: 'bytes', value: summary.bytes / bytes }];
}

/** What has both a number before and one now; a number that grew by more than chance is worse. */
export function compareOutcomes(before: Outcome, now: Outcome): Change[] {
  const known = ratiosOf(before);
  return ratiosOf(now).flatMap((ratio) => {
    const old = known.find(({ name, figure }) => name === ratio.name && figure === ratio.figure);
    if (old === undefined) return [];
    const isWorse = ratio.value > old.value * (1 + TOLERANCE[ratio.figure]);
    return [{ ...ratio, before: old.value, isWorse }];
  });
}

/** Names of the contenders that a comparison needs: ours, and what they are divided by. */
export function namesToCompare(published: Outcome): Set<string> {
  const divisors = REQUIREMENTS.flatMap(({ by }) => (by === null ? [] : [by]));
  const results = published.results.filter(({ name, role }) => role !== 'peer' || divisors.includes(name));
  return new Set(results.map(({ name }) => name).filter((name) => findResult(published, name) !== undefined));
}
