import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { STRATEGY_KINDS } from '../../src/core/disaster.ts';
import { begin } from './drive.ts';
import { makePlan } from './plans.ts';
import { startProcess } from './process.ts';
import { makeWorld } from './world.ts';

describe('a recovery', () => {
  for (const kind of STRATEGY_KINDS) {
    it(`by ${kind} goes to its end`, async () => {
      const world = makeWorld();
      const plan = await makePlan(world, kind);
      const outcome = await begin(startProcess(world), plan);
      assert.deepEqual(outcome.reasons, plan.reasons);
      assert.equal(outcome.state, 'recovered');
      assert.deepEqual(world.faults, []);
    });
  }
});
