import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { RECOVERY_STEPS } from '../../src/core/disaster.ts';
import { killServer } from '../harness/clusters.ts';
import { awaitCommand } from '../harness/command.ts';
import { type DisasterWorld, makeDisasterWorld } from '../harness/disaster-world.ts';

/** The whole command line over real servers: looked at, planned, tried, carried out, killed, taken up, shown. */

const EVENTS = 20;

async function filledWorld(): Promise<DisasterWorld> {
  const world = await makeDisasterWorld();
  await world.append(world.east, EVENTS);
  await world.caughtUp();
  await world.succeed('dr', 'sample', '--once');
  return world;
}

/** Kills the command as soon as it says that a step begins. */
async function killAt(child: ChildProcess, step: string): Promise<void> {
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    if (text.includes(`${step} begins`)) child.kill('SIGKILL');
  });
  await awaitCommand(child);
}

describe('a primary that was killed', () => {
  let world: DisasterWorld;
  before(async () => {
    world = await filledWorld();
  });
  after(() => world.stop());

  it('is found dead, and a standby takes over by a plan that somebody approved', async () => {
    assert.equal((await world.run('dr', 'assess')).code, 6, 'there is no backup yet');
    await killServer(world.east);
    const assessed = await world.run('dr', 'assess', '--json', '--trigger', 'database_failure');
    assert.equal(assessed.code, 5);
    const assessment = JSON.parse(assessed.stdout);
    assert.equal(assessment.primary.state, 'dead');
    assert.equal(assessment.strategy.kind, 'regional_failover');
    assert.deepEqual(assessment.replicaRegions, { east: false, west: true });

    const unapproved = await world.run('dr', 'execute', '--trigger', 'database_failure');
    assert.equal(unapproved.code, 9);
    const [, id] = /eventcore dr execute --approve ([0-9a-f-]{36})/.exec(unapproved.stderr)!;
    const words = ['dr', 'execute', '--approve', id!.slice(0, 8)];

    const rehearsed = await world.run(...words, '--dry-run');
    assert.equal(rehearsed.code, 0, rehearsed.stdout);
    assert.equal(world.wasFenced(), false, 'a dry run fences nobody');
    assert.match((await world.succeed('dr', 'status')).stdout, /planned, not begun/);

    // What only the dead server has cannot be counted while it is dead.
    const ran = await world.run(...words, '--json');
    assert.equal(ran.code, 10, ran.stderr);
    const outcome = JSON.parse(ran.stdout);
    assert.equal(outcome.state, 'in_part');
    assert.ok(outcome.recoveryTimeMs > 0);
    assert.equal(outcome.dataLoss.exactEvents, null);
    assert.ok(world.wasFenced());
    const told = ran.stderr
      .split('\n')
      .flatMap((line) => (line.includes('"kind"') ? [JSON.parse(line)] : []));
    assert.deepEqual(
      told.slice(0, 3).map(({ kind, step }) => [kind, step]),
      [
        ['approved', null],
        ['intent', 'freeze'],
        ['done', 'freeze'],
      ],
    );
    await world.append(world.west, 1, 'after');
  });

  it('gives what only it had once it is back, and what came of all that is shown', async () => {
    await world.east.restart(() => {});
    const resumed = await world.succeed('dr', 'resume', '--json');
    const outcome = JSON.parse(resumed.stdout);
    assert.equal(outcome.state, 'recovered');
    assert.equal(outcome.dataLoss.exactEvents, 0);
    const status = JSON.parse((await world.succeed('dr', 'status', '--json')).stdout);
    assert.equal(status.journal.isWhole, true);
    assert.deepEqual(
      status.journal.copies.map(({ state }: { state: string }) => state),
      ['whole'],
    );
    assert.deepEqual(
      status.steps.map(({ step }: { step: string }) => step),
      RECOVERY_STEPS,
    );
    const { stdout } = await world.succeed('dr', 'status', '--timeline');
    assert.match(stdout, /\| promote \| done: /);
  });

  it('is not carried out twice', async () => {
    const { planId } = JSON.parse((await world.run('dr', 'status', '--json')).stdout).plan;
    const again = await world.run('dr', 'execute', '--approve', planId);
    assert.equal(again.code, 9);
    assert.match(again.stderr, /this plan was carried out/);
  });
});

describe('the command that carries a plan out', () => {
  let world: DisasterWorld;
  before(async () => {
    world = await filledWorld();
  });
  after(() => world.stop());

  it('may be killed at any step: whoever resumes it comes to the same end', async (t) => {
    const words = await world.plan('--trigger', 'manual_trigger');
    const other = await world.plan('--trigger', 'manual_trigger');
    const steps = ['freeze', 'fence', 'drain', 'choose', 'promote', 'check', 'probe', 'reprotect', 'release'];
    const step = steps[Math.floor(Math.random() * steps.length)]!;
    t.diagnostic(`killed at ${step}`);
    await killAt(world.start(...words), step);
    assert.equal((await world.run('dr', 'status')).code, 10);
    assert.equal((await world.run(...other)).code, 7, 'its locks outlive it');
    const outcome = JSON.parse((await world.succeed('dr', 'resume', '--json')).stdout);
    assert.equal(outcome.state, 'recovered');
    assert.equal(outcome.dataLoss.exactEvents, 0);
    // The probe may have been done, and killed before that was written.
    const events = await world.count(world.west);
    assert.ok(events === EVENTS + 2 || events === EVENTS + 4, `${events} events`);
    await assert.rejects(world.append(world.east, 1, 'late'), 'the old primary lets nobody write');
    assert.equal((await world.run(...other)).code, 9, 'another plan is outdated by now');
  });
});
