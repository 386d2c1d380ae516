import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { answer, limitsOf } from '../../../bench/scale/answers.ts';
import { compareAll, comparisonTable, isFar } from '../../../bench/scale/compare.ts';
import { bestOf, costsOf, fitLine, serialSeconds, WORKS } from '../../../bench/scale/costs.ts';
import {
  type Fleet,
  type FleetCosts,
  KINDS,
  MANY_STORES,
  ONE_STORE,
  planFleet,
} from '../../../bench/scale/fleet.ts';
import { predict } from '../../../bench/scale/predict.ts';
import { PRICES, runPrice } from '../../../bench/scale/prices.ts';
import { observationOf, SAMPLE } from './sample-calibration.ts';

const COSTS = costsOf(SAMPLE);
const ABOUT: FleetCosts = { costs: COSTS, bytes: SAMPLE.bytes, largeRead: 2, largeRestore: 1.5 };
/** A tenth of a hundredth, so that it takes no time. */
const FEW: Fleet = { ...MANY_STORES, stores: 20, servers: 10, hosts: 10, workers: 40, rangeBytes: 2 ** 30 };

const near = (one: number, other: number, part = 1e-6): boolean =>
  Math.abs(one - other) <= part * Math.abs(other);

describe('lines', () => {
  it('are found where points lie on one', () => {
    const positive = fc.double({ min: 1e-3, max: 10, noNaN: true });
    fc.assert(
      fc.property(
        positive,
        positive,
        fc.uniqueArray(fc.integer({ min: 1, max: 100 }), { minLength: 2 }),
        (fixed, perEvent, sizes) => {
          const points = sizes.map((events) => ({ events, seconds: fixed + perEvent * events }));
          const line = fitLine(points);
          assert.ok(
            near(line.perEvent, perEvent, 1e-4) && Math.abs(line.fixed - fixed) < 1e-3 * (1 + perEvent),
            JSON.stringify(line),
          );
        },
      ),
    );
  });

  it('never begin below 0, nor fall', () => {
    const seconds = fc.double({ min: 0, max: 10, noNaN: true });
    fc.assert(
      fc.property(
        fc.array(fc.record({ events: fc.integer({ min: 1, max: 1e6 }), seconds }), { minLength: 1 }),
        (points) => {
          const { fixed, perEvent } = fitLine(points);
          assert.ok(fixed >= 0 && perEvent >= 0 && Number.isFinite(fixed + perEvent));
        },
      ),
    );
  });

  it('are made of the quickest of each step', () => {
    const step = (wallSeconds: number, serverSeconds: number) => ({
      name: 'a',
      wallSeconds,
      clientSeconds: 1 / wallSeconds,
      serverSeconds,
    });
    const [best] = bestOf([[step(3, 1)], [step(2, 9)], [step(4, 2)]]);
    assert.deepEqual([best!.wallSeconds, best!.clientSeconds, best!.serverSeconds], [2, 0.25, 2]);
  });
});

describe('a prediction', () => {
  it('is what was measured, where the costs are straight lines', () => {
    for (const work of WORKS) {
      for (const parallel of [1, 2]) {
        const observed = observationOf(work, 'postgres', { events: 2e6, parallel });
        const seconds = observed.steps.reduce((sum, { wallSeconds }) => sum + wallSeconds, 0);
        const { wallSeconds } = predict(COSTS, { work, store: 'postgres', events: 2e6, parallel, cores: 2 });
        assert.ok(near(wallSeconds, seconds, 1e-3), `${work}, ${parallel}: ${wallSeconds}, ${seconds}`);
      }
    }
  });

  it('knows more processors, and what no second one can help with', () => {
    const at = (parallel: number, cores: number): number =>
      predict(COSTS, { work: 'verify', store: 'postgres', events: 100e6, parallel, cores }).wallSeconds;
    const serial = serialSeconds(COSTS.find(({ work }) => work === 'verify')!.steps[1]!) * 100e6;
    assert.ok(at(4, 4) < at(2, 2) && at(4, 2) >= at(2, 2) * 0.999);
    assert.ok(at(64, 64) > serial && at(64, 64) < serial + 3, `${at(64, 64)}, ${serial}`);
  });

  it('knows that few events are one part, whatever is asked', () => {
    const at = (events: number, parallel: number): number =>
      predict(COSTS, { work: 'verify', store: 'sqlite', events, parallel, cores: 2 }).wallSeconds;
    // See the sample: it begins as with two, and checks as alone, which takes half as long again.
    assert.ok(near(at(250_000, 2), 0.25 + 1.5 * (0.1 + 0.5 * 0.25)));
    assert.ok(near(at(300_000, 2), 0.25 + 0.1 + 0.5 * 0.3, 0.01));
  });

  it('is far from a measurement that differs by more than 15 %', () => {
    const measured = (factor: number) => [
      observationOf('backup', 'postgres', { events: 1e6, parallel: 2, factor }),
    ];
    const [close] = compareAll(COSTS, measured(1.1), 2);
    const [far] = compareAll(COSTS, measured(1.25), 2);
    assert.deepEqual([isFar(close!, 'time'), isFar(far!, 'time'), isFar(far!, 'cpu')], [false, true, true]);
    assert.match(comparisonTable([close!, far!], 'time'), /\| backup .* 1M .* -9 % \|\n.* -20 % FAR \|$/);
  });
});

describe('a fleet', () => {
  it('has all of its bytes in its parts, and asks for what they take', () => {
    for (const work of WORKS) {
      const { jobs, events, puts, gets } = planFleet(FEW, work, ABOUT);
      assert.ok(near(events * ABOUT.bytes.sent, FEW.stores * FEW.storeBytes));
      const parts = jobs.filter(({ needsWorker }) => needsWorker).reduce((sum, { units }) => sum + units, 0);
      assert.ok(near(parts, work === 'backup' ? 2 * events : events));
      assert.ok(work === 'backup' ? puts > 0 : puts === 0 && gets > 0);
    }
  });

  it('takes no less than its servers, workers and coordinators need', () => {
    const { jobs } = planFleet(FEW, 'backup', ABOUT);
    const { seconds, used } = answer(FEW, 'backup', ABOUT);
    const work = jobs
      .filter((job) => job.needsWorker)
      .reduce((sum, job) => sum + job.units * job.secondsPerUnit + job.beginSeconds, 0);
    assert.ok(seconds >= work / FEW.workers);
    for (const [kind, part] of Object.entries(used)) assert.ok(part <= 1 + 1e-6, `${kind}: ${part}`);
  });

  it('is the same, a tenth at a time', () => {
    // Up to a part's time may be lost at the end: of many parts that is little.
    const fine = { ...FEW, rangeBytes: 2 ** 28 };
    const tenfold = answer(fine, 'verify', ABOUT);
    const whole = answer({ ...fine, workers: 41 }, 'verify', ABOUT);
    assert.ok(near(tenfold.seconds, whole.seconds, 0.1), `${tenfold.seconds}, ${whole.seconds}`);
    assert.ok(near(tenfold.gets, whole.gets, 0.01) && near(tenfold.storedBytes, whole.storedBytes));
  });

  it('meets the server first, where a store is one server’s', () => {
    const [first] = limitsOf(ONE_STORE, planFleet(ONE_STORE, 'backup', ABOUT));
    assert.ok(first!.kind === KINDS.serverProcessor || first!.kind === KINDS.serverLine, first!.kind);
    assert.ok(first!.workers > 1 && first!.workers < 50);
  });

  it('is paid for by requests, hours and traffic', () => {
    const used = { puts: 1000, gets: 10_000, movedBytes: 5e9, seconds: 1800, processors: 4 };
    assert.ok(
      near(
        runPrice(used, { ...PRICES, gigabyteMoved: 0.01 }),
        0.005 + 0.004 + 0.05 + 2 * PRICES.processorHour,
      ),
    );
  });
});
