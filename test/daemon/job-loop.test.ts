import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import { BackupError } from '../../src/core/errors.ts';
import type { JobName } from '../../src/core/job.ts';
import type { Vault } from '../../src/core/vault.ts';
import { jobLoop, makeLanes } from '../../src/daemon/job-loop.ts';
import type { CommandResult, JobPlan, Lane } from '../../src/daemon/run-job.ts';
import { withLease } from '../../src/upkeep/lease.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { datedVault } from '../harness/dated-vault.ts';
import { faultyVault } from '../harness/faulty-vault.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const START = Date.parse('2026-10-24T20:00:00Z');

/** Time goes on when all daemons wait: to whoever waits least. */
function makeTime() {
  const time = { nowMs: START, waiting: [] as { atMs: number; go: () => void }[] };
  const pause = (ms: number, signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      if (signal.aborted) return resolve();
      time.waiting.push({ atMs: time.nowMs + Math.max(ms, 1), go: resolve });
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  const advance = async (untilMs: number): Promise<void> => {
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve));
      const next = time.waiting.toSorted((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined || next.atMs > untilMs) return;
      time.waiting.splice(time.waiting.indexOf(next), 1);
      time.nowMs = Math.max(time.nowMs, next.atMs);
      next.go();
    }
  };
  return { time, pause, advance };
}

function planOf(name: JobName, cron: string, lane: Lane = 'backup', timeZone = 'Europe/Berlin'): JobPlan {
  return {
    name,
    lane,
    timing: { kind: 'schedule', schedule: { cron, timeZone } },
    jitterMs: 0,
    succeedsWith: [],
  };
}

function makeWorld() {
  const { time, pause, advance } = makeTime();
  const vault = datedVault(memoryVault(), () => time.nowMs);
  const world = { ran: [] as { job: JobName; by: string; atMs: number }[], failures: 0 };
  const start = (
    by: string,
    plans: readonly JobPlan[],
    options: { vault?: Vault; run?: (job: JobName) => Promise<CommandResult> } = {},
  ) => {
    const stop = new AbortController();
    const clock = { now: () => time.nowMs, uuid: randomUUID };
    const used = options.vault ?? vault;
    const lanes = makeLanes();
    const loops = plans.map((plan) =>
      jobLoop(
        {
          ...{ vault: used, clock, daemon: by, software: 'test', signal: stop.signal, pause, lanes },
          underLease: (held) =>
            withLease(used, `job-${plan.name}`, { clock, holder: by, steadyMs: () => time.nowMs }, held),
          runCommand: async (job) => {
            world.ran.push({ job, by, atMs: time.nowMs });
            return options.run?.(job) ?? { exitCode: 0, code: null, trouble: null, facts: {} };
          },
          onRecords: () => undefined,
          onEnd: async () => undefined,
          onWait: () => undefined,
          onFailure: () => {
            world.failures += 1;
          },
        },
        plan,
      ),
    );
    return {
      stop: async () => {
        stop.abort();
        await Promise.all(loops);
      },
    };
  };
  return { time, vault, world, start, advance };
}

describe('the loop of a job', () => {
  it('runs for each time of its schedule once, over the night when the clocks are set back', async () => {
    const { world, start, advance } = makeWorld();
    const daemon = start('one', [planOf('full', '30 2 * * *'), planOf('incremental', '*/15 * * * *')]);
    await advance(START + 24 * HOUR);
    await daemon.stop();
    const fulls = world.ran
      .filter(({ job }) => job === 'full')
      .map(({ atMs }) => new Date(atMs).toISOString());
    assert.deepEqual(fulls, ['2026-10-24T20:00:00.000Z', '2026-10-25T00:30:00.000Z']);
    assert.equal(world.ran.filter(({ job }) => job === 'incremental').length, 1 + 24 * 4);
  });

  it('goes on in another daemon when one is stopped, and no time is run for twice', async () => {
    const { time, world, start, advance } = makeWorld();
    const plan = planOf('incremental', '0 * * * *');
    let [a, b] = [start('a', [plan]), start('b', [plan])];
    for (let hour = 1; hour <= 24; hour += 1) {
      await advance(START + hour * HOUR);
      if (hour % 6 === 3) {
        await a.stop();
        a = start(`a${hour}`, [plan]);
      }
      if (hour % 6 === 0) {
        await b.stop();
        b = start(`b${hour}`, [plan]);
      }
    }
    await advance(START + 24 * HOUR + 6 * MINUTE);
    await Promise.all([a.stop(), b.stop()]);
    assert.equal(world.ran.length, 25);
    assert.ok(time.nowMs >= START + 24 * HOUR);
  });

  it('waits for a vault that is away, and then catches up', async () => {
    const { time, vault, world, start, advance } = makeWorld();
    const gate = { isAway: false };
    const away = new Proxy(vault, {
      get: (target, key: keyof Vault) =>
        gate.isAway && typeof target[key] === 'function'
          ? () => {
              throw new BackupError('vault_unreachable', 'away');
            }
          : target[key],
    });
    const daemon = start('one', [planOf('incremental', '0 * * * *')], { vault: away });
    await advance(START + 90 * MINUTE);
    gate.isAway = true;
    await advance(START + 5 * HOUR + 30 * MINUTE);
    assert.ok(world.failures > 0);
    const before = world.ran.length;
    gate.isAway = false;
    await advance(START + 5 * HOUR + 40 * MINUTE);
    await daemon.stop();
    assert.equal(world.ran.length, before + 1);
    assert.ok(time.nowMs < START + 6 * HOUR);
  });

  it('lets a backup begin while everything is verified, but nothing else that reads all', async () => {
    const { world, start, advance } = makeWorld();
    const held = Promise.withResolvers<CommandResult>();
    const plans = [
      planOf('verify', '0 * * * *', 'proof'),
      planOf('drill', '0 * * * *', 'proof'),
      planOf('incremental', '0 * * * *', 'backup'),
    ];
    const done: CommandResult = { exitCode: 0, code: null, trouble: null, facts: {} };
    const daemon = start('one', plans, { run: async (job) => (job === 'verify' ? held.promise : done) });
    await advance(START + 30 * MINUTE);
    assert.deepEqual(world.ran.map(({ job }) => job).toSorted(), ['incremental', 'verify']);
    held.resolve(done);
    await advance(START + 31 * MINUTE);
    await daemon.stop();
    assert.ok(world.ran.some(({ job }) => job === 'drill'));
  });

  it('is not ended by a vault that fails at any of its calls', async () => {
    const { vault, world, start, advance } = makeWorld();
    for (let failAt = 1; failAt <= 30; failAt += 1) {
      const daemon = start('one', [planOf('sync', '*/10 * * * *', 'upkeep')], {
        vault: faultyVault(vault, { failAt }).vault,
      });
      await advance(START + failAt * 30 * MINUTE);
      await daemon.stop();
    }
    assert.ok(world.failures > 10);
    // Some were begun again because their end could not be written.
    assert.ok(world.ran.length >= 90 && world.ran.length <= 130, `${world.ran.length} runs`);
  });
});
