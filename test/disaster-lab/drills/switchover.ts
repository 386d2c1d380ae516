import assert from 'node:assert/strict';
import { settle } from '../acknowledgements.ts';
import { type Drill, PATIENCE_MS } from '../drill.ts';
import { measure } from '../row.ts';
import { acceptances, dr, makePlan, showRun } from '../run.ts';
import { eventIds, makeWorld } from '../world.ts';

export const SWITCHOVER: Drill = {
  name: 'D10',
  does: 'a switchover under load',
  run: async ({ isShort, world: options }) => {
    const world = await makeWorld(options);
    try {
      const { west } = world.servers;
      const writers = world.write(isShort ? { count: 4, pauseMs: 5 } : {});
      await writers.waitForAcks(isShort ? 200 : 3000, PATIENCE_MS);
      const { plan } = await makePlan(world, ['--trigger', 'manual_trigger', '--region', 'west']);
      assert.equal(plan.strategy.kind, 'switchover');
      await dr(world, ['execute', '--approve', plan.planId, ...acceptances(plan)], [0, 10]);
      await writers.waitForServer(west.address.host, PATIENCE_MS);
      await writers.waitForAcks(50, PATIENCE_MS);
      await writers.stop();
      const { lostIds, ...account } = settle(writers.log.all, await eventIds(west));
      assert.deepEqual(lostIds, []);
      const row = measure(world, await showRun(world, plan.planId), writers);
      assert.equal(row.writers, 1);
      return {
        ...{ ...row, assessMs: null, account },
        found: `nobody could write for ${Math.round(row.rtoMs ?? 0)} ms`,
      };
    } finally {
      await world.stop();
    }
  },
};
