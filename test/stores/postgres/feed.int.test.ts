/** What PostgreSQL commits, in the order of the commits, whole, once, and however long nobody reads. */
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import {
  type ChangeBatch,
  type ChangeFeed,
  type FeedOptions,
  NEW_LOG,
} from '../../../src/core/change-feed.ts';
import { type BackupError, isBackupError } from '../../../src/core/errors.ts';
import type { EventStore } from '../../../src/core/event-store.ts';
import { batchRows, type TestEvent } from '../../../src/testing/batches.ts';
import { startPostgres, type TestPostgres } from '../../harness/postgres.ts';
import { asOwner, closeStores, openStore } from './seeding.ts';

let server: TestPostgres;
const clients: pg.Client[] = [];

before(async () => {
  server = await startPostgres({
    settings: {
      ...{ max_replication_slots: '40', max_wal_senders: '20', max_prepared_transactions: '5' },
      ...{ wal_sender_timeout: '2s', logical_decoding_work_mem: '64kB' },
    },
  });
});
after(() => server.stop());
afterEach(async () => {
  for (const client of clients.splice(0)) await client.end().catch(() => undefined);
  await closeStores();
});

async function makeStore(): Promise<{ store: EventStore; database: string }> {
  const database = await server.createDatabase();
  const store = openStore(server.address(database));
  await store.initialise();
  await server.exec('ALTER TABLE eventcore_events DISABLE TRIGGER USER', database);
  return { store, database };
}

async function connect(database: string): Promise<pg.Client> {
  const client = new pg.Client(server.address(database));
  client.on('error', () => undefined);
  await client.connect();
  clients.push(client);
  return client;
}

/** INSERT of one event; `version` tells it from others of its stream. */
function insert(stream: string, version: number): string {
  return `INSERT INTO eventcore_events (event_id, stream_id, stream_version, event_type, event_data)
          VALUES (gen_random_uuid(), '${stream}', ${version}, 'Tested', '{"a": [1, "x"]}')`;
}

interface Read {
  /** One entry for each transaction: what it did, in order. */
  readonly transactions: string[][];
  readonly commits: bigint[];
  readonly xids: number[];
  readonly batches: Omit<ChangeBatch, 'events' | 'transactions'>[];
}

const QUICK = { batchBytes: 1 << 20, lingerMs: 50, idleMs: 300 };

/** Reads until `isEnough`; keeps nothing but names. */
async function read(feed: ChangeFeed, isEnough: (read: Read) => boolean, options = QUICK): Promise<Read> {
  const all: Read = { transactions: [], commits: [], xids: [], batches: [] };
  for await (const batch of feed.read(options)) {
    note(all, batch);
    if (batch.to !== null) await feed.acknowledge(batch.to);
    if (!batch.isOpen && isEnough(all)) break;
  }
  return all;
}

function note(all: Read, batch: ChangeBatch): void {
  const { transactions, removals, isContinued } = batch;
  const { events: _, transactions: __, ...rest } = batch;
  all.batches.push(rest);
  const rows = batchRows(batch.events);
  let row = 0;
  let removal = 0;
  for (let i = 0; i < transactions.count; i += 1) {
    if (i > 0 || !isContinued) {
      all.transactions.push([]);
      all.commits.push(transactions.commits[i]!);
      all.xids.push(transactions.xids[i]!);
    }
    const own = all.transactions.at(-1)!;
    for (let left = transactions.events[i]!; ; left -= 1) {
      while (removals[removal]?.transaction === i && removals[removal]!.afterEvents === row) {
        own.push(`${removals[removal]!.kind} ${removals[removal]!.eventId}`);
        removal += 1;
      }
      if (left === 0) break;
      own.push(`${rows[row]!.streamId} ${rows[row]!.version}`);
      row += 1;
    }
  }
}

const transactionsAre =
  (count: number) =>
  (all: Read): boolean =>
    all.transactions.length >= count;

test('transactions come in the order of their commits, late ones where they commit; savepoints, rollbacks and two phases as they end', async () => {
  const { store, database } = await makeStore();
  const feed = await store.openFeed(NEW_LOG);
  const [late, other] = [await connect(database), await connect(database)];
  await late.query(`BEGIN; ${insert('late', 1)}`);
  await other.query(insert('first', 1));
  await other.query(`BEGIN; ${insert('kept', 1)}; SAVEPOINT a; ${insert('undone', 1)}; ROLLBACK TO a;
                     SAVEPOINT b; ${insert('kept', 2)}; RELEASE b; ${insert('other', 1)}; COMMIT`);
  await other.query(`BEGIN; ${insert('never', 1)}; ROLLBACK`);
  await other.query(`BEGIN; ${insert('prepared', 1)}; PREPARE TRANSACTION 'p1'`);
  await other.query(`BEGIN; ${insert('never', 2)}; PREPARE TRANSACTION 'p2'`);
  await other.query(insert('second', 1));
  await late.query('COMMIT');
  await other.query("COMMIT PREPARED 'p1'");
  await other.query("ROLLBACK PREPARED 'p2'");
  await other.query('CREATE TABLE elsewhere (n int); INSERT INTO elsewhere VALUES (1)');
  await other.query(insert('last', 1));
  const { transactions, commits, batches } = await read(feed, transactionsAre(6));
  assert.deepEqual(transactions, [
    ['first 1'],
    ['kept 1', 'kept 2', 'other 1'],
    ['second 1'],
    ['late 1'],
    ['prepared 1'],
    ['last 1'],
  ]);
  assert.deepEqual(
    commits,
    commits.toSorted((a, b) => (a < b ? -1 : 1)),
  );
  assert.equal(batches.findLast(({ isOpen }) => !isOpen)!.to, commits.at(-1)! + 1n);
  await feed.close();
});

test('updates, deletes and truncations come as removals, each in its place, and an update with its new row', async () => {
  const { store, database } = await makeStore();
  const feed = await store.openFeed(NEW_LOG);
  const client = await connect(database);
  const ids = ['0', '1', '2', '3'].map((digit) => `01932f3e-7c00-7a01-8b02-00000000000${digit}`);
  await client.query(
    `BEGIN; ${ids.map((id, i) => insert('a', i).replace('gen_random_uuid()', `'${id}'`)).join('; ')}; COMMIT`,
  );
  await client.query(`BEGIN; ${insert('b', 1)}; UPDATE eventcore_events SET stream_version = 77 WHERE event_id = '${ids[0]}';
     ${insert('b', 2)}; DELETE FROM eventcore_events WHERE event_id = '${ids[1]}'; COMMIT`);
  await client.query(`UPDATE eventcore_events SET event_id = '${ids[1]}' WHERE event_id = '${ids[3]}'`);
  await client.query(`BEGIN; TRUNCATE eventcore_events; ${insert('c', 1)}; COMMIT`);
  const { transactions } = await read(feed, transactionsAre(4));
  assert.deepEqual(transactions.slice(1), [
    ['b 1', `update ${ids[0]}`, 'a 77', 'b 2', `delete ${ids[1]}`],
    [`update ${ids[3]}`, 'a 3'],
    ['truncate null', 'c 1'],
  ]);
  await feed.close();
});

test('an update that leaves a value as it was that the server keeps apart is a loss that says the way out, and no loss from then on', async () => {
  const { store, database } = await makeStore();
  const large = `(SELECT jsonb_agg(md5(i::text)) FROM generate_series(1, 400) AS i)`;
  await server.exec(insert('a', 1).replace(`'{"a": [1, "x"]}'`, large), database);
  const [row] = await server.exec('SELECT event_id AS id, event_data::text FROM eventcore_events', database);
  const { id, event_data: data } = row as { id: string; event_data: string };
  const change = (type: string): Promise<unknown> =>
    server.exec(`UPDATE eventcore_events SET event_type = '${type}'`, database);
  const feed = await store.openFeed(NEW_LOG);
  await change('Lost');
  const error = await read(feed, transactionsAre(1)).then(
    () => assert.fail('it was not lost'),
    (thrown: unknown) => thrown as BackupError,
  );
  await feed.close();
  assert.ok(isBackupError(error, 'feed_lost'), String(error));
  const table = '"public"."eventcore_events"';
  assert.match(error.message, new RegExp(`UPDATE of event ${id} in ${table} left its large event_data`));
  assert.deepEqual(error.facts, {
    ...{ reason: 'value_not_sent', eventId: id, table, column: 'event_data', streamId: 'a', version: 1 },
  });
  const sql = /ALTER TABLE .*$/.exec(error.hint!)![0];
  await server.exec(sql, database);
  const next = await store.openFeed({ ...NEW_LOG, source: feed.source });
  await change('Kept');
  for await (const { events, removals } of next.read(QUICK)) {
    if (events.count === 0) continue;
    const [{ type, data: sent }] = batchRows(events) as [Required<TestEvent>];
    assert.deepEqual([type, sent], ['Kept', data]);
    assert.deepEqual(
      removals.map(({ kind, eventId }) => [kind, eventId]),
      [['update', id]],
    );
    break;
  }
  await next.close();
});

test('a huge transaction goes over many batches while memory stays flat', async () => {
  const { store, database } = await makeStore();
  const feed = await store.openFeed(NEW_LOG);
  const count = 300_000;
  await asOwner(
    server,
    database,
    `INSERT INTO eventcore_events (event_id, stream_id, stream_version, event_type, event_data)
     SELECT gen_random_uuid(), 'huge-' || i % 100, i, 'Tested', jsonb_build_object('text', repeat(md5(i::text), 4))
       FROM generate_series(1, ${count}) AS i`,
  );
  await server.exec(insert('after', 1), database);
  let [events, transactions, batches, most] = [0, 0, 0, 0];
  const before = process.memoryUsage().arrayBuffers;
  for await (const { isContinued, isOpen, ...batch } of feed.read({ ...QUICK, batchBytes: 1 << 19 })) {
    events += batch.events.count;
    transactions += batch.transactions.count - (isContinued ? 1 : 0);
    batches += 1;
    most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    if (events === count + 1 && !isOpen) break;
  }
  assert.equal(transactions, 2);
  assert.ok(batches > 100, String(batches));
  assert.ok(most < 20 << 20, `${most} bytes`);
  await feed.close();
});

test('a reader that sleeps longer than the server waits for answers loses nothing, and the slot does not move', async () => {
  const { store, database } = await makeStore();
  const feed = await store.openFeed(NEW_LOG);
  const reading = feed.read({ batchBytes: 1 << 16, lingerMs: 20, idleMs: 200 })[Symbol.asyncIterator]();
  await asOwner(
    server,
    database,
    `INSERT INTO eventcore_events (event_id, stream_id, stream_version, event_type, event_data)
     SELECT gen_random_uuid(), 'much', i, 'Tested', jsonb_build_object('text', repeat(md5(i::text), 10))
       FROM generate_series(1, 60000) AS i`,
  );
  let events = 0;
  let naps = 0;
  while (events < 60_000) {
    const { value } = await reading.next();
    events += (value as ChangeBatch).events.count;
    if (naps === 2 || events === 0) continue;
    naps += 1;
    // Three times wal_sender_timeout, with more waiting to be sent than the kernel holds.
    await sleep(6000);
  }
  assert.equal(events, 60_000);
  assert.equal((await store.feedState())!.acknowledged, feed.from);
  await reading.return?.();
  await feed.close();
});

test('the slot moves as far as was acknowledged, no further, and is free as soon as the feed is closed', async () => {
  const { store, database } = await makeStore();
  let options: FeedOptions = NEW_LOG;
  for (let i = 1; i <= 5; i += 1) {
    const feed = await store.openFeed(options);
    await server.exec(insert('a', i), database);
    const { transactions, batches } = await read(feed, transactionsAre(1));
    assert.deepEqual(transactions, [[`a ${i}`]]);
    const resumeAt = batches.at(-1)!.to!;
    options = { resumeAt, source: feed.source, lastEventId: null };
    await feed.close();
    const state = (await store.feedState())!;
    assert.deepEqual([state.isRead, state.acknowledged], [false, resumeAt]);
    assert.ok(state.position >= resumeAt);
    assert.ok(state.retainedBytes! > 0);
  }
  const feed = await store.openFeed(options);
  await assert.rejects(feed.acknowledge(feed.from + 1n), /was acknowledged/);
  await feed.close();
});

test('while nothing is written idle batches go on to where the server is, and say when that was', async () => {
  const { store, database } = await makeStore();
  const feed = await store.openFeed(NEW_LOG);
  await server.exec('CREATE TABLE elsewhere AS SELECT * FROM generate_series(1, 1000)', database);
  const [{ lsn, time }] = (await server.exec(
    "SELECT (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::text AS lsn, (extract(epoch FROM now() - '2000-01-01Z'::timestamptz) * 1000000)::bigint::text AS time",
  )) as [{ lsn: string; time: string }];
  const { batches } = await read(feed, ({ batches: seen }) => seen.length >= 4);
  const last = batches.at(-1)!;
  assert.ok(last.to! >= BigInt(lsn), `${last.to} ${lsn}`);
  assert.ok(last.asOf >= BigInt(time));
  for (const { horizon, to } of batches) assert.ok(horizon === null || horizon.position <= to!);
  assert.ok(batches.some(({ horizon }) => horizon !== null));
  assert.deepEqual(await feed.close(), undefined);
});

test('an idle batch comes also where an open transaction keeps the log from the disk', async () => {
  const { store, database } = await makeStore();
  const feed = await store.openFeed(NEW_LOG);
  const client = await connect(database);
  await client.query(`BEGIN; ${insert('open', 1)}`);
  const { batches } = await read(feed, ({ batches: seen }) => seen.at(-1)!.horizon !== null);
  assert.ok(batches.at(-1)!.asOf > 0n);
  await client.query('COMMIT');
  assert.deepEqual((await read(feed, transactionsAre(1))).transactions, [['open 1']]);
  await feed.close();
});

test('no transaction at or above the number of a horizon commits before it, however commits overlap', async () => {
  const { store, database } = await makeStore();
  const feed = await store.openFeed(NEW_LOG);
  const stop = new AbortController();
  const writers = [1, 2, 3, 4, 5, 6].map(async (writer) => {
    const client = await connect(database);
    for (let i = 0; !stop.signal.aborted; i += 1) {
      await client.query(`BEGIN; ${insert(`w${writer}`, i)}`);
      if (writer % 2 === 0) await sleep(writer);
      await client.query('COMMIT');
    }
    return client;
  });
  const horizons = (all: Read) => all.batches.flatMap(({ horizon }) => (horizon === null ? [] : [horizon]));
  const all = await read(feed, (seen) => horizons(seen).length >= 5);
  stop.abort();
  await Promise.all(writers);
  assert.ok(all.commits.length > 200, String(all.commits.length));
  const latest = horizons(all).at(-1)!;
  assert.ok(all.commits.filter((commit) => commit < latest.position).length > 100);
  for (const { position, xid } of horizons(all)) {
    const early = all.commits.filter((commit, i) => BigInt(all.xids[i]!) >= xid && commit < position);
    assert.deepEqual(early, [], `horizon ${position} ${xid}`);
  }
  await feed.close();
});

test('a horizon is above a transaction that has written its commit and waits for a standby', async () => {
  const { store, database } = await makeStore();
  const feed = await store.openFeed(NEW_LOG);
  const [waiting, other] = [await connect(database), await connect(database)];
  await server.exec("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
  await server.exec('SELECT pg_reload_conf()');
  try {
    await sleep(300);
    const { rows } = await waiting
      .query('BEGIN; SELECT 1')
      .then(() => waiting.query<{ xid: string }>('SELECT pg_current_xact_id()::text AS xid'));
    await waiting.query(insert('waiting', 1));
    const committed = waiting.query('COMMIT');
    const { commits, batches } = await read(
      feed,
      (all) => all.commits.length === 1 && all.batches.at(-1)!.horizon !== null,
    );
    const horizon = batches.at(-1)!.horizon!;
    assert.ok(horizon.position > commits[0]!);
    assert.ok(horizon.xid > BigInt(rows[0]!.xid), `${horizon.xid} ${rows[0]!.xid}`);
    const { rows: seen } = await other.query("SELECT FROM eventcore_events WHERE stream_id = 'waiting'");
    assert.equal(seen.length, 0, 'it was not visible then');
    await server.exec('ALTER SYSTEM RESET synchronous_standby_names');
    await server.exec('SELECT pg_reload_conf()');
    await committed;
  } finally {
    await server.exec('ALTER SYSTEM RESET synchronous_standby_names');
    await server.exec('SELECT pg_reload_conf()');
  }
  await feed.close();
});
