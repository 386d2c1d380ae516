import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import pg from 'pg';
import type { EventStore } from '../../../src/core/event-store.ts';
import { bucketOf } from '../../../src/core/stream-bucket.ts';
import { hashesAlike, inBucketSql } from '../../../src/stores/postgres/buckets.ts';
import { cutIntoBlocks, rangeSource } from '../../../src/stores/postgres/range.ts';
import { startPostgres, type TestPostgres } from '../../harness/postgres.ts';
import { asOwner, closeStores, openStore, readRows, seedEvents } from './seeding.ts';

let server: TestPostgres;
let database: string;
let store: EventStore;

before(async () => {
  server = await startPostgres();
  database = await server.createDatabase();
  store = openStore(server.address(database));
  await store.initialise();
  await seedEvents(server, database, 20_000);
});
after(async () => {
  await closeStores();
  await server.stop();
});

async function withClient<Result>(
  work: (client: pg.Client) => Promise<Result>,
  name = database,
): Promise<Result> {
  const client = new pg.Client(server.address(name));
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

test('the server puts every name into the bucket that this program puts it into', async () => {
  const names = Array.from(
    { length: 200 },
    (_, i) => `${'größe\u{1F600}'.repeat(i % 4)}${'x'.repeat(i % 37)}${i}`,
  );
  await withClient(async (client) => {
    for (const seed of [0, 1, 0xffff_ffff, 0x8000_0000]) {
      assert.equal(await hashesAlike(client, { seed, of: 1000 }), true);
      const buckets = [0, 1, 2, 500, 999, ...Array.from({ length: 200 }, (_, i) => 10 + i)];
      const sample = { seed, of: 1000, buckets };
      const { rows } = await client.query<{ name: string }>(
        `SELECT name FROM unnest($1::text[]) AS name WHERE ${inBucketSql('name', sample)}`,
        [names],
      );
      assert.deepEqual(
        rows.map(({ name }) => name),
        names.filter((name) => buckets.includes(bucketOf(sample, Buffer.from(name)))),
      );
    }
  });
});

test('a server that keeps names in another encoding gives the same buckets', async () => {
  await server.exec(`CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'`);
  await withClient(
    async (client) => assert.equal(await hashesAlike(client, { seed: 1, of: 9 }), false),
    'latin',
  );
  const latin = openStore(server.address('latin'));
  await latin.initialise();
  const names = Array.from({ length: 40 }, (_, i) => `größe-${i}`);
  await latin.append(names.map((streamId) => ({ streamId, events: [{ type: 'T', data: '{}' }] })));
  const sample = { seed: 4, of: 5, buckets: [1, 3] };
  const snapshot = await latin.openSnapshot();
  const found: string[] = [];
  for await (const { streamId } of snapshot.readSummaries({ sample })) found.push(streamId);
  await snapshot.close();
  assert.deepEqual(
    found.sort(),
    names.filter((name) => sample.buckets.includes(bucketOf(sample, Buffer.from(name)))).sort(),
  );
});

test('blocks are read by one connection, without looking through the table and without further processes', async () => {
  await asOwner(server, database, 'ALTER TABLE eventcore_events SET (parallel_workers = 4)');
  await server.exec('ANALYZE eventcore_events', database);
  const snapshot = await store.openSnapshot();
  const { blocks, range } = await snapshot.planBlocks();
  assert.ok(blocks > 20, `${blocks} blocks`);
  const scans = async (): Promise<number> => {
    const rows = await server.exec(
      `SELECT seq_scan::int AS scans FROM pg_stat_user_tables WHERE relname = 'eventcore_events'`,
      database,
    );
    return Number(rows[0]!.scans);
  };
  await readRows(snapshot, [range(0)]);
  const pids = async (): Promise<string[]> =>
    (
      await server.exec(
        `SELECT pid::text FROM pg_stat_activity WHERE datname = '${database}' AND application_name = 'eventcore-backup' ORDER BY pid`,
      )
    ).map(({ pid }) => String(pid));
  const before = [await pids(), await scans()];
  let events = 0;
  for (let block = 0; block < blocks; block += 1) events += (await readRows(snapshot, [range(block)])).length;
  assert.equal(events, 20_000);
  assert.deepEqual([await pids(), await scans()], before);
  await snapshot.close();
});

test('a server that cannot read some blocks alone is told each place, and looks nowhere else', async () => {
  const snapshot = await store.openSnapshot();
  const { blocks, range } = await snapshot.planBlocks();
  const [{ bytes }] = (await server.exec(
    "SELECT pg_relation_size('eventcore_events')::int AS bytes",
    database,
  )) as [{ bytes: number }];
  const old = cutIntoBlocks({ bytes, readsBlocks: false });
  assert.equal(old.blocks, blocks);
  for (const block of [0, 3, blocks - 1])
    assert.deepEqual(await readRows(snapshot, [old.range(block)]), await readRows(snapshot, [range(block)]));
  await snapshot.close();
  const plan = await server.exec(
    `EXPLAIN SELECT * ${rangeSource(old.range(2), 'eventcore_events')}`,
    database,
  );
  assert.match(JSON.stringify(plan), /Tid Scan on eventcore_events/);
  assert.deepEqual(
    await readRows(await store.openSnapshot(), [cutIntoBlocks({ bytes: 0, readsBlocks: false }).range(0)]),
    [],
  );
});
