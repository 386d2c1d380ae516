import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BackupError } from '../../src/core/errors.ts';
import type { StoreStatus } from '../../src/core/status.ts';
import { makeKnownStatus } from '../../src/daemon/known-status.ts';

const MINUTE = 60_000;
const START = Date.parse('2026-11-29T12:00:00Z');
const NO_PROMISES = {
  ...{ rpoMs: null, regionRpoMs: null, rtoMs: null, verifiedWithinMs: null, drilledWithinMs: null },
};

/** A clock that goes on when all wait. */
function makeWorld(promises: Partial<StoreStatus['promises']> = {}) {
  const world = { ms: 0, asked: [] as number[], isAway: false, newestMs: 0, failures: 0 };
  let waiting: { atMs: number; go: () => void } | null = null;
  const known = makeKnownStatus({
    store: 'shop',
    now: () => START + world.ms,
    steadyMs: () => world.ms,
    pause: (ms, signal) =>
      new Promise((resolve) => {
        waiting = { atMs: world.ms + ms, go: resolve };
        signal.addEventListener('abort', () => resolve(), { once: true });
        if (signal.aborted) resolve();
      }),
    ask: async () => {
      world.asked.push(world.ms);
      if (world.isAway) throw new BackupError('vault_unreachable', 'the vault is away');
      const at = new Date(START + world.newestMs).toISOString();
      return {
        ...{ at, newestPoint: at, gaps: [], regions: [], problems: [] },
        windows: [{ source: 'log', from: at, to: at }],
        promises: { ...NO_PROMISES, ...promises },
      } as unknown as StoreStatus;
    },
    onFailure: () => {
      world.failures += 1;
    },
  });
  const stop = new AbortController();
  const done = known.keep(stop.signal);
  const advance = async (toMs: number): Promise<void> => {
    for (;;) {
      for (let i = 0; i < 5; i += 1) await new Promise((resolve) => setImmediate(resolve));
      if (waiting === null || waiting.atMs > toMs) break;
      world.ms = waiting.atMs;
      const { go } = waiting;
      waiting = null;
      go();
    }
    world.ms = toMs;
  };
  const end = (): Promise<void> => {
    stop.abort();
    return done;
  };
  return { world, known, advance, end };
}

describe('what a daemon knows of a store', () => {
  it('is asked when it starts, after what happened, and now and then', async () => {
    const { world, known, advance, end } = makeWorld();
    assert.deepEqual(known.view(), { store: 'shop', status: null, objectives: [], trouble: null });
    await advance(5 * MINUTE);
    known.touch();
    known.touch();
    await advance(24 * MINUTE);
    await end();
    assert.deepEqual(world.asked, [0, 5 * MINUTE + 3000, 15 * MINUTE + 3000]);
  });

  it('is no older than a minute for whoever looks, and rests when nobody does', async () => {
    const { world, known, advance, end } = makeWorld();
    for (let ms = 1000; ms <= 2 * MINUTE; ms += 5000) {
      await advance(ms);
      known.look();
    }
    await advance(12 * MINUTE);
    await end();
    assert.deepEqual(world.asked, [0, 60_000, 2 * MINUTE, 12 * MINUTE]);
  });

  it('stays when it cannot be asked, with the reason, and its promises grow old', async () => {
    const { world, known, advance, end } = makeWorld({ rpoMs: 2 * MINUTE });
    await advance(1000);
    assert.equal(known.view().objectives[0]?.state, 'kept');
    world.isAway = true;
    await advance(5 * MINUTE);
    const { status, trouble, objectives } = known.view();
    assert.deepEqual([status?.newestPoint, trouble], ['2026-11-29T12:00:00.000Z', 'the vault is away']);
    assert.equal(objectives[0]?.state, 'breached');
    assert.equal(world.failures, 5);
    world.isAway = false;
    await advance(6 * MINUTE);
    await end();
    assert.equal(known.view().trouble, null);
  });

  it('goes on with what the archiver says of the log that was there when it was asked', async () => {
    const { world, known, advance, end } = makeWorld();
    await advance(1000);
    const reach = (log: string, seconds: number) =>
      known.reach({ log, until: new Date(START + seconds * 1000).toISOString() });
    const newest = () => known.view().status?.newestPoint;
    reach('log/a 0', 7);
    // Nothing was known of that log: it is asked again, and only then gone on with.
    assert.equal(newest(), '2026-11-29T12:00:00.000Z');
    world.newestMs = 7000;
    await advance(20_000);
    assert.equal(world.asked.length, 2);
    reach('log/a 0', 19);
    assert.equal(newest(), '2026-11-29T12:00:19.000Z');
    known.reach(null);
    assert.equal(newest(), '2026-11-29T12:00:19.000Z');
    reach('log/a 1', 25);
    assert.equal(newest(), '2026-11-29T12:00:19.000Z');
    await end();
  });
});
