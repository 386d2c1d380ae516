import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { RECOVERY_STEPS } from '../../src/core/disaster.ts';
import { killServer } from '../harness/clusters.ts';
import { awaitCommand } from '../harness/command.ts';
import { type DisasterWorld, makeDisasterWorld, PASSWORD } from '../harness/disaster-world.ts';

/** The whole command line over real servers: looked at, planned, tried, carried out, killed, taken up, shown. */

const EVENTS = 20;

/** Kills the command as soon as it says that a step begins. */
async function killAt(child: ChildProcess, step: string): Promise<void> {
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    if (text.includes(`${step} begins`)) child.kill('SIGKILL');
  });
  await awaitCommand(child);
}

/** Steps that this recovery takes, each of which may be its last. */
const TAKEN = [
  'freeze',
  'fence',
  'drain',
  'choose',
  'promote',
  'check',
  'probe',
  'reprotect',
  'salvage',
  'release',
];

describe('a primary that was killed', () => {
  let world: DisasterWorld;
  let words: string[] = [];
  before(async () => {
    world = await makeDisasterWorld();
    await world.append(world.east, EVENTS);
    await world.caughtUp();
    await world.succeed('dr', 'sample', '--once');
  });
  after(() => world.stop());

  it('is found dead, and what would be done about it is said and tried', async () => {
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
    words = ['dr', 'execute', '--approve', id!.slice(0, 8)];
    // One sample alone does not say how much came after it.
    const refused = await world.run(...words);
    assert.equal(refused.code, 9);
    assert.match(refused.stderr, /--accept-data-loss/);
    words.push('--accept-data-loss');

    const rehearsed = await world.run(...words, '--dry-run');
    assert.equal(rehearsed.code, 0, rehearsed.stdout);
    assert.equal(world.wasFenced(), false, 'a dry run fences nobody');
    assert.match((await world.succeed('dr', 'status')).stdout, /planned, not begun/);
  });

  it('is taken over from, although the command that does it is killed at some step', async (t) => {
    const step = TAKEN[Math.floor(Math.random() * TAKEN.length)]!;
    t.diagnostic(`killed at ${step}`);
    await killAt(world.start(...words), step);
    assert.equal((await world.run('dr', 'status')).code, 10);
    assert.equal((await world.run(...words)).code, 7, 'its locks outlive it');

    // What only the dead server has cannot be counted while it is dead.
    const resumed = await world.run('dr', 'resume', '--json');
    assert.equal(resumed.code, 10, resumed.stderr);
    const outcome = JSON.parse(resumed.stdout);
    assert.equal(outcome.state, 'in_part');
    assert.ok(outcome.recoveryTimeMs > 0);
    assert.equal(outcome.dataLoss.exactEvents, null);
    assert.ok(world.wasFenced());
    const told = resumed.stderr.split('\n').filter((line) => line.includes('"kind"'));
    assert.deepEqual([JSON.parse(told[0]!).kind, JSON.parse(told.at(-1)!).kind], ['resumed', 'ended']);
    // The probe may have been done, and killed before that was written.
    const events = await world.count(world.west);
    assert.ok(events === EVENTS + 2 || events === EVENTS + 4, `${events} events`);
    assert.equal(await world.letsIn(world.west), true);
  });

  it('gives what only it had once it is back, and follows the new one', async () => {
    await world.east.restart(() => {});
    const resumed = await world.succeed('dr', 'resume', '--json');
    const outcome = JSON.parse(resumed.stdout);
    assert.equal(outcome.state, 'recovered');
    assert.equal(outcome.dataLoss.exactEvents, 0);
    const { candidates } = JSON.parse((await world.run('dr', 'assess', '--json')).stdout);
    assert.deepEqual(
      candidates.map(({ region, refusals }: { region: string; refusals: string[] }) => [region, refusals]),
      [['east', []]],
    );
  });

  it('is told of afterwards, and the plan is not carried out twice', async () => {
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
    const again = await world.run(...words);
    assert.equal(again.code, 9);
    assert.match(again.stderr, /this plan was carried out/);
    const shown = await world.run('dr', 'assess', '--log-level', 'debug');
    for (const text of [stdout, again.stderr, shown.stdout, shown.stderr])
      assert.ok(!text.includes(PASSWORD));
    const written = globSync(join(world.folder, '{east,west}/disaster/**/*.json'));
    assert.ok(written.length > 50, `${written.length} objects`);
    for (const path of written) assert.ok(!readFileSync(path, 'utf8').includes(PASSWORD), path);
  });
});
