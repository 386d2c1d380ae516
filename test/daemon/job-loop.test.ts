import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import { BackupError } from '../../src/core/errors.ts';
import type { JobName } from '../../src/core/job.ts';
import type { Vault } from '../../src/core/vault.ts';
import { makeDemand } from '../../src/daemon/demand.ts';
import { jobLoop } from '../../src/daemon/job-loop.ts';
import type { CommandResult, JobPlan, Lane } from '../../src/daemon/run-job.ts';
import { makeTurns } from '../../src/daemon/turns.ts';
import { CAPS_OF_FEW } from '../../src/policy/turns.ts';
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
    spread: { key: name, windowMs: 0, rpoMs: null },
    succeedsWith: [],
  };
}

function makeWorld() {
  const { time, pause, advance } = makeTime();
  const vault = datedVault(memoryVault(), () => time.nowMs);
  const world = {
    ran: [] as { job: JobName; by: string; atMs: number }[],
    failures: 0,
    reasons: [] as string[],
  };
  const start = (
    by: string,
    plans: readonly JobPlan[],
    options: { vault?: Vault; run?: (job: JobName) => Promise<CommandResult> } = {},
  ) => {
    const stop = new AbortController();
    const clock = { now: () => time.nowMs, uuid: randomUUID };
    const used = options.vault ?? vault;
    const turns = makeTurns(CAPS_OF_FEW, () => time.nowMs);
    const demands = new Map(plans.map(({ name }) => [name, makeDemand(pause)]));
    const loops = plans.map((plan) =>
      jobLoop(
        {
          ...{ vault: used, clock, daemon: by, software: 'test', signal: stop.signal },
          takeTurn: (wanted, work) =>
            turns.take(
              { ...wanted, server: null, vault: 'here' },
              { signal: stop.signal, onWait: () => undefined },
              work,
            ),
          jobCount: () => plans.length,
          ...{ demand: demands.get(plan.name)!, steadyMs: () => time.nowMs },
          onBegin: ({ job, reason }) => {
            demands.get(job)!.clear();
            world.reasons.push(reason);
          },
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
      ask: (job: JobName) => demands.get(job)!.ask({ who: 'anna', atMs: time.nowMs }),
      pending: (job: JobName) => demands.get(job)!.pending(),
      stop: async () => {
        stop.abort();
        await Promise.all(loops);
      },
    };
  };
  return { time, vault, world, start, advance };
}

function gatedVault(vault: Vault, gate: { readonly isAway: boolean }): Vault {
  return new Proxy(vault, {
    get: (target, key: keyof Vault) =>
      gate.isAway && typeof target[key] === 'function'
        ? () => {
            throw new BackupError('vault_unreachable', 'away');
          }
        : target[key],
  });
}

function countCalls(vault: Vault): { vault: Vault; calls: () => number } {
  let calls = 0;
  const counted = new Proxy(vault, {
    get: (target, key: keyof Vault) => {
      if (typeof target[key] === 'function') calls += 1;
      return target[key];
    },
  });
  return { vault: counted, calls: () => calls };
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
    const away = gatedVault(vault, gate);
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

  it('runs what is asked for at once, once, and rests again', async () => {
    const { vault, world, start, advance } = makeWorld();
    const asked = planOf('drill', '', 'proof');
    const { vault: counted, calls } = countCalls(vault);
    const daemon = start('one', [{ ...asked, timing: { kind: 'asked' } }], { vault: counted });
    await advance(START + 5 * HOUR);
    assert.deepEqual(world.ran, []);
    // A look in a while, in case another daemon died in it.
    assert.ok(calls() <= 2 + 5, `${calls()} calls of the vault at rest`);
    daemon.ask('drill');
    daemon.ask('drill');
    await advance(START + 5 * HOUR + 1000);
    assert.deepEqual([world.ran.length, daemon.pending('drill')], [1, null]);
    assert.deepEqual(world.reasons, ['asked for by anna']);
    await advance(START + 30 * HOUR);
    await daemon.stop();
    assert.equal(world.ran.length, 1);
  });

  it('does not try again what was asked for and failed, and runs it when it is asked for again', async () => {
    const { world, start, advance } = makeWorld();
    const failed: CommandResult = { exitCode: 5, code: 'store_unreachable', trouble: 'away', facts: {} };
    const daemon = start('one', [{ ...planOf('full', ''), timing: { kind: 'asked' } }], {
      run: async () => failed,
    });
    daemon.ask('full');
    await advance(START + 48 * HOUR);
    assert.equal(world.ran.length, 1);
    daemon.ask('full');
    await advance(START + 49 * HOUR);
    await daemon.stop();
    assert.equal(world.ran.length, 2);
  });

  it('keeps what is asked for until another daemon is done with the job, or the vault is back', async () => {
    const { vault, world, start, advance } = makeWorld();
    const plan: JobPlan = { ...planOf('verify', '', 'proof'), timing: { kind: 'asked' } };
    const held = Promise.withResolvers<CommandResult>();
    const other = start('other', [plan], { run: () => held.promise });
    other.ask('verify');
    await advance(START + 1000);
    const gate = { isAway: false };
    const daemon = start('one', [plan], { vault: gatedVault(vault, gate) });
    await advance(START + 2000);
    daemon.ask('verify');
    await advance(START + 30_000);
    assert.deepEqual([daemon.pending('verify')?.who, world.ran.length], ['anna', 1]);
    gate.isAway = true;
    held.resolve({ exitCode: 0, code: null, trouble: null, facts: {} });
    await advance(START + 30 * MINUTE);
    assert.equal(world.ran.length, 1);
    gate.isAway = false;
    await advance(START + 40 * MINUTE);
    await Promise.all([daemon.stop(), other.stop()]);
    assert.deepEqual(
      world.ran.map(({ by }) => by),
      ['other', 'one'],
    );
  });

  it('does not run over and over for a record that a clock wrong by years left', async () => {
    const { time, world, start, advance } = makeWorld();
    const plan = planOf('full', '0 * * * *');
    time.nowMs = START + 4000 * HOUR;
    const ahead = start('ahead', [plan]);
    await advance(START + 4000 * HOUR + MINUTE);
    await ahead.stop();
    time.nowMs = START;
    time.waiting.length = 0;
    const daemon = start('one', [plan]);
    await advance(START + 3 * HOUR + MINUTE);
    await daemon.stop();
    assert.equal(world.ran.filter(({ by }) => by === 'one').length, 4);
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
