import { readPublished } from '../publish.ts';
import { type Answer, answer, type Limit, limitsOf } from './answers.ts';
import { type Calibration, costsOf, findCost, WORKS, type Work } from './costs.ts';
import { type Fleet, type FleetCosts, MANY_STORES, ONE_STORE, planFleet } from './fleet.ts';
import type { Failures } from './simulate.ts';

/** All that docs/operating/scale.md shows, and docs/operating/scale.json keeps. */
export interface Answers {
  /** As the fleets are. */
  readonly asked: readonly Answer[];
  /** What is met first, by fleet and work. */
  readonly limits: readonly {
    readonly fleet: string;
    readonly work: Work;
    readonly limits: readonly Limit[];
  }[];
  readonly byWorkers: readonly Answer[];
  readonly byRange: readonly Answer[];
  readonly failing: readonly Answer[];
}

export const WORKERS = [1, 4, 10, 20, 50, 100, 200, 400] as const;
export const RANGES_MIB = [64, 256, 1024, 4096] as const;

/** A worker dies once a day; the queue sees it after 15 seconds, and it is back a minute later. */
export const FAILURES: Failures = {
  seed: 14,
  meanSeconds: 86_400,
  noticedSeconds: 120,
  backSeconds: 60,
  attempts: 5,
};

export function answerAll(calibration: Calibration): Answers {
  const about = fleetCosts(calibration);
  const fleets = [ONE_STORE, MANY_STORES];
  const each = (of: (fleet: Fleet, work: Work) => Answer[]): Answer[] =>
    fleets.flatMap((fleet) => WORKS.flatMap((work) => of(fleet, work)));
  return {
    asked: each((fleet, work) => [answer(fleet, work, about)]),
    limits: fleets.flatMap((fleet) =>
      WORKS.map((work) => ({
        fleet: fleet.name,
        work,
        limits: limitsOf(fleet, planFleet(oneOf(fleet), work, about)),
      })),
    ),
    byWorkers: each((fleet, work) =>
      WORKERS.map((workers) => answer({ ...coarse(fleet), workers }, work, about)),
    ),
    byRange: each((fleet, work) =>
      work === 'backup'
        ? RANGES_MIB.map((mib) => answer({ ...fleet, rangeBytes: mib * 2 ** 20 }, work, about))
        : [],
    ),
    failing: each((fleet, work) => (work === 'backup' ? [answer(fleet, work, about, FAILURES)] : [])),
  };
}

/** What a worker meets is the same in all stores. */
function oneOf(fleet: Fleet): Fleet {
  return { ...fleet, stores: 1 };
}

/** Curves are drawn with fewer, larger parts: they differ by a few per cent, and there are many points. */
function coarse(fleet: Fleet): Fleet {
  return { ...fleet, rangeBytes: (fleet.stores === 1 ? 4096 : 1024) * 2 ** 20 };
}

export function fleetCosts(calibration: Calibration): FleetCosts {
  const costs = costsOf(calibration);
  return { costs, bytes: calibration.bytes, largeRead: LARGE_READ, largeRestore: largeRestore(costs) };
}

/** Ten million events, read by blocks and in a pass: 91 and 44 s of processors' time (`src/stores/postgres/pass.ts`). A queue's workers read by blocks. */
const LARGE_READ = 91 / 44;

/** How much more each further event takes to restore from 2 to 10 million, as published, than in what was calibrated. */
function largeRestore(costs: FleetCosts['costs']): number {
  const seconds = (events: number): number => {
    const found = readPublished().find((outcome) => outcome.events === events);
    const restore = found?.results.find(({ name }) => name === 'restore');
    if (restore === undefined) throw new Error(`no restore of ${events} events is published`);
    return restore.summary.wallSeconds;
  };
  const published = (seconds(10e6) - seconds(2e6)) / 8e6;
  const { steps } = findCost(costs, 'restore', 'postgres');
  const calibrated = steps.reduce((sum, { two }) => sum + two.wall.perEvent, 0);
  return Math.max(1, published / calibrated);
}
