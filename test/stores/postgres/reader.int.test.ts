import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import pg from 'pg';
import type { EventStore, StoreRange } from '../../../src/core/event-store.ts';
import { formatTime } from '../../../src/core/time.ts';
import {
  rangeSettings,
  rangeSource,
  sharedChanges,
  withSettings,
} from '../../../src/stores/postgres/range.ts';
import { collect } from '../../../src/testing/event-store/fixture.ts';
import { startPostgres, type TestPostgres } from '../../harness/postgres.ts';
import { asOwner, closeStores, openStore, readRows, readSnapshot, refused, seedEvents } from './seeding.ts';

let server: TestPostgres;
let database: string;
let store: EventStore;

before(async () => {
  server = await startPostgres();
});
after(() => server.stop());
beforeEach(async () => {
  database = await server.createDatabase();
  store = openStore(server.address(database));
  await store.initialise();
});
afterEach(closeStores);

test('a transaction that is open when the snapshot is taken is not in it, whenever it commits', async () => {
  await store.append([{ streamId: 'a', events: [{ type: 'T', data: '1' }] }]);
  const writer = new pg.Client(server.address(database));
  await writer.connect();
  const insert = (stream: string) =>
    `INSERT INTO eventcore_events (event_id, stream_id, event_type, event_data)
     VALUES (gen_random_uuid(), '${stream}', 'T', '2')`;
  await writer.query(`BEGIN; ${insert('open')}; SAVEPOINT s; ${insert('in a savepoint')}`);
  const snapshot = await store.openSnapshot();
  const ranges = await snapshot.planRanges(2);
  await writer.query('COMMIT');
  await writer.end();
  assert.deepEqual(
    (await readRows(snapshot, ranges)).map((row) => row.streamId),
    ['a'],
  );
  await snapshot.close();
  assert.equal((await store.count()).events, 3);
});

test('threads that join a snapshot read each event once, from a table with dead rows and reused space', async () => {
  await seedEvents(server, database, 45_000);
  await asOwner(server, database, "DELETE FROM eventcore_events WHERE (event_data->>'n')::int % 3 = 0");
  await server.exec('VACUUM eventcore_events', database);
  await store.append([
    { streamId: 'in the holes', events: Array.from({ length: 900 }, () => ({ type: 'T', data: '{}' })) },
  ]);
  await asOwner(server, database, "DELETE FROM eventcore_events WHERE (event_data->>'n')::int % 3 = 1");
  const expected = await server.exec(
    'SELECT event_id::text AS id FROM eventcore_events ORDER BY 1',
    database,
  );
  const snapshot = await store.openSnapshot();
  const ranges = await snapshot.planRanges(4);
  assert.equal(ranges.length, 4);
  await store.append([{ streamId: 'later', events: [{ type: 'T', data: '{}' }] }]);
  const parts = await Promise.all(ranges.map((range) => readInThread(snapshot.token!, range)));
  await snapshot.close();
  for (const part of parts) assert.ok(part.length > 0);
  assert.equal(expected.length, 15_900);
  assert.deepEqual(
    parts.flat().sort(),
    expected.map((row) => row.id),
  );
});

test('whoever knows the ranges of what is new has a session for each: the server reads as soon as it is asked', async () => {
  await store.append([{ streamId: 'a', events: [{ type: 'T', data: '1' }] }]);
  const before = await store.openSnapshot();
  const { cursor } = before;
  await before.close();
  await store.append([{ streamId: 'a', events: [{ type: 'T', data: '2' }] }]);
  const snapshot = await store.openSnapshot();
  const ranges = await snapshot.planChanges(cursor, 2);
  assert.ok(typeof ranges !== 'string' && ranges.length === 1, String(ranges));
  const sessions = `SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND state = 'idle in transaction' AND backend_xmin IS NOT NULL`;
  const open = (await server.exec(sessions, database)).map(({ pid }) => pid);
  assert.equal(open.length, 2);
  assert.deepEqual(
    (await readRows(snapshot, ranges)).map((row) => row.version),
    [2],
  );
  assert.equal(await snapshot.countEvents(), 2);
  // The reading took none but those.
  const still = (await server.exec(sessions, database)).map(({ pid }) => pid);
  assert.deepEqual(still.sort(), open.sort());
  await snapshot.close();
});

test('the server tells what is between two views wherever numbers turn over', async () => {
  const turn = 2n ** 32n;
  for (const from of [700n, turn - 2n, turn, 5n * turn - 1n]) {
    const numbers = [-(2n ** 31n), -1n, 0n, 1n, 4n, 5n, 6n, 2n ** 31n].map((distance) => from + distance);
    const rows = numbers.map((xid) => `('${BigInt.asUintN(32, xid)}'::xid, ${xid})`).join(', ');
    const changes = { since: `${from}:${from + 2n}:`, until: `${from + 5n}:${from + 5n}:` };
    const [range] = sharedChanges(2, changes);
    const found = await server.exec(
      `SELECT wide::text AS xid ${rangeSource(range!, `(VALUES ${rows}) AS written (xmin, wide)`)}`,
    );
    assert.deepEqual(
      found.map(({ xid }) => BigInt(String(xid)) - from),
      [0n, 1n, 4n],
    );
  }
});

test('processes of the server that share a search find what one view sees', async () => {
  await seedEvents(server, database, 3000);
  await asOwner(server, database, 'ALTER TABLE eventcore_events SET (parallel_workers = 2)');
  const since = await snapshotOf(store);
  await store.append([{ streamId: 'a', events: [{ type: 'T', data: '1' }] }]);
  const snapshot = await store.openSnapshot();
  await store.append([{ streamId: 'a', events: [{ type: 'T', data: '2' }] }]);
  const [range] = sharedChanges(3, { since, until: String(snapshot.cursor.snapshot) });
  const rows = await readRows(snapshot, [range!]);
  await snapshot.close();
  assert.deepEqual(
    rows.map(({ streamId, version }) => `${streamId} ${version}`),
    ['a 1'],
  );
  const plan = `EXPLAIN SELECT event_data ${rangeSource(range!, 'eventcore_events')}`;
  const client = new pg.Client(server.address(database));
  await client.connect();
  const results: unknown = await client.query(`BEGIN; ${withSettings(rangeSettings(range!), plan)}; COMMIT`);
  await client.end();
  assert.match(JSON.stringify(results), /Workers Planned: 2.*Parallel Seq Scan/);
});

async function snapshotOf(of: EventStore): Promise<string> {
  const { cursor, close } = await of.openSnapshot();
  await close();
  return String(cursor.snapshot);
}

async function readInThread(token: string, range: StoreRange): Promise<string[]> {
  const thread = new Worker(new URL('./range-thread.ts', import.meta.url), {
    workerData: { address: server.address(database), token, range },
  });
  const [ids] = await once(thread, 'message');
  return ids;
}

test('every JSON value, number and time comes as the server has it, byte for byte', async () => {
  const digits = '1234567890123456789012345678901234567890';
  const values = [
    `{"past": 9007199254740993, "long": ${digits}.${digits}, "exact": 1.10, "tiny": -0.000${digits}}`,
    '"\\\\ud83d\\\\ude00 \\\\u00e9 \\\\u2028 \\\\n \\\\"q\\\\""',
    '{"b": 1, "a": [true, null, {"": []}], "b": 2}',
    `"${'ü\u{1F600}'.repeat(200_000)}"`,
  ];
  const times = [
    'infinity',
    '-infinity',
    '2026-11-23 04:05:06.123457+00',
    '1969-12-31 23:59:59.999999+00',
    '4713-01-01 00:00:00+00 BC',
    '294276-12-31 23:59:59.999999+00',
  ];
  const rows = [
    ...values.map((value) => `('j', 'now', E'${value.replaceAll("'", "''")}')`),
    ...times.map((time) => `('t', '${time}', '{}')`),
  ];
  await asOwner(
    server,
    database,
    `INSERT INTO eventcore_events (event_id, stream_id, stream_version, event_type, event_data, created_at)
     SELECT gen_random_uuid(), s, row_number() OVER (PARTITION BY s), 'T', d::jsonb, t::timestamptz
       FROM (VALUES ${rows.join(',')}) AS given(s, t, d)`,
  );
  const stored = await server.exec(
    `SELECT stream_id || stream_version AS name, event_data::text AS data, created_at::text AS time
       FROM eventcore_events`,
    database,
  );
  const texts = new Map(stored.map(({ name, data, time }) => [name, { data, time }]));
  const snapshot = await store.openSnapshot();
  const read = await readSnapshot(snapshot);
  await snapshot.close();
  assert.equal(read.length, values.length + times.length);
  for (const { streamId, version, data } of read)
    assert.equal(data, texts.get(`${streamId}${version}`)!.data);
  const readTimes = read.filter((row) => row.streamId === 't').sort((a, b) => a.version - b.version);
  assert.deepEqual(
    readTimes.map((row) => formatTime(row.time)),
    [
      'infinity',
      '-infinity',
      '2026-11-23T04:05:06.123457Z',
      '1969-12-31T23:59:59.999999Z',
      '-004712-01-01T00:00:00.000000Z',
      '+294276-12-31T23:59:59.999999Z',
    ],
  );
  for (const [i, row] of readTimes.entries()) {
    const since = await collect(store.readSince(formatTime(row.time)));
    const expected = readTimes.filter((other) => other.time >= row.time).length;
    assert.equal(since.filter((event) => event.streamId === 't').length, expected, times[i]);
  }
  const looked = await store.readStream('t');
  assert.deepEqual(
    looked.map((event) => event.recordedAt),
    readTimes.map((row) => formatTime(row.time)),
  );
});

test('a version that is no exact number is refused and named', async () => {
  await asOwner(
    server,
    database,
    `INSERT INTO eventcore_events VALUES (gen_random_uuid(), 'far', 9007199254740992, 'T', '{}')`,
  );
  const snapshot = await store.openSnapshot();
  await refused(readSnapshot(snapshot), 'store_unsupported', /9007199254740992/);
  await snapshot.close();
});

async function copyBackends(): Promise<number[]> {
  const rows = await server.exec(
    "SELECT pid FROM pg_stat_activity WHERE query LIKE 'COPY (%' AND state = 'active'",
    database,
  );
  return rows.map((row) => Number(row.pid));
}

for (const [how, end] of [
  ['ended by an administrator', (pid: number) => server.exec(`SELECT pg_terminate_backend(${pid})`)],
  ['killed with signal 9', async (pid: number) => process.kill(pid, 'SIGKILL')],
] as const) {
  test(`a server process ${how} in the middle of a COPY makes the store unreachable and nothing worse`, async () => {
    await seedEvents(server, database, 60_000);
    const snapshot = await store.openSnapshot();
    const [range] = await snapshot.planRanges(1);
    const read = async (): Promise<void> => {
      let batches = 0;
      for await (const _ of snapshot.readRange(range!, { batchBytes: 1 << 16 })) {
        batches += 1;
        if (batches !== 2) continue;
        const pids = await copyBackends();
        assert.equal(pids.length, 1);
        await end(pids[0]!);
      }
    };
    await refused(read(), 'store_unreachable', /hint|again|look|server/);
    await snapshot.close();
    assert.equal(await countWhenUp(), 60_000);
  });
}

async function countWhenUp(): Promise<number> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return (await store.count()).events;
    } catch (error) {
      // After a crash the server recovers for a moment.
      if (attempt === 50) throw error;
      await sleep(100);
    }
  }
}

test('a reading that is left early frees its connection, and a closed snapshot leaves none', async () => {
  await seedEvents(server, database, 30_000);
  await store.close();
  store = openStore(server.address(database));
  const snapshot = await store.openSnapshot();
  const [range] = await snapshot.planRanges(1);
  for (let round = 0; round < 3; round += 1) {
    for await (const _ of snapshot.readRange(range!, { batchBytes: 1 << 16 })) break;
  }
  await connectionsBecome(1);
  await snapshot.close();
  await connectionsBecome(0);
});

async function connectionsBecome(count: number): Promise<void> {
  let found = -1;
  for (let attempt = 0; attempt < 50 && found !== count; attempt += 1) {
    const rows = await server.exec(
      `SELECT count(*)::int AS n FROM pg_stat_activity
        WHERE datname = '${database}' AND application_name = 'eventcore-backup'`,
    );
    found = Number(rows[0]!.n);
    if (found !== count) await sleep(100);
  }
  assert.equal(found, count);
}

test('while a snapshot is open the events can be neither truncated nor dropped', async () => {
  await seedEvents(server, database, 100);
  const snapshot = await store.openSnapshot();
  for (const sql of ['TRUNCATE eventcore_events', 'DROP TABLE eventcore_events']) {
    await assert.rejects(server.exec(`SET lock_timeout = '100ms'; ${sql}`, database), /lock timeout/);
  }
  assert.equal((await readSnapshot(snapshot)).length, 100);
  await snapshot.close();
  await server.exec('TRUNCATE eventcore_events', database);
});

test('a role that may only read the tables can back up', async () => {
  await seedEvents(server, database, 50);
  await server.exec(`CREATE ROLE reader_${database} LOGIN`);
  const reader = openStore(server.address(database, `reader_${database}`));
  await refused(reader.openSnapshot(), 'store_refused', /permission denied for table .*\n.*GRANT SELECT/s);
  await server.exec(`GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader_${database}`, database);
  const snapshot = await reader.openSnapshot();
  assert.equal((await readSnapshot(snapshot)).length, 50);
  const { systemIdentifier, timeline, relation, snapshot: seen } = snapshot.cursor;
  assert.match(String(systemIdentifier), /^\d{15,20}$/);
  assert.equal(timeline, 1);
  const [oid] = await server.exec("SELECT 'eventcore_events'::regclass::oid::text AS oid", database);
  assert.equal(relation, oid!.oid);
  assert.match(String(seen), /^\d+:\d+:/);
  await snapshot.close();
});

test('a cursor lacks what the server keeps from the role, and the backup goes on', async () => {
  await server.exec(`CREATE ROLE blind_${database} LOGIN`);
  await server.exec(
    `REVOKE EXECUTE ON FUNCTION pg_control_system(), pg_walfile_name(pg_lsn) FROM PUBLIC;
     GRANT SELECT ON ALL TABLES IN SCHEMA public TO blind_${database}`,
    database,
  );
  const blind = openStore(server.address(database, `blind_${database}`));
  const snapshot = await blind.openSnapshot();
  assert.equal(snapshot.cursor.systemIdentifier, null);
  assert.equal(snapshot.cursor.timeline, null);
  assert.deepEqual(await readSnapshot(snapshot), []);
  await snapshot.close();
});

test('row-level security that hides events is an error, never a smaller backup', async () => {
  await seedEvents(server, database, 50);
  await server.exec(`CREATE ROLE half_${database} LOGIN`);
  await server.exec(
    `GRANT SELECT ON ALL TABLES IN SCHEMA public TO half_${database};
     ALTER TABLE eventcore_events ENABLE ROW LEVEL SECURITY;
     CREATE POLICY one_stream ON eventcore_events USING (stream_id = 'stream-1')`,
    database,
  );
  const half = openStore(server.address(database, `half_${database}`));
  await refused(half.count(), 'store_refused', /BYPASSRLS/);
  const snapshot = await half.openSnapshot();
  await refused(readSnapshot(snapshot), 'store_refused', /BYPASSRLS/);
  await snapshot.close();
});

test('rows of the tables that belong to the events come as text, NULL as null', async () => {
  await server.exec(
    `INSERT INTO eventcore_subscription_versions VALUES ('r', gen_random_uuid(), '2026-01-02 03:04:05.000006+07');
     INSERT INTO eventcore_command_state_snapshots VALUES ('s', '{"n": 1.50}', '{"a": 7}', '[]', 'infinity');
     CREATE TABLE _sqlx_migrations (version bigint PRIMARY KEY, description text NOT NULL, checksum bytea, extra text);
     INSERT INTO _sqlx_migrations VALUES (2, 'two', '\\x00ff'), (1, 'one', '\\x')`,
    database,
  );
  const snapshot = await store.openSnapshot();
  const rows = await collect(snapshot.readCompanions());
  await snapshot.close();
  assert.deepEqual(
    rows.map(({ table, role }) => `${table} ${role}`),
    [
      'eventcore_subscription_versions checkpoints',
      'eventcore_command_state_snapshots snapshots',
      '_sqlx_migrations ledger',
      '_sqlx_migrations ledger',
    ],
  );
  assert.equal(rows[0]!.values.updated_at, '2026-01-01 20:04:05.000006+00');
  assert.equal(rows[1]!.values.state, '{"n": 1.50}');
  assert.equal(rows[1]!.values.updated_at, 'infinity');
  assert.deepEqual(rows[2]!.values, { version: '1', description: 'one', checksum: '\\x', extra: null });
  assert.equal(rows[3]!.values.checksum, '\\x00ff');
});

test('a table of another shape is refused before anything is read', async () => {
  await server.exec('ALTER TABLE eventcore_events ALTER event_data TYPE json', database);
  await refused(store.openSnapshot(), 'store_unsupported', /event_data is json .* jsonb/);
  await server.exec('ALTER TABLE eventcore_events DROP event_data', database);
  await refused(store.inspect(), 'store_unsupported', /event_data is missing/);
});

test('a token that is none, or whose snapshot is gone, is refused', async () => {
  await refused(store.joinSnapshot('00000003-1'), 'usage');
  await refused(store.joinSnapshot(`{"snapshot":"'; DROP","relation":"1"}`), 'usage');
  const snapshot = await store.openSnapshot();
  const token = snapshot.token!;
  await snapshot.close();
  await refused(store.joinSnapshot(token), 'store_refused', /closed.*again/s);
});

/** More than the connection's buffers hold in 900. */
const LARGE = { type: 'T', data: JSON.stringify('x'.repeat(20_000)) };

test('a store in another schema and a database with another default is read alike', async () => {
  const address = `${server.address(database)}?schema=my%20events`;
  await server.exec(`ALTER DATABASE "${database}" SET datestyle = 'German'`);
  await server.exec(`ALTER DATABASE "${database}" SET timezone = 'Asia/Tokyo'`);
  await server.exec(`ALTER DATABASE "${database}" SET statement_timeout = '200ms'`);
  await server.exec(`ALTER DATABASE "${database}" SET search_path = 'nowhere'`);
  const other = openStore(address);
  assert.equal((await other.inspect()).state, 'missing');
  await other.initialise();
  await other.append([{ streamId: 'a', events: [{ type: 'T', data: '{}' }] }]);
  const [event] = await other.readStream('a');
  assert.match(event!.recordedAt, /^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
  await other.append([{ streamId: 'b', events: Array.from({ length: 900 }, () => LARGE) }]);
  const snapshot = await other.openSnapshot();
  const [range] = await snapshot.planRanges(1);
  let events = 0;
  for await (const batch of snapshot.readRange(range!, { batchBytes: 1 << 16 })) {
    if (events === 0) await sleep(400);
    events += batch.count;
  }
  assert.equal(events, 901);
  await snapshot.close();
});
