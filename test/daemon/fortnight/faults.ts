import type { JobName } from '../../../src/core/job.ts';
import { makeRandom, type Random } from '../../../src/testing/random.ts';

/** What goes wrong in a fortnight, and when: decided by a seed before it begins. Times are milliseconds from its begin. */

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
/** Hosts believe what is ahead of their clocks by less than this. */
export const BELIEVED_MS = 15 * MINUTE;

export type Place = 'store' | 'vault' | 'west';

export interface Outage {
  readonly place: Place;
  /** `full`: nothing can be written. */
  readonly manner: 'away' | 'full';
  readonly fromMs: number;
  readonly untilMs: number;
}

/** The first run of a job that does its work behind this instant. */
export interface BadRun {
  readonly job: JobName;
  readonly manner: 'dies' | 'takes the daemon along' | 'hangs';
  readonly fromMs: number;
  /** At which of its calls to the vault it dies. */
  readonly atCall: number;
}

/** The daemon is gone and comes back. */
export interface Death {
  readonly manner: 'killed' | 'stopped';
  readonly atMs: number;
  readonly againAtMs: number;
}

export interface ClockStep {
  readonly atMs: number;
  readonly byMs: number;
}

export interface Faults {
  readonly outages: readonly Outage[];
  readonly badRuns: readonly BadRun[];
  readonly deaths: readonly Death[];
  readonly steps: readonly ClockStep[];
  /** The configuration changes at these. */
  readonly reloads: readonly number[];
}

export const NO_FAULTS: Faults = { outages: [], badRuns: [], deaths: [], steps: [], reloads: [] };

/** Nothing goes wrong in the first hours, in which everything runs once. */
const CALM_MS = 6 * HOUR;

export function drawFaults(seed: number, days: number): Faults {
  const random = makeRandom(seed);
  const endMs = days * DAY;
  const some = (least: number, most: number): number[] => {
    const perFortnight = least + random.below(most - least + 1);
    const count = Math.max(least, Math.round((perFortnight * days) / 14));
    return Array.from({ length: count }, () => CALM_MS + random.below(endMs - CALM_MS - 2 * HOUR)).sort(
      (a, b) => a - b,
    );
  };
  return {
    outages: [
      ...some(2, 4).map((at) => outage(random, 'store', at)),
      ...some(2, 4).map((at) => outage(random, 'vault', at)),
      ...some(1, 2).map((at) => outage(random, 'west', at)),
    ],
    badRuns: some(6, 10).map((at) => badRun(random, at)),
    deaths: apart(some(4, 8)).map((atMs) => death(random, atMs)),
    steps: some(1, 3).flatMap((atMs) => stepAndBack(random, atMs)),
    reloads: some(1, 2),
  };
}

function outage(random: Random, place: Place, fromMs: number): Outage {
  const isLong = random.below(4) === 0;
  const lasts = isLong ? 6 * HOUR + random.below(60 * HOUR) : 5 * MINUTE + random.below(7 * HOUR);
  const manner = place === 'vault' && random.below(3) === 0 ? 'full' : 'away';
  return { place, manner, fromMs, untilMs: fromMs + lasts };
}

const WEAK: readonly JobName[] = ['full', 'incremental', 'sync', 'prune', 'verify', 'drill'];

function badRun(random: Random, fromMs: number): BadRun {
  const draw = random.below(6);
  const manner = draw === 0 ? 'hangs' : draw < 3 ? 'takes the daemon along' : 'dies';
  return { job: WEAK[random.below(WEAK.length)]!, manner, fromMs, atCall: 1 + random.below(25) };
}

/** No death before the one before it is over. */
function apart(times: readonly number[]): number[] {
  const kept: number[] = [];
  for (const at of times) if (kept.length === 0 || at > kept.at(-1)! + 9 * HOUR) kept.push(at);
  return kept;
}

function death(random: Random, atMs: number): Death {
  const away = random.below(3) === 0 ? random.below(8 * HOUR) : random.below(3 * MINUTE);
  return { manner: random.below(3) === 0 ? 'stopped' : 'killed', atMs, againAtMs: atMs + 1000 + away };
}

/** A clock that was set wrong is set right again; now and then by more than a day. */
function stepAndBack(random: Random, atMs: number): ClockStep[] {
  const isFar = random.below(4) === 0;
  const byMs =
    (isFar ? 25 * HOUR + random.below(100 * HOUR) : MINUTE + random.below(8 * HOUR)) * sign(random);
  return [
    { atMs, byMs },
    { atMs: atMs + 10 * MINUTE + random.below(10 * HOUR), byMs: -byMs },
  ];
}

function sign(random: Random): 1 | -1 {
  return random.below(2) === 0 ? 1 : -1;
}

/** What a clock shows beyond the time that passed. */
export function offsetAt({ steps }: Faults, atMs: number): number {
  return steps.filter((step) => step.atMs <= atMs).reduce((sum, { byMs }) => sum + byMs, 0);
}

export function isOut({ outages }: Faults, place: Place, atMs: number, manner: Outage['manner']): boolean {
  return outages.some(
    (one) => one.place === place && one.manner === manner && one.fromMs <= atMs && atMs < one.untilMs,
  );
}
