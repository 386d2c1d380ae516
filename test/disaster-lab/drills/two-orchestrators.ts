import assert from 'node:assert/strict';
import { settle } from '../acknowledgements.ts';
import { type Drill, PATIENCE_MS } from '../drill.ts';
import { sqlInside } from '../region-servers.ts';
import { measure } from '../row.ts';
import { acceptances, makePlan, showRun } from '../run.ts';
import { eventIds, makeWorld, type World } from '../world.ts';

export const TWO_ORCHESTRATORS: Drill = {
  name: 'D9',
  does: 'two orchestrators carry out two plans, to two regions, at once',
  run: async ({ world: options }) => {
    const world = await makeWorld(options);
    try {
      const writers = world.write({ count: 4, pauseMs: 5 });
      await writers.waitForAcks(200, PATIENCE_MS);
      const plans = [await planTo(world, 'west'), await planTo(world, 'south')];
      const hosts = [world.folder, world.anotherHost('second-host')];
      const ran = await Promise.all(
        plans.map((plan, i) =>
          world.run(['dr', 'execute', '--approve', plan.planId, ...acceptances(plan)], {
            folder: hosts[i]!,
          }),
        ),
      );
      const text = ran.map(({ code, stderr }) => `${code}: ${stderr}`).join('\n');
      const winner = ran.findIndex(({ code }) => code === 0 || code === 10);
      assert.ok(winner !== -1, text);
      const loser = ran[1 - winner]!;
      assert.ok(loser.code !== 0 && loser.code !== 10 && loser.code !== 1, text);
      const chosen = world.servers[winner === 0 ? 'west' : 'south'];
      const other = world.servers[winner === 0 ? 'south' : 'west'];
      await writers.waitForServer(chosen.address.host, PATIENCE_MS);
      await writers.stop();
      assert.equal((await sqlInside(other, 'SELECT pg_is_in_recovery() AS is'))[0]!.is, true);
      const { lostIds, ...account } = settle(writers.log.all, await eventIds(chosen));
      assert.deepEqual(lostIds, []);
      const row = measure(world, await showRun(world, plans[winner]!.planId), writers);
      assert.equal(row.writers, 1);
      return { ...row, assessMs: null, account, found: `the other one ended with exit code ${loser.code}` };
    } finally {
      await world.stop();
    }
  },
};

async function planTo(world: World, region: string) {
  return (await makePlan(world, ['--trigger', 'manual_trigger', '--region', region])).plan;
}
