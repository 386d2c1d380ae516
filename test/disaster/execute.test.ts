import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type JournalEntry,
  RECOVERY_STEPS,
  type RecoveryStep,
  STRATEGY_KINDS,
} from '../../src/core/disaster.ts';
import { BackupError, type ErrorCode, isBackupError } from '../../src/core/errors.ts';
import { FAILURES } from '../../src/disaster/steps-table.ts';
import { renderTimeline } from '../../src/disaster/timeline.ts';
import { encodePrimary, primaryName, readNewestPrimary } from '../../src/format/disaster-primary.ts';
import { readFreezes } from '../../src/format/keep-marks.ts';
import { freeze } from '../../src/upkeep/freeze.ts';
import { overwrite, testClock } from '../harness/memory-backup.ts';
import { begin, resume } from './drive.ts';
import { makePlan } from './plans.ts';
import { startProcess, TEST_SETTINGS } from './process.ts';
import {
  EAST,
  endState,
  HOME,
  killEast,
  lsn,
  makeWorld,
  PLACE,
  SYSTEM,
  VALUES,
  WEST,
  WEST_2,
} from './world.ts';

async function rejectsWith(work: Promise<unknown>, code: ErrorCode, words: RegExp): Promise<BackupError> {
  const error = await work.then(
    () => assert.fail(`no ${code}`),
    (thrown: unknown) => thrown,
  );
  assert.ok(isBackupError(error, code), String(error));
  assert.match(`${error.message}; ${error.hint}`, words);
  return error;
}

describe('a recovery', () => {
  for (const kind of STRATEGY_KINDS) {
    it(`by ${kind} goes to its end`, async () => {
      const world = makeWorld();
      const plan = await makePlan(world, kind);
      const entries: JournalEntry[] = [];
      const outcome = await begin(startProcess(world), plan, { onEntry: (entry) => entries.push(entry) });
      assert.deepEqual(outcome.reasons, plan.reasons);
      assert.equal(outcome.state, 'recovered');
      assert.deepEqual(world.faults, []);
      assert.deepEqual(outcome.timeline, entries);
      assert.ok(outcome.recoveryTimeMs! > 0 && outcome.unprotectedMs! > outcome.recoveryTimeMs!);
    });
  }

  it('loses nothing by a switchover, and says so', async () => {
    const world = makeWorld();
    const outcome = await begin(startProcess(world), await makePlan(world, 'switchover'));
    assert.equal(outcome.dataLoss.exactEvents, 0);
    assert.equal(world.servers.get(WEST)!.position, 5000);
    assert.deepEqual(outcome.systemsRecovered, [
      `store ${WEST}`,
      'name db.example.com',
      'capacity',
      'backup and change log',
      `standby ${WEST_2}`,
      `standby ${EAST}`,
    ]);
  });

  it('has the other standbys follow before the new primary must take writes: it may wait for one of them', async () => {
    const world = makeWorld();
    const process = startProcess(world);
    await begin(process, await makePlan(world, 'regional_failover'));
    const at = (words: string) => process.actions.findIndex((action) => action.startsWith(words));
    assert.ok(at('promote') !== -1 && at(`${WEST_2} follows`) > at('promote'));
    assert.ok(at(`${WEST_2} follows`) < at('migrate') && at('migrate') < at('probe'));
  });

  it('leaves marks of others in the vaults as they are', async () => {
    const world = makeWorld();
    const vault = world.vaults.get(HOME)!;
    await freeze({ vault, clock: testClock }, { reason: 'incident 7', software: 'test' });
    await begin(startProcess(world), await makePlan(world, 'switchover'));
    assert.deepEqual(
      (await readFreezes(vault)).map(({ reason }) => reason),
      ['incident 7'],
    );
  });

  it('counts further than the one before it, whose leases may have counted further', async () => {
    const world = makeWorld();
    const record = {
      ...{ systemIdentifier: SYSTEM, timeline: 1, region: 'east', server: EAST, epoch: 5000 },
      ...{ planId: '00000000-0000-4000-8000-000000000000', recordedAt: '2026-01-01T00:00:00.000Z' },
    };
    const vault = world.vaults.get(HOME)!;
    await overwrite(vault, primaryName(1), encodePrimary(record));
    const plan = await makePlan(world, 'switchover');
    assert.equal((await begin(startProcess(world), plan)).state, 'recovered');
    const { record: newest, number } = await readNewestPrimary(vault);
    assert.deepEqual([number, newest!.server, newest!.planId], [2, WEST, plan.planId]);
    assert.ok(newest!.epoch > 5000);
  });

  it('of a breach leaves the vaults frozen', async () => {
    const world = makeWorld();
    const plan = await makePlan(world, 'full_rebuild', { trigger: 'security_breach' });
    assert.equal((await begin(startProcess(world), plan)).state, 'recovered');
    assert.equal((await readFreezes(world.vaults.get(HOME)!)).length, 1);
  });
});

describe('what a recovery refuses before anything is done', () => {
  it('risks that nobody accepted, by the names of their flags', async () => {
    const world = makeWorld();
    const risks = [
      { risk: 'data_loss', text: 'more is lost than may be' },
      { risk: 'split_brain', text: 'nobody can fence it' },
    ] as const;
    const plan = await makePlan(world, 'regional_failover', { risks });
    const process = startProcess(world);
    const words = /^nobody can fence it; .* --accept-split-brain$/;
    await rejectsWith(begin(process, plan, { accept: ['data_loss'] }), 'recovery_refused', words);
    assert.deepEqual(process.actions, []);
    assert.equal((await begin(process, plan, { accept: ['data_loss', 'split_brain'] })).state, 'recovered');
  });

  it('a plan that is not there, and one that is old', async () => {
    const world = makeWorld();
    const planId = '00000000-0000-4000-8000-000000000000';
    await rejectsWith(begin(startProcess(world), { planId }), 'plan_not_found', /eventcore dr status/);
    const plan = await makePlan(world, 'switchover');
    world.nowMs += 61 * 60_000;
    await rejectsWith(begin(startProcess(world), plan), 'plan_outdated', /61 minutes ago/);
  });

  it('a second time', async () => {
    const world = makeWorld();
    const plan = await makePlan(world, 'switchover');
    await rejectsWith(resume(startProcess(world), plan), 'usage', /was not begun/);
    await begin(startProcess(world), plan);
    await rejectsWith(begin(startProcess(world), plan), 'plan_outdated', /was carried out/);
    const again = startProcess(world);
    assert.equal((await resume(again, plan)).state, 'recovered');
    assert.deepEqual(again.actions, []);
  });

  it('as long as another run did not end, in whatever vault that stands', async () => {
    const world = makeWorld();
    const first = await makePlan(world, 'switchover');
    const process = startProcess(world);
    process.failing.set('migrate', new BackupError('action_failed', 'it says no'));
    await rejectsWith(begin(process, first), 'recovery_stopped', /eventcore dr resume/);
    const second = await makePlan(world, 'full_rebuild', { journalVault: 'memory:north' });
    await rejectsWith(begin(startProcess(world), second), 'run_unfinished', new RegExp(first.planId));
    await rejectsWith(begin(startProcess(world), first), 'run_unfinished', /eventcore dr resume/);
  });

  it('when another recovery came after the plan was made', async () => {
    const world = makeWorld();
    const plan = await makePlan(world, 'full_rebuild');
    const record = {
      ...{ systemIdentifier: '1', timeline: 3, region: 'north', server: 'postgres://elsewhere/events' },
      ...{ epoch: 9, planId: '00000000-0000-4000-8000-000000000000' },
      recordedAt: new Date(world.nowMs + 1).toISOString(),
    };
    await overwrite(world.vaults.get('memory:north')!, primaryName(1), encodePrimary(record));
    await rejectsWith(begin(startProcess(world), plan), 'plan_outdated', /postgres:\/\/elsewhere/);
  });

  it('when a server is a primary on a newer timeline, or the one that would hand over is gone', async () => {
    const world = makeWorld();
    const failover = await makePlan(world, 'regional_failover');
    Object.assign(world.servers.get(WEST_2)!, { role: 'primary', timeline: 2 });
    await rejectsWith(begin(startProcess(world), failover), 'plan_outdated', /primary on timeline 2/);
    const other = makeWorld();
    const switchover = await makePlan(other, 'switchover');
    killEast(other);
    await rejectsWith(begin(startProcess(other), switchover), 'plan_outdated', /does not answer/);
  });

  it('when the primary that was dead lets applications in again, unless the events are damaged', async () => {
    const world = makeWorld();
    killEast(world);
    const failover = await makePlan(world, 'regional_failover');
    const rebuild = await makePlan(world, 'full_rebuild');
    const breach = await makePlan(world, 'full_rebuild', { trigger: 'security_breach' });
    world.servers.get(EAST)!.isUp = true;
    for (const plan of [failover, rebuild])
      await rejectsWith(begin(startProcess(world), plan), 'plan_outdated', /lets applications in/);
    assert.equal((await begin(startProcess(world), breach)).state, 'recovered');
  });

  it('a plan that nobody signed, or a journal, where signatures are wanted', async () => {
    const world = makeWorld();
    const plan = await makePlan(world, 'switchover');
    const process = startProcess(world);
    const trust = { trustedSigners: [], requireSignature: true };
    const strict = { ...process, ports: { ...process.ports, trust } };
    await rejectsWith(begin(strict, plan), 'signature_invalid', /the plan .* it is not signed/);
    assert.deepEqual(process.actions, []);
  });

  it('less than a majority of the vaults, unless that is accepted', async () => {
    const world = makeWorld();
    const plan = await makePlan(world, 'switchover');
    const process = startProcess(world);
    process.lostVaults.add('memory:east').add('memory:north');
    await rejectsWith(
      begin(process, plan),
      'recovery_refused',
      /only 1 of .* 2 are needed; .*--accept-minority/,
    );
    assert.deepEqual(process.actions, []);
    assert.equal((await begin(process, plan, { accept: ['minority'] })).state, 'recovered');
  });

  it('without the vault of the journal, whatever is accepted', async () => {
    const world = makeWorld();
    const process = startProcess(world);
    const plan = await makePlan(world, 'switchover');
    process.lostVaults.add(HOME);
    await rejectsWith(begin(process, plan, { accept: ['minority'] }), 'plan_not_found', /does not answer/);
  });
});

describe('a primary that is dead', () => {
  it('is fenced from outside; what only it has is salvaged when it is back', async () => {
    const world = makeWorld();
    killEast(world);
    const plan = await makePlan(world, 'regional_failover', { trigger: 'region_outage' });
    const process = startProcess(world);
    process.lostVaults.add('memory:east');
    const outcome = await begin(process, plan);
    assert.equal(outcome.state, 'in_part');
    assert.equal(outcome.dataLoss.exactEvents, null);
    assert.equal(outcome.dataLoss.estimate.bytes, '300');
    assert.match(outcome.reasons.join('\n'), /salvage failed: .*\n?.*rejoin failed: it waits for `salvage`/);
    assert.deepEqual(process.actions.slice(0, 2), [`cut ${EAST}`, `promote ${WEST}`]);
    Object.assign(world.servers.get(EAST)!, { isUp: true, isCut: false, isFenced: true });
    const later = startProcess(world);
    const whole = await resume(later, plan);
    assert.equal(whole.state, 'recovered');
    assert.equal(whole.dataLoss.exactEvents, 7);
    const found = whole.timeline.findLast(({ step, kind }) => step === 'salvage' && kind === 'done')!;
    assert.match(found.text, /; 7 events vanished: consumers compare with epochs\/epoch-1\.json$/);
    assert.deepEqual([found.facts.vanished, found.facts['epochRecord.1']], [7, 'epochs/epoch-1.json']);
    assert.match(renderTimeline(plan, whole), /consumers \| 7 events vanished/);
    assert.deepEqual(later.actions, [`salvage ${EAST}`, `rejoin ${EAST}`, `unfence ${EAST}`]);
    assert.deepEqual(world.faults, []);
  });

  it('that nobody can fence stops the run, until somebody accepts that', async () => {
    const world = makeWorld();
    killEast(world);
    world.canCut = false;
    const plan = await makePlan(world, 'regional_failover');
    const process = startProcess(world);
    const error = await rejectsWith(begin(process, plan), 'recovery_stopped', /--accept-split-brain/);
    assert.deepEqual([error.facts.step, error.facts.code], ['fence', 'fence_failed']);
    await rejectsWith(resume(process, plan), 'recovery_stopped', /--accept-split-brain/);
    assert.equal(world.servers.get(WEST)!.role, 'standby');
    world.acceptsTwo = true;
    const outcome = await resume(process, plan, { accept: ['split_brain'] });
    assert.equal(outcome.state, 'in_part');
    assert.match(outcome.timeline.map(({ text }) => text).join('\n'), /IS NOT FENCED, which was accepted/);
    assert.equal(world.servers.get(WEST)!.role, 'primary');
  });

  it('of which too much would be lost stops the run, until somebody accepts that', async () => {
    const world = makeWorld();
    killEast(world);
    world.servers.get(EAST)!.position = 9000;
    const plan = await makePlan(world, 'regional_failover');
    const primary = { ...plan.primary, lastPosition: lsn(9000) };
    const worse = await makePlan(world, 'regional_failover', { primary });
    const process = startProcess(world);
    const error = await rejectsWith(begin(process, worse), 'recovery_stopped', /--accept-data-loss/);
    assert.deepEqual([error.facts.step, error.facts.code], ['choose', 'recovery_refused']);
    const outcome = await resume(process, worse, { accept: ['data_loss'] });
    assert.equal(outcome.dataLoss.estimate.bytes, '4300');
  });
});

describe('a fence', () => {
  it('is asked for once more right before a promotion', async () => {
    const world = makeWorld();
    const plan = await makePlan(world, 'regional_failover');
    const process = startProcess(world);
    process.onMoment = (_, what) => {
      // Somebody takes it back, right before the intent of the promotion is written.
      if (process.actions.length === 1 && what.includes('00010.json'))
        world.servers.get(EAST)!.isFenced = false;
    };
    const error = await rejectsWith(begin(process, plan), 'recovery_stopped', /nothing shows/);
    assert.equal(error.facts.step, 'promote');
    const next = startProcess(world);
    assert.equal((await resume(next, plan)).state, 'recovered');
    assert.equal(next.actions[0], `fence ${EAST}`);
    assert.deepEqual(world.faults, []);
  });

  it('of a server that died behind its own rules does not hold', async () => {
    const world = makeWorld();
    const plan = await makePlan(world, 'regional_failover');
    const process = startProcess(world);
    process.onMoment = (_, what) => {
      if (what.includes('00010.json')) world.servers.get(EAST)!.isUp = false;
    };
    await rejectsWith(begin(process, plan), 'recovery_stopped', /nothing shows/);
    const next = startProcess(world);
    assert.equal((await resume(next, plan)).state, 'in_part');
    assert.equal(next.actions[0], `cut ${EAST}`);
    assert.deepEqual(world.faults, []);
  });

  it('of a primary that hands over is its own, or none: it must still send', async () => {
    const world = makeWorld();
    const plan = await makePlan(world, 'switchover');
    const process = startProcess(world);
    process.onMoment = (_, what) => {
      if (what === `before fence ${EAST}`) process.failsLook = () => true;
    };
    await rejectsWith(begin(process, plan), 'recovery_stopped', /rules of .*no answer/);
    assert.equal(world.servers.get(EAST)!.isCut, false);
    assert.equal((await resume(startProcess(world), plan)).state, 'recovered');
  });

  it('that was done without is tried again when the server answers', async () => {
    const world = makeWorld();
    killEast(world);
    world.canCut = false;
    world.acceptsTwo = true;
    const plan = await makePlan(world, 'regional_failover');
    const process = startProcess(world);
    process.failing.set('migrate', new BackupError('action_failed', 'it says no'));
    await rejectsWith(begin(process, plan, { accept: ['split_brain'] }), 'recovery_stopped', /it says no/);
    world.servers.get(EAST)!.isUp = true;
    world.acceptsTwo = false;
    const next = startProcess(world);
    assert.equal((await resume(next, plan)).state, 'recovered');
    assert.equal(next.actions[0], `fence ${EAST}`);
    assert.deepEqual(world.faults, []);
  });

  it('is put around whatever else takes writes', async () => {
    const world = makeWorld();
    world.acceptsTwo = true;
    Object.assign(world.servers.get(WEST_2)!, { role: 'primary', upstream: null });
    const process = startProcess(world);
    await begin(process, await makePlan(world, 'regional_failover'));
    assert.deepEqual(process.actions.slice(0, 2).sort(), [`fence ${EAST}`, `fence ${WEST_2}`]);
  });
});

describe('a step that fails', () => {
  const ACTS: readonly RecoveryStep[] = RECOVERY_STEPS.filter(
    (step) => !['freeze', 'drain', 'choose', 'release'].includes(step),
  );
  for (const kind of STRATEGY_KINDS) {
    it(`of ${kind} stops the run or is left for later, as the table says`, async () => {
      const undisturbed = makeWorld();
      const planned = await makePlan(undisturbed, kind);
      await begin(startProcess(undisturbed), planned);
      for (const step of ACTS.filter((one) => planned.steps.some(({ step, does }) => step === one && does))) {
        const world = makeWorld();
        const plan = await makePlan(world, kind);
        const process = startProcess(world);
        process.failing.set(step, new BackupError('action_failed', 'it says no', { hint: 'ask it' }));
        const ended = await begin(process, plan).catch((error: unknown) => error);
        const isStopped = isBackupError(ended, 'recovery_stopped');
        assert.equal(isStopped, FAILURES[kind][step].stops, `${step}: ${ended}`);
        if (isStopped) assert.match(ended.hint!, new RegExp(`; then \`eventcore dr resume ${plan.planId}\``));
        assert.equal((await resume(startProcess(world), plan)).state, 'recovered', step);
        assert.deepEqual(endState(world), endState(undisturbed), step);
      }
    });
  }

  it('and takes too long is left alone', async () => {
    const world = makeWorld();
    const plan = await makePlan(world, 'switchover');
    const process = startProcess(world);
    const { promise, resolve } = Promise.withResolvers<void>();
    process.onMoment = (_, what) => (what === 'before migrate' ? promise : undefined);
    const deadlines = { ...TEST_SETTINGS.deadlines, migrate: 50 };
    const error = await rejectsWith(
      begin(process, plan, { settings: { deadlines } }),
      'recovery_stopped',
      /longer than 50 ms/,
    );
    assert.equal(error.facts.step, 'migrate');
    resolve();
  });

  it('since somebody else has changed the name leaves that as it is', async () => {
    const world = makeWorld();
    const plan = await makePlan(world, 'switchover');
    const process = startProcess(world);
    process.onMoment = (_, what) => {
      if (what === 'before migrate') world.name = 'elsewhere.';
    };
    const error = await rejectsWith(
      begin(process, plan),
      'recovery_stopped',
      /leads to elsewhere\..*by hand/,
    );
    assert.equal(error.facts.code, 'name_changed');
    assert.equal(world.name, 'elsewhere.');
    world.name = VALUES.get(WEST)!;
    assert.equal((await resume(startProcess(world), plan)).state, 'recovered');
  });

  it('of a place that is not empty leaves what is there', async () => {
    const world = makeWorld();
    world.place.state = 'partial';
    const process = startProcess(world);
    const plan = await makePlan(world, 'full_rebuild');
    const error = await rejectsWith(begin(process, plan), 'recovery_stopped', new RegExp(PLACE));
    assert.equal(error.facts.code, 'target_not_empty');
    assert.equal(world.place.state, 'partial');
  });
});
