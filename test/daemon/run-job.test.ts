import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import { readRuns } from '../../src/daemon/job-records.ts';
import { type CommandResult, type JobPlan, type JobPorts, runJob } from '../../src/daemon/run-job.ts';
import { withLease } from '../../src/upkeep/lease.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';

const HOUR = 3_600_000;
const NOON = Date.parse('2026-11-29T12:00:00Z');
const DONE: CommandResult = { exitCode: 0, code: null, trouble: null, facts: { events: 12 } };

const PLAN: JobPlan = {
  name: 'incremental',
  timing: { kind: 'schedule', schedule: { cron: '0 * * * *', timeZone: 'UTC' } },
  spread: { key: 'shop incremental', windowMs: 0, rpoMs: null },
  succeedsWith: [],
  lane: 'backup',
};

function makeWorld() {
  const vault = memoryVault();
  const world = { nowMs: NOON, steadyMs: 0, ran: [] as string[], askedBy: null as string | null };
  const daemon = (
    name: string,
    work: (signal: AbortSignal) => Promise<CommandResult> = async () => DONE,
    plan = PLAN,
  ) => {
    const stop = new AbortController();
    const clock = { now: () => world.nowMs, uuid: randomUUID };
    const ports: JobPorts = {
      ...{ vault, clock, daemon: name, software: 'test', signal: stop.signal },
      underLease: (held) => withLease(vault, `job-${plan.name}`, { clock, holder: name }, held),
      takeTurn: (_, work) => work(),
      steadyMs: () => world.steadyMs,
      askedBy: () => world.askedBy,
      onBegin: () => undefined,
      runCommand: async (job, signal) => {
        world.ran.push(`${name}: ${job}`);
        return work(signal);
      },
    };
    return { run: () => runJob(ports, plan), stop: () => stop.abort() };
  };
  return { vault, world, daemon };
}

describe('a job of a daemon', () => {
  it('runs when it is due, and is on record with what it did', async () => {
    const { vault, world, daemon } = makeWorld();
    const { run } = daemon('one');
    const first = await run();
    assert.ok(first.state === 'ran');
    assert.deepEqual([first.end.state, first.end.facts], ['succeeded', { events: 12 }]);
    assert.equal((await run()).state, 'waits');
    world.nowMs = NOON + 3 * HOUR + 1;
    assert.equal((await run()).state, 'ran');
    const [newest] = await readRuns(vault, 'incremental', 10);
    assert.deepEqual([newest!.begin.wantedAt, newest!.begin.missed], ['2026-11-29T15:00:00.000Z', 2]);
    assert.equal(world.ran.length, 2);
  });

  it('runs in one of several daemons, and the others find it done', async () => {
    const { world, daemon } = makeWorld();
    const daemons = ['a', 'b', 'c', 'd'].map((name) => daemon(name));
    for (let hour = 0; hour < 5; hour += 1) {
      await Promise.all(daemons.map(({ run }) => run()));
      world.nowMs += HOUR;
    }
    assert.equal(world.ran.length, 5);
  });

  it('took as long as it did, though the clock was set back meanwhile', async () => {
    const { vault, world, daemon } = makeWorld();
    const { run } = daemon('one', async () => {
      world.steadyMs += 4 * HOUR;
      world.nowMs -= HOUR;
      return DONE;
    });
    await run();
    const [newest] = await readRuns(vault, 'incremental', 1);
    assert.equal(newest!.end!.durationMs, 4 * HOUR);
  });

  it('is taken up by another daemon for the same time when one died in it', async () => {
    const { vault, world, daemon } = makeWorld();
    const never = daemon('dies', () => {
      throw new Error('killed');
    });
    await assert.rejects(never.run(), /killed/);
    const other = await daemon('other').run();
    assert.ok(other.state === 'ran');
    assert.deepEqual([other.end.attempt, other.end.wantedAt], [2, '2026-11-29T12:00:00.000Z']);
    assert.equal((await readRuns(vault, 'incremental', 10)).at(-1)!.end, null);
    assert.equal(world.ran.length, 2);
  });

  it('runs for the first time when the one before it has ended, in whichever daemon, well or not', async () => {
    const { world, daemon } = makeWorld();
    const after = { ...PLAN, after: 'full' } as const;
    const other = daemon('b', undefined, after);
    assert.equal((await other.run()).state, 'waits');
    const failed: CommandResult = { ...DONE, exitCode: 5 };
    const meanwhile: string[] = [];
    const full = async () => {
      meanwhile.push((await other.run()).state);
      return failed;
    };
    assert.equal((await daemon('a', full, { ...PLAN, name: 'full' }).run()).state, 'ran');
    assert.deepEqual([meanwhile, (await other.run()).state], [['waits'], 'ran']);
    assert.deepEqual(world.ran, ['a: full', 'b: incremental']);
  });

  it('that was interrupted is no failure, and is taken up at once', async () => {
    const { daemon } = makeWorld();
    const stopped = daemon('stops', async (signal) => {
      stopped.stop();
      return { exitCode: signal.aborted ? 130 : 0, code: 'interrupted', trouble: null, facts: {} };
    });
    const first = await stopped.run();
    assert.ok(first.state === 'ran');
    assert.equal(first.end.state, 'interrupted');
    const second = await daemon('next').run();
    assert.ok(second.state === 'ran');
    assert.equal(second.end.attempt, 2);
  });

  it('that failed is tried again later, and another daemon knows of it', async () => {
    const { world, daemon } = makeWorld();
    const failing = await daemon('one', async () => ({
      exitCode: 5,
      code: 'store_unreachable',
      trouble: 'away',
      facts: {},
    })).run();
    assert.ok(failing.state === 'ran');
    assert.deepEqual([failing.end.state, failing.end.code], ['failed', 'store_unreachable']);
    const other = daemon('two');
    assert.equal((await other.run()).state, 'waits');
    world.nowMs += 60_000;
    assert.equal((await other.run()).state, 'ran');
  });

  it('keeps the newest two hundred runs on record', async () => {
    const { vault, world, daemon } = makeWorld();
    const { run } = daemon('one');
    for (let hour = 0; hour < 205; hour += 1) {
      await run();
      world.nowMs += HOUR;
    }
    const runs = await readRuns(vault, 'incremental', 1000);
    assert.equal(runs.length, 200);
    assert.ok(runs.every(({ end }) => end !== null));
  });
});
