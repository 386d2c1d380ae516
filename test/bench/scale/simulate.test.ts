import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type Resource, shareOut } from '../../../bench/scale/shares.ts';
import { type Failures, type Job, type Place, simulate } from '../../../bench/scale/simulate.ts';

/** Resources 0 and 1 are everyone's; each host has a processor and a line behind them. */
const SHARED = 2;

function placeOf(workers: number, { hosts = 2, shared = 1, host = 1, perGroup = 64 } = {}): Place {
  const common = ['server', 'vault'].map((name): Resource => ({ name, kind: name, perSecond: shared }));
  const own = Array.from({ length: hosts }, (_, i): Resource[] => [
    { name: `processor ${i}`, kind: 'host processor', perSecond: host },
    { name: `line ${i}`, kind: 'host line', perSecond: host },
  ]);
  return {
    resources: [...common, ...own.flat()],
    workers: Array.from({ length: workers }, (_, i) => {
      const processor = SHARED + 2 * (i % hosts);
      return { processor, network: processor + 1 };
    }),
    perGroup,
  };
}

function jobOf(job: Partial<Job> = {}): Job {
  return {
    ...{ group: 0, stage: 0, beginSeconds: 0, units: 10, secondsPerUnit: 1, demand: [], needsWorker: true },
    ...{ hostDemand: { processor: 0, network: 0 }, ...job },
  };
}

const amount = fc.double({ min: 0.01, max: 5, noNaN: true });
const perUnit = fc.oneof(fc.constant(0), fc.double({ min: 0.001, max: 2, noNaN: true }));
const jobArbitrary = fc.record({
  ...{ group: fc.nat(3), stage: fc.nat(2), beginSeconds: fc.double({ min: 0, max: 2, noNaN: true }) },
  units: fc.oneof(fc.constant(0), fc.double({ min: 0.1, max: 50, noNaN: true })),
  secondsPerUnit: amount,
  demand: fc.tuple(perUnit, perUnit).map(
    ([server, vault]) =>
      [
        [0, server],
        [1, vault],
      ] as const,
  ),
  hostDemand: fc.record({ processor: perUnit, network: perUnit }),
  needsWorker: fc.boolean(),
});
const jobsArbitrary = fc.array(jobArbitrary, { minLength: 1, maxLength: 14 });
const workersArbitrary = fc.integer({ min: 1, max: 6 });

/** Seconds of a job that is alone, its host to itself. */
function aloneSeconds(job: Job, place: Place): number {
  const slowest = Math.max(
    job.secondsPerUnit,
    ...job.demand.map(([resource, taken]) => taken / place.resources[resource]!.perSecond),
    ...(job.needsWorker
      ? [job.hostDemand.processor, job.hostDemand.network].map(
          (taken) => taken / place.resources[SHARED]!.perSecond,
        )
      : []),
  );
  return job.beginSeconds + job.units * slowest;
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const near = (one: number, other: number): boolean => Math.abs(one - other) <= 1e-6 * (1 + Math.abs(other));

describe('shares', () => {
  it('use up no more than there is, and keep nobody waiting without a reason', () => {
    const claim = fc.record({
      demand: fc.tuple(perUnit, perUnit, perUnit).map((taken) => taken.map((one, i) => [i, one] as const)),
      unitsPerSecond: amount,
    });
    fc.assert(
      fc.property(
        fc.array(claim, { maxLength: 12 }),
        fc.array(amount, { minLength: 3, maxLength: 3 }),
        (claims, capacities) => {
          const resources = capacities.map((perSecond, i) => ({ name: `${i}`, kind: `${i}`, perSecond }));
          const shares = shareOut(claims, resources);
          const used = resources.map((_, resource) =>
            sum(claims.map(({ demand }, i) => demand[resource]![1] * shares[i]!.rate)),
          );
          for (const [resource, taken] of used.entries())
            assert.ok(taken <= capacities[resource]! * (1 + 1e-6));
          for (const [i, { rate, limit }] of shares.entries()) {
            if (limit === null) assert.ok(near(rate, claims[i]!.unitsPerSecond));
            else assert.ok(near(used[limit]!, capacities[limit]!), `${used[limit]} of ${capacities[limit]}`);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('are equal for equals', () => {
    const claim = { demand: [[0, 1]] as const, unitsPerSecond: 10 };
    const shares = shareOut([claim, claim, claim, claim], [{ name: 'line', kind: 'line', perSecond: 20 }]);
    assert.deepEqual(
      shares.map(({ rate, limit }) => [rate, limit]),
      Array.from({ length: 4 }, () => [5, 0]),
    );
  });
});

describe('a simulation', () => {
  it('does all the work, once, and uses up what the work takes', () => {
    fc.assert(
      fc.property(jobsArbitrary, workersArbitrary, (jobs, workers) => {
        const place = placeOf(workers);
        const outcome = simulate(jobs, place);
        assert.equal(outcome.done, jobs.length);
        assert.ok(near(outcome.unitsDone, sum(jobs.map(({ units }) => units))));
        for (const resource of [0, 1]) {
          const wanted = sum(jobs.map(({ units, demand }) => units * demand[resource]![1]));
          assert.ok(near(outcome.used[resource]!, wanted), `${outcome.used[resource]} of ${wanted}`);
        }
        const onHosts = sum(
          place.resources.map(({ kind }, i) => (kind === 'host processor' ? outcome.used[i]! : 0)),
        );
        const wantedOfHosts = sum(
          jobs.map(({ units, hostDemand, needsWorker }) => (needsWorker ? units * hostDemand.processor : 0)),
        );
        assert.ok(near(onHosts, wantedOfHosts));
      }),
    );
  });

  it('never uses more of anything than there is', () => {
    fc.assert(
      fc.property(jobsArbitrary, workersArbitrary, (jobs, workers) => {
        const { peak } = simulate(jobs, placeOf(workers));
        for (const part of peak) assert.ok(part <= 1 + 1e-6, `${part}`);
      }),
    );
  });

  it('takes no less than any bound, and no more than all of them together', () => {
    fc.assert(
      fc.property(jobsArbitrary, workersArbitrary, (given, workers) => {
        const jobs = given.map((job) => ({ ...job, stage: 0 }));
        const place = placeOf(workers);
        const { seconds, used } = simulate(jobs, place);
        const byResource = used.map((taken, i) => taken / place.resources[i]!.perSecond);
        const alone = jobs.map((job) => aloneSeconds(job, place));
        const ofWorkers = sum(alone.filter((_, i) => jobs[i]!.needsWorker)) / workers;
        const least = Math.max(...byResource, ...alone, ofWorkers);
        assert.ok(seconds >= least * (1 - 1e-6) - 1e-9, `${seconds} < ${least}`);
        // At any time something is used up, or all workers are at their own pace, or what was begun last is.
        const own = jobs.map(
          ({ beginSeconds, units, secondsPerUnit }) => beginSeconds + units * secondsPerUnit,
        );
        const most = sum(byResource) + sum(own) / workers + Math.max(...own);
        assert.ok(seconds <= most * (1 + 1e-6) + 1e-9, `${seconds} > ${most}`);
      }),
    );
  });

  it('is never slower for more workers where nothing is shared, and else by no more than the last job', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0.1, max: 20, noNaN: true }), { minLength: 1, maxLength: 20 }),
        fc.oneof(fc.constant(0), fc.double({ min: 0.01, max: 1, noNaN: true })),
        workersArbitrary,
        (sizes, taken, workers) => {
          const jobs = sizes.map((units) => jobOf({ units, demand: [[0, taken]] }));
          const fewer = simulate(jobs, placeOf(workers)).seconds;
          const more = simulate(jobs, placeOf(workers + 1)).seconds;
          const allowed = taken === 0 ? 0 : Math.max(...sizes);
          assert.ok(more <= fewer + allowed + 1e-6 * fewer, `${more} > ${fewer} + ${allowed}`);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('gives a group no more workers than it may have', () => {
    const jobs = Array.from({ length: 8 }, () => jobOf());
    assert.equal(simulate(jobs, placeOf(8)).seconds, 10);
    assert.equal(simulate(jobs, placeOf(8, { perGroup: 2 })).seconds, 40);
  });

  it('lets a stage wait for all of the one before, of its group alone', () => {
    const jobs = [
      jobOf({ units: 5 }),
      jobOf({ stage: 1, units: 3, needsWorker: false }),
      jobOf({ group: 1, units: 20 }),
      jobOf({ group: 1, stage: 1, units: 1 }),
    ];
    assert.equal(simulate(jobs, placeOf(2)).seconds, 21);
    assert.equal(simulate(jobs.slice(0, 2), placeOf(1)).seconds, 8);
  });

  it('says what kept the jobs waiting', () => {
    const slow = jobOf({ demand: [[0, 1]], units: 10, secondsPerUnit: 0.5 });
    const { spent, seconds, idleSeconds } = simulate([slow, { ...slow, beginSeconds: 1 }], placeOf(3));
    assert.equal(seconds, 20);
    assert.ok(near(spent.server!, 38) && near(spent.beginning!, 1), JSON.stringify(spent));
    assert.ok(near(idleSeconds, 21), `${idleSeconds}`);
  });
});

describe('workers that fail', () => {
  const failures: Failures = { seed: 1, meanSeconds: 30, noticedSeconds: 5, backSeconds: 10, attempts: 1000 };

  it('lose what they had, and all of it is done in the end', () => {
    fc.assert(
      fc.property(jobsArbitrary, workersArbitrary, fc.nat(1000), (given, workers, seed) => {
        const jobs = given.map((job) => ({
          ...job,
          units: Math.min(job.units, 10),
          secondsPerUnit: Math.min(job.secondsPerUnit, 0.5),
        }));
        const place = placeOf(workers, { shared: 5, host: 5 });
        const outcome = simulate(jobs, place, { ...failures, seed });
        assert.equal(outcome.done, jobs.length);
        assert.equal(outcome.givenUp, 0);
        assert.ok(near(outcome.unitsDone, sum(jobs.map(({ units }) => units))));
        const asked = sum(jobs.map(({ units, demand }) => units * demand[0]![1]));
        assert.ok(outcome.used[0]! >= asked * (1 - 1e-6));
        assert.ok(outcome.attemptsLost > 0 || outcome.unitsLost === 0);
      }),
    );
  });

  it('are the same for the same seed', () => {
    const jobs = Array.from({ length: 30 }, (_, i) => jobOf({ units: 5 + i }));
    const run = (seed: number) => simulate(jobs, placeOf(4), { ...failures, seed });
    assert.deepEqual(run(7), run(7));
    assert.notEqual(run(7).seconds, run(8).seconds);
    assert.ok(run(7).attemptsLost > 0 && run(7).unitsLost > 0);
  });

  it('have a job given up after so many attempts, and nothing is built on it', () => {
    const jobs = [jobOf({ units: 1000 }), jobOf({ stage: 1 }), jobOf({ group: 1, units: 1 })];
    const outcome = simulate(jobs, placeOf(1), { ...failures, attempts: 3 });
    assert.deepEqual([outcome.done, outcome.givenUp], [1, 1]);
    assert.ok(outcome.attemptsLost >= 3);
  });
});
