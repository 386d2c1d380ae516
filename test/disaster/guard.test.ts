import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import type { Vault } from '../../src/core/vault.ts';
import { type GuardState, runGuard } from '../../src/disaster/guard.ts';
import { GUARD_MARK, type Postmaster } from '../../src/disaster/guard-close.ts';
import { deposing, leaseFence } from '../../src/disaster/lease-fence.ts';
import { serverFence } from '../../src/disaster/server-fence.ts';
import { writeObject } from '../../src/format/data-file-writer.ts';
import { listDeposed } from '../../src/format/deposed-mark.ts';
import { encodePrimary, type PrimaryRecord, primaryName } from '../../src/format/disaster-primary.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { testClock } from '../harness/memory-backup.ts';
import { isOpen, type MemoryServer, memoryServer } from '../harness/memory-server.ts';
import { switchedVault } from '../harness/switched-vault.ts';

const TTL = 1200;
const PLAN = '0192f0c4-5b7a-7e3a-9c41-2f5d3a1b8e70';
const SYSTEM = '7301234567890123456';

interface Running {
  readonly states: GuardState[];
  readonly texts: string[];
  readonly told: string[];
  readonly watched: (number | null)[];
  stop(): Promise<void>;
}

const running: Running[] = [];
after(() => Promise.all(running.map((guard) => guard.stop())));

function start(
  server: MemoryServer,
  vault: Vault,
  { name = 'a guard', postmaster = null }: { name?: string; postmaster?: Postmaster | null } = {},
): Running {
  const ender = new AbortController();
  const watched: (number | null)[] = [];
  const told: string[] = [];
  const states: GuardState[] = [];
  const texts: string[] = [];
  const run = runGuard(
    {
      ...{ server: server.server, vault, clock: testClock, holder: name, postmaster },
      steadyMs: () => performance.now(),
      tell: (message) => told.push(message),
      watchdog: { open: (untilMs) => watched.push(untilMs), closed: () => watched.push(null) },
      onState: (state, text) => {
        states.push(state);
        texts.push(text);
      },
    },
    { ttlMs: TTL, signal: ender.signal, pollMs: 20, probeMs: 100 },
  );
  const stop = (): Promise<void> => {
    ender.abort();
    return run;
  };
  const guard = { states, texts, told, watched, stop };
  running.push(guard);
  return guard;
}

async function until(what: string, isSo: () => boolean, limitMs = 6000): Promise<void> {
  const lateMs = performance.now() + limitMs;
  while (!isSo()) {
    if (performance.now() > lateMs) assert.fail(`not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const record: PrimaryRecord = {
  ...{ systemIdentifier: SYSTEM, timeline: 2, region: 'west', server: 'postgres://postgres@west/events' },
  ...{ epoch: 4, planId: PLAN, recordedAt: '2026-11-29T18:13:05.123Z' },
};

describe('a guard', { concurrency: true }, () => {
  it('fences first, and opens when it has the lease; told to end, it closes before it gives the lease back', async () => {
    const vault = memoryVault();
    const server = memoryServer('postgres://a/events');
    const guard = start(server, vault);
    await until('open', () => guard.states.includes('open'));
    assert.deepEqual(server.calls.slice(0, 2), ['probe', 'fence']);
    assert.ok(isOpen(server));
    await guard.stop();
    assert.ok(server.marks.has(GUARD_MARK));
    const second = memoryServer('postgres://b/events');
    const other = start(second, vault, { name: 'another' });
    await until('the other is open', () => isOpen(second) && other.states.includes('open'), 2000);
    await other.stop();
  });

  it('closes before the time of its lease is over when the vault is cut off, whether that fails or hangs', async () => {
    await Promise.all(
      (['away', 'hangs'] as const).map(async (manner) => {
        const way = switchedVault(memoryVault());
        const server = memoryServer('postgres://a/events');
        const guard = start(server, way.vault);
        await until('open', () => guard.states.includes('open'));
        const atMs = performance.now();
        way.manner = manner;
        await until('closed', () => !isOpen(server));
        assert.ok(performance.now() - atMs < TTL, `${manner}: closed after ${performance.now() - atMs} ms`);
        await new Promise((resolve) => setTimeout(resolve, 300));
        assert.ok(server.marks.has(GUARD_MARK));
        assert.equal(guard.watched.at(-1), null);
        way.manner = 'well';
        await until('open again', () => isOpen(server));
      }),
    );
  });

  it('tells the watchdog until when before it opens, and again each time that it renews', async () => {
    const server = memoryServer('postgres://a/events');
    const guard = start(server, memoryVault());
    await until('renewed', () => guard.watched.length >= 3);
    const [first, second] = guard.watched as [number, number];
    assert.ok(second > first && first > 0);
    await guard.stop();
    assert.equal(guard.watched.at(-1), null);
  });

  it('of two beside primaries of one store, one alone is open, at any moment', async () => {
    const vault = memoryVault();
    const servers = [memoryServer('postgres://a/events'), memoryServer('postgres://b/events')];
    const guards = servers.map((server, i) => start(server, vault, { name: `guard ${i}` }));
    await until('both have closed once', () => servers.every(({ calls }) => calls.includes('fence')));
    for (let i = 0; i < 100; i += 1) {
      assert.ok(servers.filter(isOpen).length <= 1);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert.equal(servers.filter(isOpen).length, 1);
    const [winner, loser] = isOpen(servers[0]!) ? [0, 1] : [1, 0];
    assert.match(guards[loser]!.texts.at(-1)!, new RegExp(`the lease is held by guard ${winner}`));
  });

  it('never opens a server that the newest record says is not the primary, and closes one that is open', async () => {
    const vault = memoryVault();
    const old = memoryServer('postgres://a/events');
    const guard = start(old, vault);
    await until('open', () => guard.states.includes('open'));
    await writeObject(vault, primaryName(1), encodePrimary(record));
    await until('closed', () => guard.states.includes('refused'));
    assert.ok(!isOpen(old));
    assert.match(
      guard.texts.at(-1)!,
      /made postgres:\/\/postgres@west\/events the primary, on timeline 2: this is on 1/,
    );
    const promoted = memoryServer('postgres://west/events', { timeline: 2 });
    const other = start(promoted, vault);
    await until('the new one is open', () => other.states.includes('open'), 2000);
    assert.ok(!isOpen(old));
  });

  it('takes the lease when its standby is promoted, and keeps older timelines from coming back', async () => {
    const vault = memoryVault();
    const server = memoryServer('postgres://b/events', { role: 'standby' });
    const guard = start(server, vault);
    await until('standing by', () => guard.states.includes('standby'));
    assert.deepEqual(
      server.calls.filter((call) => call !== 'probe'),
      [],
    );
    await server.server.promote({ signal: new AbortController().signal });
    await until('open', () => guard.states.includes('open'));
    assert.ok(!server.calls.includes('fence'), 'whoever promoted it was put out');
    await guard.stop();
    const [mark] = await listDeposed(vault, SYSTEM);
    assert.deepEqual(mark, { systemIdentifier: SYSTEM, timeline: 1, by: 'guard', state: 'stands' });
    const old = memoryServer('postgres://a/events');
    const back = start(old, vault);
    await until('refused', () => back.states.includes('refused'));
    assert.ok(!isOpen(old));
  });

  it('closes a standby that was promoted while another one holds the lease', async () => {
    const vault = memoryVault();
    const [primary, standby] = [
      memoryServer('postgres://a/events'),
      memoryServer('postgres://b/events', { role: 'standby' }),
    ];
    const guards = [start(primary, vault), start(standby, vault)] as const;
    await until(
      'all is well',
      () => guards[0].states.includes('open') && guards[1].states.includes('standby'),
    );
    standby.state = { ...standby.state, role: 'primary', timeline: 2 };
    await until('closed', () => standby.marks.has(GUARD_MARK), 1500);
    assert.ok(isOpen(primary));
  });

  it('leaves the fence of somebody else alone', async () => {
    const server = memoryServer('postgres://a/events');
    server.marks.add(PLAN);
    const guard = start(server, memoryVault());
    await until('it has the lease', () => guard.states.includes('open'));
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.deepEqual([...server.marks], [PLAN]);
    await guard.stop();
    assert.deepEqual([...server.marks], [PLAN, GUARD_MARK]);
  });

  it('ends a server that it cannot fence when time presses', async () => {
    const way = switchedVault(memoryVault());
    const server = memoryServer('postgres://a/events');
    let isRunning = true;
    const stop = async (): Promise<void> => {
      isRunning = false;
    };
    const guard = start(server, way.vault, { postmaster: { isRunning: () => isRunning, stop } });
    await until('open', () => guard.states.includes('open'));
    way.manner = 'away';
    server.manner = 'refuses';
    await until('ended', () => !isRunning);
    await until('told', () =>
      guard.told.some((text) => text.includes('cannot be fenced: postgres://a/events: too many clients')),
    );
    server.manner = 'away';
    await guard.stop();
  });
});

describe('the fence by the lease', { concurrency: true }, () => {
  const options = { planId: PLAN, ttlMs: TTL, deposed: { systemIdentifier: SYSTEM, timeline: 1 } };
  const never = new AbortController().signal;

  it('is had at once from a guard that can read the vault, and the next primary’s guard opens', async () => {
    const vault = memoryVault();
    const old = memoryServer('postgres://a/events');
    const guard = start(old, vault);
    await until('open', () => guard.states.includes('open'));
    const fence = leaseFence({ vault, clock: testClock, holder: 'a run' }, options);
    assert.equal(await fence.check({ signal: never }), 'open');
    await fence.apply({ signal: never });
    assert.ok(!isOpen(old));
    assert.equal(await fence.check({ signal: never }), 'fenced');
    const promoted = memoryServer('postgres://b/events', { timeline: 2 });
    const next = start(promoted, vault);
    await until('the next is open', () => next.states.includes('open'), 3000);
    assert.ok(!isOpen(old));
    assert.deepEqual((await fence.apply({ signal: never })).waitedMs, 0);
  });

  it('waits until one that is cut off must have closed', async () => {
    const vault = memoryVault();
    const way = switchedVault(vault);
    const old = memoryServer('postgres://a/events');
    const guard = start(old, way.vault);
    await until('open', () => guard.states.includes('open'));
    way.manner = 'hangs';
    const fence = leaseFence({ vault, clock: testClock, holder: 'a run' }, options);
    const { waitedMs } = await fence.apply({ signal: never });
    assert.ok(!isOpen(old));
    assert.ok(Number(waitedMs) > 1000, `waited ${waitedMs} ms`);
    way.manner = 'well';
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.ok(!isOpen(old), 'it came back');
  });

  it('is not claimed where no guard ever stood', async () => {
    const fence = leaseFence({ vault: memoryVault(), clock: testClock, holder: 'a run' }, options);
    await assert.rejects(fence.apply({ signal: never }), {
      code: 'fence_failed',
      message: /no guard stands/,
    });
    assert.equal(await fence.check({ signal: never }), 'open');
  });

  it('can be taken back before anything was promoted', async () => {
    const vault = memoryVault();
    const old = memoryServer('postgres://a/events');
    const guard = start(old, vault);
    await until('open', () => guard.states.includes('open'));
    const fence = leaseFence({ vault, clock: testClock, holder: 'a run' }, options);
    await fence.apply({ signal: never });
    await fence.lift!({ signal: never });
    await until('open again', () => isOpen(old));
    assert.equal(await fence.check({ signal: never }), 'open');
  });

  it('goes with another fence: the guard behind that lets the lease go for the next one', async () => {
    const vault = memoryVault();
    const old = memoryServer('postgres://a/events');
    const guard = start(old, vault);
    await until('open', () => guard.states.includes('open'));
    const fence = deposing(
      serverFence(old.server, PLAN),
      { vault, clock: testClock, holder: 'a run' },
      options,
    );
    assert.equal((await fence.apply({ signal: never })).guards, 'the lease was had');
    assert.equal(await fence.check({ signal: never }), 'fenced');
    const next = memoryServer('postgres://b/events', { timeline: 2 });
    const other = start(next, vault);
    await until('the next is open', () => other.states.includes('open'), 3000);
    assert.deepEqual([...old.marks], [PLAN, GUARD_MARK]);
    await fence.lift!({ signal: never });
    assert.deepEqual([...old.marks], [GUARD_MARK]);
  });

  it('says that it does not know where the vault cannot be asked, or nobody knows the old primary', async () => {
    const way = switchedVault(memoryVault());
    way.manner = 'away';
    const ports = { vault: way.vault, clock: testClock, holder: 'a run' };
    assert.equal(await leaseFence(ports, options).check({ signal: never }), 'unknown');
    await assert.rejects(leaseFence(ports, options).apply({ signal: never }), { code: 'fence_failed' });
    const blind = leaseFence(ports, { ...options, deposed: null });
    assert.equal(await blind.check({ signal: never }), 'unknown');
    await assert.rejects(blind.apply({ signal: never }), { code: 'fence_failed' });
  });
});
