import assert from 'node:assert/strict';
import { after, afterEach, before, it } from 'node:test';
import { startPostgres, type TestPostgres } from '../harness/postgres.ts';
import { asOwner, closeStores, openStore } from '../stores/postgres/seeding.ts';
import { chainOf, filesOf, healsToTheByte } from './rebuilding.ts';

let server: TestPostgres;

before(async () => {
  server = await startPostgres();
});
after(() => server.stop());
afterEach(closeStores);

it('what a vault has lost of PostgreSQL backups, cut into ranges or not, is made anew to the byte', async () => {
  const database = await server.createDatabase();
  const store = openStore(server.address(database));
  await store.initialise();
  // Large enough for two ranges, with rows of transactions that were rolled back among them.
  const fill = (first: number, count: number): string =>
    `INSERT INTO eventcore_events (event_id, stream_id, stream_version, event_type, event_data, created_at)
     SELECT gen_random_uuid(), 'stream-' || i % 97, i / 97 + 1, 'Type' || i % 5,
            jsonb_build_object('n', i, 'text', repeat(md5(i::text), 20)), now()
       FROM generate_series(${first}, ${first + count - 1}) AS i`;
  await asOwner(server, database, `BEGIN; ${fill(0, 500)}; ROLLBACK; ${fill(0, 12_000)}`);
  const vault = await chainOf(store, async (round) => {
    if (round > 0) await asOwner(server, database, fill(12_000 + round * 300, 300));
  });
  assert.ok((await filesOf(vault, 'events')).length > 3, 'the full backup is of several ranges');
  assert.equal(await healsToTheByte(store, vault, false), (await filesOf(vault, 'events')).length + 6);
});
