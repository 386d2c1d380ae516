/** How many events a log lacks, counted by the server while the slot may be read by somebody else. */
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import pg from 'pg';
import { type ChangeFeed, NEW_LOG } from '../../../src/core/change-feed.ts';
import type { EventStore } from '../../../src/core/event-store.ts';
import { startPostgres, type TestPostgres } from '../../harness/postgres.ts';
import { closeStores, openStore } from './seeding.ts';

let server: TestPostgres;
const clients: pg.Client[] = [];

before(async () => {
  server = await startPostgres({ settings: { max_prepared_transactions: '5', max_replication_slots: '3' } });
});
after(() => server.stop());
afterEach(async () => {
  for (const client of clients.splice(0)) await client.end();
  await closeStores();
  await server.exec('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active');
});

async function makeFeed(): Promise<{ store: EventStore; database: string; feed: ChangeFeed }> {
  const database = await server.createDatabase();
  const store = openStore(server.address(database));
  await store.initialise();
  await server.exec('ALTER TABLE eventcore_events DISABLE TRIGGER USER', database);
  return { store, database, feed: await store.openFeed(NEW_LOG) };
}

async function connect(database: string): Promise<pg.Client> {
  const client = new pg.Client(server.address(database));
  await client.connect();
  clients.push(client);
  return client;
}

function insert(stream: string, count: number): string {
  return `INSERT INTO eventcore_events (event_id, stream_id, stream_version, event_type, event_data)
          SELECT gen_random_uuid(), '${stream}', i, 'Tested', '{"a": 1}' FROM generate_series(1, ${count}) AS i`;
}

const ahead = (store: EventStore, { source }: ChangeFeed, from: bigint, withinMs = 20_000) =>
  store.countAhead({ source, from, withinMs });

test('late commits, prepared ones and savepoints count where they commit, and what is rolled back or open does not', async () => {
  const { store, database, feed } = await makeFeed();
  const [late, open, prepared] = [await connect(database), await connect(database), await connect(database)];
  await late.query(`BEGIN; ${insert('late', 1)}; SAVEPOINT a; ${insert('late2', 2)}; SAVEPOINT b; ${insert('undone', 7)};
    ROLLBACK TO b`);
  await open.query(`BEGIN; ${insert('open', 11)}`);
  await prepared.query(`BEGIN; ${insert('prepared', 5)}; PREPARE TRANSACTION 'p'`);
  await prepared.query(`BEGIN; ${insert('never', 13)}; PREPARE TRANSACTION 'q'`);
  await server.exec(insert('before', 17), database);
  const from = (await store.feedState())!.position;
  assert.deepEqual([await ahead(store, feed, feed.from), await ahead(store, feed, from)], [17, 0]);
  await late.query('COMMIT');
  await server.exec("COMMIT PREPARED 'p'", database);
  await server.exec(`BEGIN; ${insert('rolled back', 19)}; ROLLBACK`, database);
  await server.exec("UPDATE eventcore_events SET event_type = 'Changed' WHERE stream_id = 'late'", database);
  await server.exec('CREATE TABLE other (i int); INSERT INTO other VALUES (1), (2)', database);
  assert.deepEqual([await ahead(store, feed, feed.from), await ahead(store, feed, from)], [17 + 9, 9]);
  // Counted by who follows it, too.
  let [events, seen] = [0, 0n];
  for await (const batch of feed.read({ batchBytes: 1 << 20, lingerMs: 20, idleMs: 200 })) {
    if (batch.transactions.count > 0 && batch.to !== null && batch.to > from) events += batch.events.count;
    seen = batch.to ?? seen;
    if (batch.transactions.count === 0) break;
  }
  assert.equal(await ahead(store, feed, seen), 0);
  assert.ok(events >= 9, String(events));
  const slots = await server.exec('SELECT slot_name FROM pg_replication_slots');
  assert.equal(slots.length, 1, 'nothing of it is left');
  await server.exec("ROLLBACK PREPARED 'q'", database);
  await feed.close();
});

test('what takes too long, is too much, is of another place or not allowed is not told, and nothing is left of the try', async () => {
  const { store, database, feed } = await makeFeed();
  await server.exec(insert('some', 20_000), database);
  assert.equal(await ahead(store, feed, feed.from, 1), null);
  assert.equal(await ahead(store, feed, feed.from), 20_000);
  for (const other of [{ systemIdentifier: '1' }, { timeline: 7 }, { database: '1' }, { relation: '1' }]) {
    const source = { ...feed.source, ...other };
    assert.equal(await store.countAhead({ source, from: feed.from, withinMs: 20_000 }), null);
  }
  await server.exec(
    'DROP ROLE IF EXISTS looker; CREATE ROLE looker LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO looker',
    database,
  );
  assert.equal(await ahead(openStore(server.address(database, 'looker')), feed, feed.from), null);
  await server.exec(
    "SELECT pg_create_physical_replication_slot('taken1'), pg_create_physical_replication_slot('taken2')",
  );
  assert.equal(await ahead(store, feed, feed.from), null);
  await server.exec("SELECT pg_drop_replication_slot('taken1')");
  assert.equal(await ahead(store, feed, feed.from), 20_000);
  await server.exec(
    'CREATE TABLE filler AS SELECT repeat(md5(i::text), 30) AS t FROM generate_series(1, 80000) AS i',
    database,
  );
  assert.equal(await ahead(store, feed, feed.from), null, 'more than 64 MiB to decode');
  assert.equal((await server.exec('SELECT FROM pg_replication_slots')).length, 2);
  await feed.close();
  await store.dropFeed();
  assert.equal(await ahead(store, feed, feed.from), null);
});
