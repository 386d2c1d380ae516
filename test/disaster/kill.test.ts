import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { STRATEGY_KINDS } from '../../src/core/disaster.ts';
import { begin, driveWithKills } from './drive.ts';
import { makePlan } from './plans.ts';
import { startProcess } from './process.ts';
import { endState, HOME, makeWorld } from './world.ts';

/** Entries of the journal and what is done to the world; copies, leases and marks are one in so many. */
const OTHERS_STEP = 9;

describe('a recovery that is killed', () => {
  for (const kind of STRATEGY_KINDS) {
    it(`at any moment of ${kind} comes to the same end when it is taken up`, async () => {
      const undisturbed = makeWorld();
      const process = startProcess(undisturbed);
      const moments: number[] = [];
      process.onMoment = (moment, what) => {
        const isOwn = !what.includes('memory:') || what.includes(`${HOME} disaster/`);
        if (isOwn || moment % OTHERS_STEP === 0) moments.push(moment);
      };
      await begin(process, await makePlan(undisturbed, kind));
      const wanted = endState(undisturbed);
      assert.ok(moments.length > 80, `${moments.length} moments`);
      for (const moment of moments) {
        const world = makeWorld();
        const plan = await makePlan(world, kind);
        const outcome = await driveWithKills(world, plan, [moment]);
        assert.deepEqual(endState(world), wanted, `killed at ${moment}`);
        assert.equal(outcome.state, 'recovered', `killed at ${moment}: ${outcome.reasons}`);
      }
    });
  }
});
