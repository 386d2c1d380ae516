import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Alert } from '../../src/core/alert.ts';
import { BackupError, isBackupError } from '../../src/core/errors.ts';
import type { Vault } from '../../src/core/vault.ts';
import { writeObject } from '../../src/format/data-file-writer.ts';
import { reportName } from '../../src/format/monitor-report.ts';
import { monitorLoop } from '../../src/integrity/monitor/loop.ts';
import type { MonitorRun } from '../../src/integrity/monitor/monitor.ts';
import { readHistory } from '../../src/integrity/monitor/records.ts';
import { faultyVault } from '../harness/faulty-vault.ts';
import { GAP, monitorWorld } from '../harness/monitor-world.ts';

const HOUR = 3_600_000;
const states = (got: readonly Alert[]): string[] => got.map(({ state }) => state);

async function namesIn(vault: Vault): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of vault.list('integrity/')) names.push(name);
  return names;
}

describe('a run of the monitor', () => {
  it('goes on from the report of the last one, tells what is new once, and says when it is over', async () => {
    const world = monitorWorld();
    const first = await world.run();
    assert.equal(first.report.outcome, 'sound');
    world.findings = [GAP];
    const second = await world.run();
    assert.equal(second.report.outcome, 'damaged');
    assert.deepEqual(second.report.sweep, { runs: 2, suspects: [{ kind: 'bucket', number: 4 }] });
    world.nowMs += HOUR;
    await world.run();
    world.findings = [];
    assert.equal((await world.run()).report.outcome, 'sound');
    assert.deepEqual(states(world.got), ['raised', 'resolved']);
    assert.deepEqual(
      (await readHistory(world.vault, 3)).map(({ outcome }) => outcome),
      ['damaged', 'damaged', 'sound'],
    );
  });

  it('leaves no name of a stream in the vault, nor in an alert', async () => {
    const world = monitorWorld();
    world.findings = [GAP];
    world.isNotifierAway = true;
    await world.run();
    world.isNotifierAway = false;
    await world.run();
    assert.ok(!JSON.stringify(world.got).includes('c4n4ry'));
    let read = 0;
    for await (const { name, sizeBytes } of world.vault.list('')) {
      const text = Buffer.from(await world.vault.readRange(name, 0, sizeBytes)).toString('utf8');
      assert.ok(!`${name}${text}`.includes('c4n4ry'), name);
      read += 1;
    }
    assert.ok(read >= 3);
  });

  it('keeps what a notifier did not take, and sends it with the next one under the same id', async () => {
    const world = monitorWorld();
    world.findings = [GAP];
    world.isNotifierAway = true;
    const first = await world.run();
    assert.deepEqual(first.sending.failed, [{ notifier: 'mail', message: 'mail: away' }]);
    assert.equal(first.report.outcome, 'damaged');
    world.findings = [];
    await world.run();
    world.isNotifierAway = false;
    await world.run();
    assert.deepEqual(states(world.got), ['raised', 'resolved']);
    assert.equal(world.got[0]!.id, first.report.owed[0]!.id);
    await world.run();
    assert.equal(world.got.length, 2);
  });

  it('loses no alert wherever it dies, and who drops ids that came before hears each thing once', async () => {
    const whole = monitorWorld();
    whole.findings = [GAP];
    const counted = faultyVault(whole.vault, {});
    await whole.run({ vault: counted.vault });
    assert.ok(counted.calls() > 10);
    let twice = 0;
    for (let failAt = 1; failAt <= counted.calls(); failAt += 1) {
      const world = monitorWorld();
      world.findings = [GAP];
      const { vault } = faultyVault(world.vault, { failAt, forGood: true });
      await world.run({ vault }).catch((error: unknown) => assert.ok(isBackupError(error), String(error)));
      world.nowMs += HOUR;
      await world.run();
      world.findings = [];
      await world.run();
      const ids = new Map(world.got.map((alert) => [alert.id, alert]));
      assert.deepEqual(states([...ids.values()]), ['raised', 'resolved'], `dead at call ${failAt}`);
      if (world.got.length > ids.size) twice += 1;
    }
    assert.ok(twice > 0, 'at one place it dies between telling and noting');
  });

  it('is made by one monitor at a time', async () => {
    const world = monitorWorld();
    world.findings = [GAP];
    const runs = await Promise.allSettled([world.run(), world.run()]);
    const refused = runs.filter((run) => run.status === 'rejected');
    assert.equal(refused.length, 1);
    assert.ok(isBackupError(refused[0]!.reason, 'lease_held'));
    assert.deepEqual(states(world.got), ['raised']);
  });

  it('passes over a damaged report, with a warning, and goes on from the one before', async () => {
    const world = monitorWorld();
    world.findings = [GAP];
    await world.run();
    await world.run();
    const junk = reportName(world.nowMs + HOUR, '00000000-0000-4000-8000-000000000000', 'report');
    await writeObject(world.vault, junk, Buffer.from('{"reportVersion":1}\n'));
    const run = await world.run();
    assert.match(run.warnings.join(), /is no report of the monitor/);
    assert.deepEqual(states(world.got), ['raised']);
    // Behind the damaged one, whatever the clock says.
    assert.deepEqual((await world.run()).warnings, []);
  });

  it('goes on from the newest report though the clock was set back', async () => {
    const world = monitorWorld();
    world.findings = [GAP];
    await world.run();
    world.nowMs -= 30 * 24 * HOUR;
    await world.run();
    world.nowMs += 100;
    assert.equal((await world.run()).report.open.length, 1);
    assert.deepEqual(states(world.got), ['raised', 'repeated']);
  });

  it('says that it is blind when the store stays away, and when it is back', async () => {
    const world = monitorWorld();
    world.findings = [GAP];
    await world.run();
    world.away = 'store';
    const run = await world.run();
    assert.deepEqual(
      [run.report.outcome, run.report.open.length, run.look.notLooked?.reason],
      ['blind', 1, 'the store is away'],
    );
    await world.run();
    await world.run();
    world.away = null;
    await world.run();
    assert.deepEqual(
      world.got.map(({ key, state }) => `${key} ${state}`),
      ['stream_gaps@bucket 4 raised', 'monitor_blind@store raised', 'monitor_blind@store resolved'],
    );
  });

  it('is put off while replication lags, which is told when it goes on for long', async () => {
    const world = monitorWorld();
    world.away = 'replication';
    for (let times = 0; times < 5; times += 1) assert.equal((await world.run()).report.outcome, 'put_off');
    assert.deepEqual(world.got, []);
    await world.run();
    assert.deepEqual(
      world.got.map(({ key }) => key),
      ['monitor_blind@replication'],
    );
  });

  it('removes what was sent long ago, and keeps to a thousand reports and one a day', async () => {
    const world = monitorWorld();
    for (let i = 0; i < 30; i += 1) {
      world.findings = i % 2 === 0 ? [GAP] : [];
      world.nowMs += HOUR;
      await world.run();
    }
    const names = await namesIn(world.vault);
    assert.equal(names.filter((name) => name.endsWith('-sent.json')).length, 10);
    assert.equal(names.length, 40);
  });
});

/** A loop in simulated time; ends after so many pauses. */
async function loop(
  run: (remembered: MonitorRun['unsaved']) => Promise<MonitorRun>,
  pauses: number,
  random = 0.5,
): Promise<{ waits: number[]; runs: MonitorRun[]; failures: string[] }> {
  const stop = new AbortController();
  const [waits, runs, failures]: [number[], MonitorRun[], string[]] = [[], [], []];
  let nowMs = 0;
  await monitorLoop(
    {
      run: async (remembered) => {
        nowMs += 1000;
        return run(remembered);
      },
      pause: async (ms) => {
        waits.push(ms);
        nowMs += ms;
        if (waits.length === pauses) stop.abort();
      },
      steadyMs: () => nowMs,
      random: () => random,
    },
    {
      ...{ intervalMs: HOUR, jitter: 0.1, signal: stop.signal },
      onRun: (one) => runs.push(one),
      onFailure: ({ code }) => failures.push(code),
    },
  );
  return { waits, runs, failures };
}

describe('the loop of the monitor', () => {
  it('runs about once an interval, counted from begin to begin, a tenth sooner or later', async () => {
    const world = monitorWorld();
    const run = () => world.run();
    assert.deepEqual((await loop(run, 3)).waits, [HOUR - 1000, HOUR - 1000, HOUR - 1000]);
    assert.deepEqual((await loop(run, 1, 0)).waits, [0.9 * HOUR - 1000]);
    assert.deepEqual((await loop(run, 1, 1)).waits, [1.1 * HOUR - 1000]);
    assert.equal(world.looks, 5);
  });

  it('goes on after what fails, and ends with a bug', async () => {
    const world = monitorWorld();
    let runs = 0;
    const { failures } = await loop(() => {
      runs += 1;
      if (runs === 1) throw new BackupError('lease_held', 'another one');
      return world.run();
    }, 2);
    assert.deepEqual([failures, world.looks], [['lease_held'], 1]);
    await assert.rejects(
      loop(() => Promise.reject(new TypeError('bug')), 2),
      TypeError,
    );
  });

  it('tells of a vault that stays away, though nothing can be put on record, and that it is back', async () => {
    const world = monitorWorld();
    world.findings = [GAP];
    const { vault } = faultyVault(world.vault, { failAt: 1, forGood: true });
    let runs = 0;
    const { runs: made } = await loop((remembered) => {
      runs += 1;
      return world.run({ remembered, ...(runs > 1 && runs < 6 ? { vault } : {}) });
    }, 7);
    assert.deepEqual(
      made.map(({ report }) => report.outcome),
      ['damaged', 'blind', 'blind', 'blind', 'blind', 'damaged', 'damaged'],
    );
    assert.deepEqual(
      world.got.map(({ key, state }) => `${key} ${state}`),
      ['stream_gaps@bucket 4 raised', 'monitor_blind@vault raised', 'monitor_blind@vault resolved'],
    );
    assert.deepEqual(made.at(-1)!.report.sweep, { runs: 3, suspects: [{ kind: 'bucket', number: 4 }] });
  });
});
