/** Large tables: parts of a table that has no room in the server's memory are read in one scan. */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { BatchReader, EventStore, StoreRange } from '../../../src/core/event-store.ts';
import { batchRows } from '../../../src/testing/batches.ts';
import { startPostgres, type TestPostgres } from '../../harness/postgres.ts';
import { asOwner, closeStores, openStore, readRows, refused, seedEvents } from './seeding.ts';

const PART_BYTES = 2 << 20;

let server: TestPostgres;
let database: string;
let store: EventStore;

before(async () => {
  server = await startPostgres({ settings: { shared_buffers: '1MB' } });
});
after(() => server.stop());
beforeEach(async () => {
  database = await server.createDatabase();
  store = openStore(server.address(database));
  await store.initialise();
});
afterEach(closeStores);

/** The ids that each of the ranges of a pass gets. */
async function readPass(reader: BatchReader, pass: readonly StoreRange[]): Promise<string[][]> {
  const ids: string[][] = pass.map(() => []);
  for await (const { place, batch } of reader.readPass!(pass, { batchBytes: 1 << 16 })) {
    ids[place]!.push(...batchRows(batch).map(({ id }) => String(id)));
  }
  return ids;
}

async function idsOf({ spec }: StoreRange): Promise<string[]> {
  const { from, to } = JSON.parse(spec);
  const end = to === null ? '' : `AND ctid < '(${to},0)'`;
  const rows = await server.exec(
    `SELECT event_id::text AS id FROM eventcore_events WHERE ctid >= '(${from},0)' ${end} ORDER BY 1`,
    database,
  );
  return rows.map(({ id }) => String(id));
}

/** Scans of the whole table that sessions which have ended made. */
async function wholeScans(): Promise<number> {
  const sql = "SELECT seq_scan::int AS scans FROM pg_stat_user_tables WHERE relname = 'eventcore_events'";
  return Number((await server.exec(sql, database))[0]!.scans);
}

/** In a session that is over: one that goes on may say much later what it did. */
async function appendAndLeave(streamId: string, count: number): Promise<void> {
  const other = openStore(server.address(database));
  await other.append([
    { streamId, events: Array.from({ length: count }, () => ({ type: 'T', data: '{}' })) },
  ]);
  await other.close();
}

/** All that was done before is counted: a session that goes on says what it did at most once a second. */
async function settledScans(): Promise<number> {
  for (let scans = await wholeScans(); ; ) {
    await sleep(1100);
    const now = await wholeScans();
    if (now === scans) return now;
    scans = now;
  }
}

/** A session that is over is counted when its process ends, a little later. */
async function untilWholeScans(expected: number): Promise<void> {
  for (let attempt = 0; attempt < 50 && (await wholeScans()) < expected; attempt += 1) await sleep(50);
  assert.equal(await wholeScans(), expected);
}

test('each range gets the events of its blocks, from a table with dead rows and reused space', async () => {
  await seedEvents(server, database, 40_000);
  await asOwner(server, database, "DELETE FROM eventcore_events WHERE (event_data->>'n')::int % 3 = 0");
  await server.exec('VACUUM eventcore_events', database);
  await appendAndLeave('in the holes', 900);
  const snapshot = await store.openSnapshot();
  const ranges = await snapshot.planRanges(2, PART_BYTES);
  const passes = (await snapshot.planPasses!(ranges, 2))!;
  assert.deepEqual(passes.flat(), ranges);
  assert.ok(passes.length === 2 && ranges.length >= 4, `${ranges.length} ranges`);
  const expected: string[][] = [];
  for (const range of ranges) expected.push(await idsOf(range));
  await appendAndLeave('later', 1);
  const before = await settledScans();
  const other = await openStore(server.address(database)).joinSnapshot(snapshot.token!);
  const [first, second] = await Promise.all([readPass(snapshot, passes[0]!), readPass(other, passes[1]!)]);
  assert.deepEqual(
    [...first, ...second].map((ids) => ids.sort()),
    expected,
  );
  await Promise.all([snapshot.close(), other.close()]);
  await untilWholeScans(before + 2);
});

test('a part of its own, read on the same session behind a scan, is read as before: alone', async () => {
  await seedEvents(server, database, 20_000);
  const snapshot = await store.openSnapshot();
  const ranges = await snapshot.planRanges(1, PART_BYTES);
  const [pass] = (await snapshot.planPasses!(ranges, 1))!;
  const last = ranges.at(-1)!;
  const expected = await idsOf(last);
  const before = await settledScans();
  assert.deepEqual((await readPass(snapshot, pass!)).at(-1)!.sort(), expected);
  const rows = await readRows(snapshot, [last]);
  assert.deepEqual(rows.map(({ id }) => String(id)).sort(), expected);
  const sessions = await server.exec(
    `SELECT FROM pg_stat_activity WHERE datname = '${database}' AND backend_xmin IS NOT NULL`,
  );
  await snapshot.close();
  assert.equal(sessions.length, 2);
  await untilWholeScans(before + 1);
});

test('a scan that another session is in the middle of does not change where ours begins', async () => {
  await seedEvents(server, database, 40_000);
  const other = new pg.Client(server.address(database));
  await other.connect();
  await other.query('BEGIN; DECLARE half CURSOR FOR SELECT event_id FROM eventcore_events');
  await other.query('FETCH FORWARD 20000 FROM half');
  const { rows } = await other.query('SELECT ctid::text AS place FROM eventcore_events LIMIT 1');
  assert.notEqual(rows[0].place, '(0,1)', 'the server lets scans join each other');
  const snapshot = await store.openSnapshot();
  const ranges = await snapshot.planRanges(1, PART_BYTES);
  const found = await readPass(snapshot, (await snapshot.planPasses!(ranges, 1))![0]!);
  await snapshot.close();
  await other.end();
  assert.deepEqual(found[0]!.sort(), await idsOf(ranges[0]!));
  assert.equal(new Set(found.flat()).size, 40_000);
});

test('some parts, and of some only what is new, are read in one scan', async () => {
  await seedEvents(server, database, 40_000);
  const first = await store.openSnapshot();
  const ranges = await first.planRanges(1, PART_BYTES);
  const cursor = await first.settledCursor();
  await first.close();
  await store.append([{ streamId: 'new', events: [{ type: 'T', data: '1' }] }]);
  const snapshot = await store.openSnapshot();
  const changes = await snapshot.planChangesIn(cursor, [...ranges.slice(0, 2), ...ranges.slice(4)]);
  assert.ok(typeof changes !== 'string');
  const [pass, ...more] = (await snapshot.planPasses!([...changes, ranges[3]!], 1))!;
  assert.equal(more.length, 0);
  const found = await readPass(snapshot, pass!);
  await snapshot.close();
  const whole = await idsOf(ranges[3]!);
  const isNew = await server.exec(
    "SELECT event_id::text AS id FROM eventcore_events WHERE stream_id = 'new'",
    database,
  );
  assert.deepEqual(
    found.map((ids) => ids.length),
    [0, whole.length, 1],
  );
  assert.deepEqual(found[1]!.sort(), whole);
  assert.deepEqual(found[2], [isNew[0]!.id]);
});

test('a table that others inherit from has no order of blocks: it is refused, not read wrongly', async () => {
  await seedEvents(server, database, 20_000);
  await server.exec(
    `CREATE TABLE more () INHERITS (eventcore_events);
     INSERT INTO more (event_id, stream_id, stream_version, event_type, event_data, created_at)
     VALUES (gen_random_uuid(), 'more', 1, 'T', '{}', now())`,
    database,
  );
  const snapshot = await store.openSnapshot();
  const passes = (await snapshot.planPasses!(await snapshot.planRanges(1, PART_BYTES), 1))!;
  await refused(readPass(snapshot, passes[0]!), 'store_unsupported', /inherit/);
  await snapshot.close();
});

test('a scan ends with its signal', async () => {
  await seedEvents(server, database, 20_000);
  const snapshot = await store.openSnapshot();
  const [pass] = (await snapshot.planPasses!(await snapshot.planRanges(1, PART_BYTES), 1))!;
  const stop = new AbortController();
  const reading = async () => {
    for await (const _ of snapshot.readPass!(pass!, { batchBytes: 1 << 16, signal: stop.signal }))
      stop.abort();
  };
  await refused(reading(), 'interrupted');
  await snapshot.close();
});
