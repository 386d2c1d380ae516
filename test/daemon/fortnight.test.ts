import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { live } from './fortnight/life.ts';
import { problemsOf, timelineOf } from './fortnight/oracle.ts';
import { liveAsPair, pairProblems } from './fortnight/pair.ts';

/** A week here, in which clocks are set back in New York; `soak:fortnight` has whole fortnights, and Berlin and Lord Howe Island too, both ways. */
const SEEDS = [2];
const DAYS = 7;
const PAIRS = 10;
const HOURS = 2;

describe('a week of a daemon', () => {
  for (const seed of SEEDS) {
    it(`leaves every backup that it must, and tells what it must, whatever goes wrong (seed ${seed})`, async () => {
      const world = await live(seed, DAYS);
      const problems = await problemsOf(world);
      assert.equal(problems.length, 0, problems.length === 0 ? '' : timelineOf(world, problems.slice(0, 5)));
      assert.ok(world.points.size > 25 && world.runs.length > 100);
    });
  }
});

describe('two daemons over one vault', () => {
  it('run each job once for each time, and again only where it died, whichever of them is killed', async () => {
    for (let seed = 0; seed < PAIRS; seed += 1) {
      const world = await liveAsPair(seed, HOURS);
      const problems = pairProblems(world, HOURS);
      assert.equal(problems.length, 0, problems.length === 0 ? '' : timelineOf(world, problems.slice(0, 5)));
      assert.ok(world.runs.length > 15);
    }
  });
});
