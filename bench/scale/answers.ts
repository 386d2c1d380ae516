import type { Work } from './costs.ts';
import { type Fleet, type FleetCosts, type Planned, placeOf, planFleet, sliceOf } from './fleet.ts';
import { PRICES, runPrice } from './prices.ts';
import { type Failures, type Outcome, OWN_PACE, simulate } from './simulate.ts';

/** What the simulation says of a fleet. Pure. */

export interface Answer {
  readonly fleet: string;
  readonly work: Work;
  readonly workers: number;
  readonly rangeMiB: number;
  readonly seconds: number;
  /** Of what there is of a kind, the part that was used, on average over the whole time. */
  readonly used: Readonly<Record<string, number>>;
  /** Where the time of all jobs went: what kept them from being done sooner, in parts of 1. */
  readonly spent: Readonly<Record<string, number>>;
  /** The part of their time in which workers had a job. */
  readonly busy: number;
  readonly puts: number;
  readonly gets: number;
  readonly storedBytes: number;
  readonly dollars: number;
  readonly dollarsMonth: number;
  readonly attemptsLost: number;
}

export function answer(
  fleet: Fleet,
  work: Work,
  about: FleetCosts,
  failures: Failures | null = null,
): Answer {
  const { slice, times } = sliceOf(fleet);
  const planned = planFleet(slice, work, about);
  const outcome = simulate(planned.jobs, placeOf(slice), failures);
  const jobSeconds = Object.values(outcome.spent).reduce((sum, seconds) => sum + seconds, 0);
  const spent = Object.entries(outcome.spent).map(([kind, seconds]) => [kind, seconds / jobSeconds] as const);
  const [puts, gets] = [planned.puts * times, planned.gets * times];
  const [storedBytes, movedBytes] = [planned.storedBytes * times, planned.movedBytes * times];
  const busy = 1 - outcome.idleSeconds / (outcome.seconds * slice.workers);
  const processors = busy * Math.min(fleet.workers, fleet.hosts * fleet.host.processors);
  return {
    ...{ fleet: fleet.name, work, workers: fleet.workers, rangeMiB: fleet.rangeBytes / 2 ** 20 },
    ...{ seconds: outcome.seconds, used: usedByKind(slice, outcome), spent: Object.fromEntries(spent) },
    busy,
    ...{ puts, gets, storedBytes, attemptsLost: outcome.attemptsLost * times },
    dollars: runPrice({ puts, gets, movedBytes, seconds: outcome.seconds, processors }, PRICES),
    dollarsMonth: (storedBytes / 1e9) * PRICES.gigabyteMonth,
  };
}

function usedByKind(fleet: Fleet, { used, seconds }: Outcome): Record<string, number> {
  const sums = new Map<string, { used: number; there: number }>();
  for (const [resource, { kind, perSecond }] of placeOf(fleet).resources.entries()) {
    const sum = sums.get(kind) ?? { used: 0, there: 0 };
    sum.used += used[resource]!;
    sum.there += perSecond * seconds;
    sums.set(kind, sum);
  }
  return Object.fromEntries([...sums].map(([kind, sum]) => [kind, sum.used / sum.there]));
}

export interface Limit {
  readonly kind: string;
  /** So many workers at their own pace use all of it up. */
  readonly workers: number;
}

/**
 * What the workers of the longest stage meet, the first first: how many of them, each at its own pace, would use up all that there is of a
 * kind. On paper: of a server, as many as there are servers times so many.
 */
export function limitsOf(fleet: Fleet, planned: Planned): Limit[] {
  const place = placeOf(fleet);
  const stage = longestStage(planned);
  const job = planned.jobs.find((one) => one.needsWorker && one.stage === stage)!;
  const { processor, network } = place.workers[0]!;
  const demands = [
    ...job.demand,
    [processor, job.hostDemand.processor] as const,
    [network, job.hostDemand.network] as const,
  ];
  return demands
    .filter(([, perUnit]) => perUnit > 0)
    .map(([resource, perUnit]) => {
      const { kind, perSecond } = place.resources[resource]!;
      const there = place.resources.filter((one) => one.kind === kind).length * perSecond;
      return { kind, workers: (there * job.secondsPerUnit) / perUnit };
    })
    .toSorted((a, b) => a.workers - b.workers);
}

/** Of those with workers, the one with the most work at its own pace. */
function longestStage({ jobs }: Planned): number {
  const sums = new Map<number, number>();
  for (const { stage, needsWorker, units, secondsPerUnit } of jobs) {
    if (needsWorker) sums.set(stage, (sums.get(stage) ?? 0) + units * secondsPerUnit);
  }
  return [...sums].toSorted((a, b) => b[1] - a[1])[0]![0];
}

/** What most of the jobs' time was spent on, beside their own pace. */
export function mainLimit({ spent }: Answer): string {
  const [first] = Object.entries(spent).toSorted((a, b) => b[1] - a[1]);
  return first?.[0] ?? OWN_PACE;
}
