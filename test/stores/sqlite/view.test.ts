import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isBackupError } from '../../../src/core/errors.ts';
import type { StoreSnapshot } from '../../../src/core/event-store.ts';
import { openSqliteStore } from '../../../src/stores/sqlite/store.ts';
import { readRanges, SPREAD_EVENTS, seedSpread } from './spread-events.ts';
import { type RawEvent, type TemporaryStore, temporaryStore } from './temporary-store.ts';

/** All of a view, read by its own connection in as many ranges. */
async function readWhole(snapshot: StoreSnapshot, parallel = 1): Promise<RawEvent[]> {
  return readRanges(snapshot, await snapshot.planRanges(parallel));
}

async function appendOne({ store }: TemporaryStore): Promise<void> {
  await store.append([{ streamId: 'late', events: [{ type: 'Late', data: '{}' }] }]);
}

test('ranges are cut by rowid where there are enough bytes, and hold each event once and in order', async (t) => {
  const target = temporaryStore(t);
  await seedSpread(target);
  const db = target.connect();
  db.exec(`DELETE FROM eventcore_events WHERE rowid BETWEEN 1000000 AND 2000000`);
  const snapshot = await target.store.openSnapshot();
  const whole = await readWhole(snapshot);
  for (const parallel of [2, 3, 64]) {
    const ranges = await snapshot.planRanges(parallel);
    assert.equal(ranges.length, parallel);
    assert.deepEqual(await readRanges(snapshot, ranges), whole);
  }
});

test('rowids at both ends of what a rowid can be are cut too', async (t) => {
  const target = temporaryStore(t);
  await seedSpread(target);
  const insert = target.connect().prepare(
    `INSERT INTO eventcore_events (rowid, event_id, stream_id, stream_version, event_type, event_data)
     VALUES (?, ?, 'odd', ?, 'Tested', '{}')`,
  );
  for (const rowid of [-(1n << 63n), (1n << 63n) - 1n]) insert.run(rowid, `odd ${rowid}`, rowid > 0n ? 1 : 2);
  const snapshot = await target.store.openSnapshot();
  const whole = await readWhole(snapshot);
  assert.equal(whole.length, SPREAD_EVENTS + 2);
  assert.deepEqual(await readWhole(snapshot, 5), whole);
});

test('a small store is one range', async (t) => {
  const target = temporaryStore(t);
  await target.store.initialise();
  await appendOne(target);
  const snapshot = await target.store.openSnapshot();
  assert.equal((await snapshot.planRanges(8)).length, 1);
});

test('who joins a view reads what it shows, in a rollback-journal mode too', async (t) => {
  for (const mode of ['WAL', 'DELETE']) {
    const target = temporaryStore(t);
    await seedSpread(target);
    const db = target.connect();
    db.exec(`PRAGMA journal_mode = ${mode}`);
    db.close();
    const snapshot = await target.store.openSnapshot();
    if (mode === 'WAL') await appendOne(target);
    const other = openSqliteStore(target.address);
    const readers = await Promise.all([1, 2].map(() => other.joinSnapshot(snapshot.token!)));
    const ranges = await snapshot.planRanges(2);
    const parts = await Promise.all(readers.map((reader, i) => readRanges(reader, [ranges[i]!])));
    assert.deepEqual(parts.flat(), await readWhole(snapshot));
    assert.equal(parts.flat().length, SPREAD_EVENTS);
    await snapshot.close();
    await other.close();
  }
});

test('an event that cannot be kept is named to who joined', async (t) => {
  const target = temporaryStore(t);
  await seedSpread(target);
  target.connect().exec(`UPDATE eventcore_events SET stream_version = 1.5 WHERE rowid = 3000000`);
  const snapshot = await target.store.openSnapshot();
  const reader = await target.store.joinSnapshot(snapshot.token!);
  await assert.rejects(readRanges(reader, await snapshot.planRanges(1)), (error) => {
    return isBackupError(error, 'store_unsupported') && /version 1\.5\) .*no integer/.test(error.message);
  });
});

test('who has joined is told when the view is closed', async (t) => {
  const target = temporaryStore(t);
  await seedSpread(target);
  const snapshot = await target.store.openSnapshot();
  const ranges = await snapshot.planRanges(1);
  const reader = await target.store.joinSnapshot(snapshot.token!);
  const reading = readRanges(reader, ranges);
  await snapshot.close();
  const isTold = (error: unknown): boolean =>
    isBackupError(error, 'internal') && /not shared any more/.test(error.message);
  await assert.rejects(reading, isTold);
  await assert.rejects(readRanges(reader, ranges), isTold);
});

test('a view that is closed cannot be joined, nor what is no view', async (t) => {
  const target = temporaryStore(t);
  await target.store.initialise();
  const snapshot = await target.store.openSnapshot();
  await snapshot.close();
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const joining = target.store.joinSnapshot(snapshot.token!);
  const refused = assert.rejects(joining, (error) => isBackupError(error, 'internal'));
  t.mock.timers.tick(60_000);
  await refused;
  await assert.rejects(target.store.joinSnapshot('00000003-1'), (error) => isBackupError(error, 'usage'));
});
