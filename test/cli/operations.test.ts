import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { makeOperations, type OperationEnd, type OperationPlan } from '../../src/cli/serve/operations.ts';
import { newStoreName } from '../../src/cli/serve/restore-places.ts';
import { serveSchema } from '../../src/cli/serve/schema.ts';

function makeWorld() {
  const open: { end: (end: OperationEnd) => void; signal: AbortSignal }[] = [];
  let number = 0;
  const operations = makeOperations({
    now: () => 1000,
    uuid: () => `${++number}`,
    onChange: () => undefined,
  });
  const start = (kind: OperationPlan['kind']) =>
    operations.start({
      ...{ kind, store: 'shop', who: 'anna', command: 'eventcore …', title: kind },
      run: (signal, onProgress) => {
        onProgress({
          ...{ step: 'reading', events: 1, bytes: 1, totalEvents: null, totalBytes: null },
          ...{ sinceMs: 0, atMs: 0 },
        });
        return new Promise((resolve) => open.push({ end: resolve, signal }));
      },
    });
  const states = () => operations.list().map(({ state }) => state);
  return { operations, open, start, states };
}

const DONE: OperationEnd = { isDone: true, document: { events: 1 }, trouble: null };
const FAILED: OperationEnd = { isDone: false, document: null, trouble: 'away' };
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('what somebody began from the console', () => {
  it('runs one at a time of each kind, and is told with what it answered', async () => {
    const { operations, open, start, states } = makeWorld();
    for (const kind of ['restore', 'restore', 'verify'] as const) start(kind);
    await turn();
    assert.deepEqual(states(), ['runs', 'waits', 'runs']);
    assert.equal(operations.waiting(), 1);
    assert.equal(operations.list()[2]?.progress?.step, 'reading');
    open[0]!.end(DONE);
    await turn();
    assert.deepEqual(states(), ['runs', 'runs', 'succeeded']);
    assert.deepEqual(operations.list()[2]?.document, { events: 1 });
    open[1]!.end(FAILED);
    await turn();
    assert.equal(states()[0], 'failed');
  });

  it('can be cancelled while it runs and before, once', async () => {
    const { operations, open, start, states } = makeWorld();
    start('restore');
    start('restore');
    await turn();
    assert.equal(operations.cancel('2'), 'cancelled');
    assert.deepEqual(states(), ['cancelled', 'runs']);
    assert.equal(operations.cancel('1'), 'cancelled');
    assert.equal(open[0]!.signal.aborted, true);
    open[0]!.end(FAILED);
    await turn();
    assert.deepEqual(states(), ['cancelled', 'cancelled']);
    assert.deepEqual([operations.cancel('1'), operations.cancel('9')], ['unknown', 'unknown']);
    assert.equal(open.length, 1);
  });

  it('is refused where too many wait, and only the last fifty are kept', async () => {
    const { operations, open, start } = makeWorld();
    for (let i = 0; i < 60; i += 1) {
      start('verify');
      await turn();
      open[i]!.end(DONE);
      await turn();
    }
    assert.equal(operations.list().length, 50);
    for (let i = 0; i < 6; i += 1) {
      assert.equal(start('verify').state, 'started');
      await turn();
    }
    assert.equal(start('verify').state, 'refused');
    assert.equal(start('restore').state, 'started');
  });

  it('is kept no longer for being cancelled again and again behind one that runs for long', async () => {
    const { operations, start, states } = makeWorld();
    start('restore');
    await turn();
    for (let i = 0; i < 200; i += 1) {
      const started = start('restore');
      assert.equal(started.state, 'started');
      if (started.state === 'started') operations.cancel(started.operationId);
    }
    assert.ok(operations.list().length <= 52, `${operations.list().length} are kept`);
    assert.equal(states().at(-1), 'runs', 'what runs is not forgotten');
  });

  it('ends with the daemon', async () => {
    const { operations, open, start, states } = makeWorld();
    start('restore');
    start('restore');
    await turn();
    const stopped = operations.stop();
    open[0]!.end(FAILED);
    assert.equal(start('verify').state, 'refused');
    await stopped;
    assert.deepEqual(states(), ['cancelled', 'cancelled']);
    assert.equal(start('restore').state, 'refused');
    await turn();
    assert.equal(open.length, 1);
  });
});

describe('the place of a restore', () => {
  const at = { now: Date.parse('2026-11-29T10:15:00.123Z'), random: '1a2b' };

  it('is a new store each time, named after its store and the time', () => {
    const file = newStoreName({ name: 'disk', kind: 'sqlite', place: '/srv/restores' }, 'shop', at);
    assert.deepEqual(file, {
      name: 'shop-20261129T101500Z-1a2b.db',
      address: 'sqlite:/srv/restores/shop-20261129T101500Z-1a2b.db',
    });
    const place = 'postgres://restore_login@db.example:5433/postgres?sslmode=require';
    const database = newStoreName({ name: 'db', kind: 'postgres', place }, 'Shop.EU "x"', at);
    assert.deepEqual(database, {
      name: 'shop_eu__x__20261129t101500z_1a2b',
      address: 'postgres://restore_login@db.example:5433/shop_eu__x__20261129t101500z_1a2b?sslmode=require',
    });
  });

  it('has a name of its own, is of one kind, and holds no password', () => {
    const places = [
      { name: 'disk', sqlite: './restored' },
      { name: 'db', postgres: 'postgres://a@b/c' },
    ];
    assert.equal(serveSchema.safeParse({ restore_to: places }).success, true);
    const refused = [
      [{ name: 'both', sqlite: '.', postgres: 'postgres://a@b/c' }],
      [{ name: 'none' }],
      [places[0], places[0]],
      [{ name: 'db', postgres: 'postgres://a:secret@b/c' }],
      [{ name: 'db', postgres: 'https://b/c' }],
    ];
    for (const restore_to of refused)
      assert.equal(serveSchema.safeParse({ restore_to }).success, false, JSON.stringify(restore_to));
  });
});
