import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { STRATEGY_KINDS } from '../../src/core/disaster.ts';
import { BackupError, isBackupError } from '../../src/core/errors.ts';
import { abandonRun } from '../../src/disaster/abandon.ts';
import { entryName } from '../../src/format/disaster-journal.ts';
import { begin, diesOf, requestOf, resume } from './drive.ts';
import { makePlan } from './plans.ts';
import { type Process, startProcess } from './process.ts';
import {
  EAST,
  endState,
  HOME,
  isOpen,
  killEast,
  lastEntry,
  makeWorld,
  PLACE,
  passTime,
  VALUES,
  type World,
} from './world.ts';

/** Holds a process up right before it does something; `goOn` lets it. */
function holdAt(process: Process, isIt: (what: string, moment: number) => boolean) {
  const reached = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  process.onMoment = (moment, what) => {
    if (!isIt(what, moment)) return;
    reached.resolve();
    return goOn.promise;
  };
  return { reached: reached.promise, goOn: () => goOn.resolve() };
}

async function undisturbed(kind: (typeof STRATEGY_KINDS)[number]) {
  const world = makeWorld();
  const process = startProcess(world);
  await begin(process, await makePlan(world, kind));
  return { wanted: endState(world), moments: process.moments };
}

describe('two recoveries at once', () => {
  it('of one plan: one acts, and the other does nothing', async () => {
    const world = makeWorld();
    const plan = await makePlan(world, 'regional_failover');
    const processes = [startProcess(world), startProcess(world)];
    const results = await Promise.allSettled(processes.map((process) => begin(process, plan)));
    const acted = results.findIndex(({ status }) => status === 'fulfilled');
    const other = results[1 - acted]!;
    assert.ok(other.status === 'rejected' && isBackupError(other.reason, 'lease_held'), String(other));
    assert.deepEqual(processes[1 - acted]!.actions, []);
    assert.deepEqual(endState(world), (await undisturbed('regional_failover')).wanted);
  });

  it('of two plans, in the middle of the first one', async () => {
    const world = makeWorld();
    const first = startProcess(world);
    const hold = holdAt(first, (what) => what === 'before migrate');
    const plan = await makePlan(world, 'switchover');
    const running = begin(first, plan);
    await hold.reached;
    const second = startProcess(world);
    const other = await makePlan(world, 'full_rebuild');
    await assert.rejects(begin(second, other), (error) => isBackupError(error, 'lease_held'));
    await assert.rejects(resume(second, plan), (error) => isBackupError(error, 'lease_held'));
    hold.goOn();
    assert.equal((await running).state, 'recovered');
    assert.deepEqual(second.actions, []);
  });

  it('one that slept while another took over loses the next entry, and does nothing more', async () => {
    const { wanted } = await undisturbed('regional_failover');
    for (const number of ['00004', '00005', '00010', '00011', '00021', '00022', '00031']) {
      const world = makeWorld();
      const plan = await makePlan(world, 'regional_failover');
      const sleeper = startProcess(world);
      const entry = `before ${HOME} disaster/runs/${plan.planId}/${number}.json`;
      const hold = holdAt(sleeper, (what) => what === entry);
      const running = begin(sleeper, plan);
      await hold.reached;
      passTime(world);
      const done = sleeper.actions.length;
      assert.equal((await resume(startProcess(world), plan)).state, 'recovered');
      hold.goOn();
      await assert.rejects(running, (error) => isBackupError(error, 'lease_held'), number);
      assert.equal(sleeper.actions.length, done, number);
      assert.deepEqual(endState(world), wanted, number);
    }
  });
});

describe('locks that are lost in the middle', () => {
  const settings = { leaseTtlMs: 240 };

  async function loseAtMigrate(lost: readonly string[]) {
    const world = makeWorld();
    const plan = await makePlan(world, 'switchover');
    const process = startProcess(world);
    const hold = holdAt(process, (what) => what === 'before migrate');
    const running = begin(process, plan, { settings });
    running.catch(() => {});
    await hold.reached;
    for (const vault of lost) process.lostVaults.add(vault);
    await new Promise((resolve) => setTimeout(resolve, 400));
    const done = process.actions.length;
    hold.goOn();
    return { world, plan, process, running, done };
  }

  it('end the run before it does anything more, when they are no majority any longer', async () => {
    for (const lost of [['memory:east', 'memory:north'], [HOME]]) {
      const { world, plan, process, running, done } = await loseAtMigrate(lost);
      await assert.rejects(running, (error) => isBackupError(error, 'lease_held'));
      await new Promise((resolve) => setTimeout(resolve, 20));
      // What was under way when they were lost ends as it ends.
      assert.ok(process.actions.length <= done + 1);
      passTime(world);
      assert.equal((await resume(startProcess(world), plan)).state, 'recovered');
      assert.deepEqual(world.faults, []);
    }
  });

  it('do not hold the run up, when one vault is gone and the others are enough', async () => {
    const { running, plan } = await loseAtMigrate(['memory:east']);
    const { state, reasons } = await running;
    assert.equal(state, 'in_part');
    assert.equal(reasons.length, plan.reasons.length + 1);
    assert.match(reasons.at(-1)!, /^release failed: still frozen, where it was: memory:east/);
  });
});

describe('a vault that never answers', () => {
  const settings = { probeMs: 30 };

  it('is done without, from the beginning and in the middle', async () => {
    for (const from of [0, 60]) {
      const world = makeWorld();
      const plan = await makePlan(world, 'regional_failover');
      const process = startProcess(world);
      process.onMoment = (moment) => void (moment >= from && process.silentVaults.add('memory:east'));
      if (from === 0) process.silentVaults.add('memory:east');
      const { state } = await begin(process, plan, { settings });
      assert.equal(state, from === 0 ? 'recovered' : 'in_part', String(from));
      assert.deepEqual(world.faults, []);
    }
  });
});

describe('a vault of the journal that refuses in the middle', () => {
  it('ends the run where it is, and it can be taken up', async () => {
    const { wanted } = await undisturbed('switchover');
    for (const number of ['00001', '00004', '00005', '00011', '00021', '00033']) {
      const world = makeWorld();
      const plan = await makePlan(world, 'switchover');
      const process = startProcess(world);
      process.onMoment = (_, what) => {
        if (what.includes(`${HOME} disaster/runs/${plan.planId}/${number}`)) process.lostVaults.add(HOME);
      };
      await assert.rejects(
        begin(process, plan),
        (error) => isBackupError(error, 'vault_unreachable'),
        number,
      );
      passTime(world, 200_000);
      const next = startProcess(world);
      const run = number === '00001' ? begin(next, plan) : resume(next, plan);
      assert.equal((await run).state, 'recovered', number);
      assert.deepEqual(endState(world), wanted, number);
    }
  });
});

describe('a run that is given up', () => {
  const giveUp = (world: World, planId: string, reopen: boolean, process = startProcess(world)) =>
    abandonRun(requestOf(process), planId, { reason: 'another way', accept: [], reopen });

  async function stopAt(world: World, step: 'drain' | 'promote' | 'migrate') {
    const plan = await makePlan(world, 'switchover');
    const process = startProcess(world);
    process.failing.set(step, new BackupError('action_failed', 'no'));
    if (step === 'drain')
      for (const [name, server] of world.servers) if (name !== EAST) server.upstream = null;
    await assert.rejects(begin(process, plan), (error) => isBackupError(error, 'recovery_stopped'));
    return plan;
  }

  it('lets applications back in where nothing has taken the old primary’s place', async () => {
    const world = makeWorld();
    const plan = await stopAt(world, 'drain');
    const east = world.servers.get(EAST)!;
    assert.equal(east.isFenced, true);
    // Somebody has cut it off, too.
    east.isCut = true;
    const outcome = await giveUp(world, plan.planId, true);
    assert.equal(outcome.state, 'abandoned');
    assert.deepEqual([east.isFenced, east.isCut], [false, false]);
    assert.deepEqual(world.faults, []);
    const next = await makePlan(world, 'full_rebuild');
    assert.equal((await begin(startProcess(world), next)).state, 'recovered');
  });

  it('does not, where something may have', async () => {
    const world = makeWorld();
    const plan = await stopAt(world, 'promote');
    const refused = giveUp(world, plan.planId, true);
    await assert.rejects(refused, (error) => isBackupError(error, 'recovery_refused'));
    await giveUp(world, plan.planId, false);
    assert.equal(world.servers.get(EAST)!.isFenced, true);
    const again = resume(startProcess(world), plan);
    await assert.rejects(again, (error) => isBackupError(error, 'plan_outdated'));
  });

  it('says what it may have promoted, and the next one fences that', async () => {
    const world = makeWorld();
    const plan = await stopAt(world, 'migrate');
    const chosen = [...world.servers.values()].find(({ role, isFenced }) => role === 'primary' && !isFenced)!;
    chosen.isUp = false;
    await giveUp(world, plan.planId, false);
    const next = await makePlan(world, 'full_rebuild', {
      createdAt: new Date(world.nowMs).toISOString(),
    });
    const process = startProcess(world);
    await begin(process, next);
    assert.ok(process.actions.includes(`cut ${chosen.address}`), process.actions.join());
    assert.deepEqual(world.faults, []);
  });

  it('can be given up where the vault of its journal is lost, by its longest copy', async () => {
    const world = makeWorld();
    const plan = await stopAt(world, 'promote');
    const last = (await lastEntry(world))!;
    // The copies lack the newest entry, so that the end is written under its number.
    for (const address of ['memory:east', 'memory:north'])
      await world.vaults.get(address)!.removeObject(entryName(last));
    const process = startProcess(world);
    process.lostVaults.add(HOME);
    const options = { reason: 'its vault is gone', accept: ['minority' as const], reopen: false };
    assert.equal((await abandonRun(requestOf(process), plan.planId, options)).state, 'abandoned');
    const next = await makePlan(world, 'full_rebuild');
    assert.equal((await begin(startProcess(world), next)).state, 'recovered');
  });
});

describe('a recovery in a bad night', () => {
  it('never breaks what must hold, and ends when the night is over', async () => {
    const night = fc.record({
      kind: fc.constantFrom(...STRATEGY_KINDS),
      isDead: fc.boolean(),
      kills: fc.array(fc.integer({ min: 1, max: 280 }), { maxLength: 4 }),
      silence: fc.array(fc.nat(9), { minLength: 1, maxLength: 60 }),
    });
    await fc.assert(
      fc.asyncProperty(night, async ({ kind, isDead, kills, silence }) => {
        const world = makeWorld();
        const plan = await makePlan(world, kind);
        if (isDead && kind !== 'switchover') killEast(world);
        for (const killAt of kills) {
          const process = startProcess(world, killAt);
          let looks = 0;
          process.failsLook = () => silence[looks++ % silence.length] === 0;
          await carryOnBadly(process, plan.planId);
          passTime(world);
        }
        const outcome = await carryOnBadly(startProcess(world), plan.planId);
        assert.deepEqual(world.faults, []);
        assert.ok(outcome !== null && ['recovered', 'in_part'].includes(outcome.state));
        const open = [...world.servers.values()].filter(isOpen).map(({ address }) => address);
        const store = world.place.state === 'restored' ? [PLACE] : open;
        assert.deepEqual([...open, ...(store === open ? [] : store)], store);
        assert.equal(world.name, VALUES.get(store[0]!));
      }),
      { numRuns: 60 },
    );
  });
});

/** Null when it was killed or stopped. */
async function carryOnBadly(process: Process, planId: string) {
  const settings = { maxPlanAgeMs: Number.POSITIVE_INFINITY };
  try {
    return await resume(process, { planId }, { settings });
  } catch (error) {
    if (!isBackupError(error, 'usage')) return endOf(error);
  }
  try {
    return await begin(process, { planId }, { settings });
  } catch (error) {
    return endOf(error);
  }
}

async function endOf(error: unknown): Promise<null> {
  if (isBackupError(error, 'recovery_stopped', 'plan_outdated')) return null;
  assert.equal(await diesOf(Promise.reject(error)), true);
  return null;
}
