import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readTold } from '../../src/daemon/alert-memory.ts';
import { AlertWorld, DAY, HOUR, MINUTE, objective } from '../harness/alert-world.ts';

const RPO = 'objective_rpo@shop';

describe('what a daemon tells of an objective', () => {
  it('is that it is breached, once; what is, and what to do; and that it is kept again', async () => {
    const world = new AlertWorld();
    const { alerts } = world.daemon('one');
    await world.pass(HOUR);
    assert.deepEqual([world.told(), (await readTold(world.vault)).number], [[], 0]);
    world.objectives = [objective('breached')];
    await world.pass(3 * HOUR);
    assert.deepEqual(world.told(), [`raised ${RPO}`]);
    const [{ alert }] = world.got as [(typeof world.got)[0]];
    assert.equal(alert.severity, 'critical');
    assert.equal(alert.title, 'shop: the recovery point objective is not kept');
    assert.match(alert.text, /What can be recovered ends two hours ago\. Next: run `eventcore archive`\./);
    world.objectives = [objective('kept')];
    await world.pass(HOUR);
    assert.deepEqual(world.told(), [`raised ${RPO}`, `resolved ${RPO}`]);
    const { open, owed } = await readTold(world.vault);
    assert.deepEqual([open, owed], [[], []]);
    await alerts.stop();
  });

  it('is repeated once a day while it goes on', async () => {
    const world = new AlertWorld();
    const { alerts } = world.daemon('one');
    world.objectives = [objective('breached')];
    await world.pass(2 * DAY + HOUR);
    assert.deepEqual(world.told(), [`raised ${RPO}`, ...Array(2).fill(`repeated ${RPO}`)]);
    await alerts.stop();
  });

  it('is nothing of a breach that is over within a minute', async () => {
    const world = new AlertWorld();
    const { alerts } = world.daemon('one');
    for (let i = 0; i < 10; i += 1) {
      world.objectives = [objective('breached')];
      alerts.wake();
      await world.pass(MINUTE - 1000);
      world.objectives = [objective('kept')];
      alerts.wake();
      await world.pass(10 * MINUTE);
    }
    assert.deepEqual(world.told(), []);
    await alerts.stop();
  });

  it('that flaps is told a few times, and then as what goes on', async () => {
    const world = new AlertWorld();
    const { alerts } = world.daemon('one');
    for (let i = 0; i < 4 * 24; i += 1) {
      world.objectives = [objective(i % 2 === 0 ? 'breached' : 'kept')];
      alerts.wake();
      await world.pass(i % 2 === 0 ? 3 * MINUTE : 12 * MINUTE);
    }
    assert.ok(world.got.length >= 3 && world.got.length <= 11, String(world.told()));
    world.objectives = [objective('kept')];
    await world.pass(2 * HOUR);
    assert.equal(world.told().at(-1), `resolved ${RPO}`);
    await alerts.stop();
  });

  it('of which nobody knows is a warning after an hour, and does not end a breach', async () => {
    const world = new AlertWorld();
    const { alerts } = world.daemon('one');
    world.objectives = [objective('unknown')];
    await world.pass(55 * MINUTE);
    assert.deepEqual(world.told(), []);
    await world.pass(10 * MINUTE);
    assert.deepEqual(world.told(), ['raised objective_rpo_unknown@shop']);
    assert.equal(world.got[0]!.alert.severity, 'warning');
    world.objectives = [objective('breached')];
    await world.pass(5 * MINUTE);
    assert.deepEqual(world.told().slice(1).sort(), [`raised ${RPO}`, 'resolved objective_rpo_unknown@shop']);
    world.objectives = [objective('unknown')];
    await world.pass(10 * HOUR);
    assert.ok(!world.told().includes(`resolved ${RPO}`));
    world.objectives = [];
    await world.pass(10 * MINUTE);
    assert.ok(world.told().includes(`resolved ${RPO}`), 'it is promised no more');
    await alerts.stop();
  });

  it('that cannot be judged is a warning after half an hour', async () => {
    const world = new AlertWorld();
    const daemon = world.daemon('one');
    daemon.trouble = 'the store cannot be reached';
    await world.pass(29 * MINUTE);
    assert.deepEqual(world.told(), []);
    await world.pass(3 * MINUTE);
    assert.deepEqual(world.told(), ['raised status@shop']);
    assert.match(world.got[0]!.alert.text, /The store cannot be reached\./);
    daemon.trouble = null;
    await world.pass(3 * MINUTE);
    assert.deepEqual(world.told().at(-1), 'resolved status@shop');
    await daemon.alerts.stop();
  });
});

describe('several daemons', () => {
  it('tell it once', async () => {
    const world = new AlertWorld();
    const daemons = ['one', 'two', 'three'].map((name) => world.daemon(name));
    world.objectives = [objective('breached')];
    await world.pass(DAY - HOUR);
    world.objectives = [objective('kept')];
    await world.pass(2 * HOUR);
    assert.deepEqual(world.told(), [`raised ${RPO}`, `resolved ${RPO}`]);
    for (const { alerts } of daemons) await alerts.stop();
  });

  it('take over from one that dies, and neither lose what it raised nor raise it again', async () => {
    const world = new AlertWorld();
    const first = world.daemon('one');
    world.objectives = [objective('breached')];
    await world.pass(5 * MINUTE);
    const second = world.daemon('two');
    await world.pass(5 * MINUTE);
    first.kill();
    await world.pass(DAY);
    assert.deepEqual(world.told(), [`raised ${RPO}`, `repeated ${RPO}`]);
    world.objectives = [objective('kept')];
    await world.pass(10 * MINUTE);
    assert.deepEqual(world.told().at(-1), `resolved ${RPO}`);
    assert.equal(world.got.at(-1)!.by, 'two');
    await second.alerts.stop();
  });

  it('send what one decided and did not send, and again, under one id, what it sent and did not note', async () => {
    const world = new AlertWorld();
    world.failing.add('mail');
    const first = world.daemon('one');
    world.objectives = [objective('breached')];
    await world.pass(5 * MINUTE);
    const [owed] = (await readTold(world.vault)).owed;
    first.kill();
    world.failing.clear();
    // It is told, and dies before it notes that.
    const second = world.daemon('two', (daemon) => daemon.kill());
    await world.pass(10 * MINUTE);
    const third = world.daemon('three');
    await world.pass(10 * MINUTE);
    assert.deepEqual(world.told(), [`raised ${RPO}`, `raised ${RPO}`]);
    assert.deepEqual(new Set(world.got.map(({ alert }) => alert.id)), new Set([owed!.id]));
    assert.deepEqual((await readTold(world.vault)).owed, []);
    assert.equal(second.name, 'two');
    await third.alerts.stop();
  });

  it('keep owed what a dead notifier could not be told, through the end of the breach', async () => {
    const world = new AlertWorld();
    world.notifiers = [{ name: 'mail' }, { name: 'hook' }];
    world.failing.add('hook');
    const first = world.daemon('one');
    world.objectives = [objective('breached')];
    await world.pass(6 * HOUR);
    assert.ok(world.untold.length < 25, 'it is left alone for longer each time');
    await first.alerts.stop();
    const second = world.daemon('two');
    world.objectives = [objective('kept')];
    await world.pass(HOUR);
    assert.deepEqual([world.told('mail'), world.told('hook')], [[`raised ${RPO}`, `resolved ${RPO}`], []]);
    world.failing.clear();
    await world.pass(HOUR);
    assert.deepEqual(world.told('hook'), [`raised ${RPO}`, `resolved ${RPO}`]);
    await second.alerts.stop();
  });
});

describe('a job that fails', () => {
  it('is told from the second failure in a row on, whichever daemon ran it, and when it runs again', async () => {
    const world = new AlertWorld();
    const [one, two] = [world.daemon('one'), world.daemon('two')];
    await world.pass(MINUTE);
    await world.ran('incremental', 'failed');
    one.alerts.jobEnded('incremental', 'the store cannot be reached');
    await world.pass(MINUTE);
    assert.deepEqual(world.told(), []);
    await world.ran('incremental', 'failed');
    one.alerts.jobEnded('incremental', 'the store cannot be reached');
    await world.settle();
    assert.deepEqual(world.told(), ['raised job_incremental@shop']);
    assert.match(world.got[0]!.alert.text, /failed 2 times in a row.*It said: the store cannot be reached/);
    await world.pass(HOUR);
    await world.ran('incremental', 'succeeded');
    two.alerts.jobEnded('incremental', null);
    await world.pass(10 * MINUTE);
    assert.deepEqual(world.told(), ['raised job_incremental@shop', 'resolved job_incremental@shop']);
    for (const { alerts } of [one, two]) await alerts.stop();
  });

  it('is told though the daemon died before it could tell', async () => {
    const world = new AlertWorld();
    await world.ran('incremental', 'failed');
    world.nowMs += MINUTE;
    await world.ran('incremental', 'failed');
    const { alerts } = world.daemon('one');
    await world.settle();
    assert.deepEqual(world.told(), ['raised job_incremental@shop']);
    await alerts.stop();
  });
});

describe('a job that never ends well', () => {
  it('is told when it ends again and again, and that it is over once it runs for a while', async () => {
    const world = new AlertWorld();
    const { alerts } = world.daemon('one');
    for (let i = 0; i < 2; i += 1) {
      await world.pass(MINUTE);
      await world.ran('archive', 'failed');
      alerts.jobEnded('archive', 'the store cannot be reached');
    }
    await world.pass(MINUTE);
    assert.deepEqual(world.told(), ['raised job_archive@shop']);
    await world.began('archive');
    await world.pass(9 * MINUTE);
    assert.deepEqual(world.told(), ['raised job_archive@shop']);
    await world.pass(8 * MINUTE);
    assert.deepEqual(world.told(), ['raised job_archive@shop', 'resolved job_archive@shop']);
    await alerts.stop();
  });
});

describe('a vault that is away', () => {
  it('is told from memory, once, and what is breached meanwhile too; and all that is over when it is back', async () => {
    const world = new AlertWorld();
    const { alerts } = world.daemon('one');
    await world.pass(10 * MINUTE);
    world.isVaultAway = true;
    await world.pass(20 * MINUTE);
    assert.deepEqual(world.told(), ['raised vault@shop']);
    world.objectives = [objective('breached')];
    await world.pass(5 * HOUR);
    assert.deepEqual(world.told(), ['raised vault@shop', `raised ${RPO}`]);
    await world.pass(DAY);
    assert.deepEqual(world.told().slice(2).sort(), [`repeated ${RPO}`, 'repeated vault@shop']);
    world.isVaultAway = false;
    await world.pass(10 * MINUTE);
    assert.deepEqual(world.told().slice(4), ['resolved vault@shop']);
    assert.equal((await readTold(world.vault)).open.length, 1);
    world.objectives = [objective('kept')];
    await world.pass(10 * MINUTE);
    assert.deepEqual(world.told().slice(5), [`resolved ${RPO}`]);
    await alerts.stop();
  });

  it('and is full, so that it can only be read, keeps nothing from being told', async () => {
    const world = new AlertWorld();
    const { alerts } = world.daemon('one');
    await world.pass(10 * MINUTE);
    world.isVaultFull = true;
    await world.pass(2 * HOUR);
    assert.deepEqual(world.told(), [], 'nothing is lost yet');
    world.objectives = [objective('breached')];
    await world.pass(10 * MINUTE);
    assert.deepEqual(world.told().toSorted(), [`raised ${RPO}`, 'raised vault@shop']);
    assert.match(world.got.find(({ alert }) => alert.key === 'vault@shop')!.alert.text, /No space is left/);
    await world.pass(DAY);
    assert.deepEqual(world.told().slice(2).toSorted(), [`repeated ${RPO}`, 'repeated vault@shop']);
    world.isVaultFull = false;
    world.objectives = [objective('kept')];
    await world.pass(10 * MINUTE);
    assert.deepEqual(world.told().slice(4).toSorted(), [`resolved ${RPO}`, 'resolved vault@shop']);
    const { open, owed } = await readTold(world.vault);
    assert.deepEqual([open, owed], [[], []]);
    await alerts.stop();
  });

  it('for a moment is not told', async () => {
    const world = new AlertWorld();
    const { alerts } = world.daemon('one');
    world.objectives = [objective('breached')];
    await world.pass(10 * MINUTE);
    world.isVaultAway = true;
    await world.pass(MINUTE);
    world.isVaultAway = false;
    await world.pass(HOUR);
    assert.deepEqual(world.told(), [`raised ${RPO}`]);
    await alerts.stop();
  });
});
