import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import pg from 'pg';
import type { EventStore, RestoreSession } from '../../../src/core/event-store.ts';
import { makeBatch } from '../../../src/testing/batches.ts';
import { load } from '../../../src/testing/event-store/restoring.ts';
import { startPostgres, type TestPostgres } from '../../harness/postgres.ts';
import { closeStores, openStore, readStagingSchemas, refused, streamOf, untilWaiting } from './seeding.ts';

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
});
afterEach(closeStores);

const exec = (sql: string): Promise<Record<string, unknown>[]> => server.exec(sql, database);

function open(parallel?: number): Promise<RestoreSession> {
  const options = { attemptId: crypto.randomUUID(), replace: false };
  return store.openRestore(parallel === undefined ? options : { ...options, parallel });
}

test('a writer that is alone leaves the rows frozen, and no setting of the loading stays', async () => {
  const session = await open();
  const writer = await session.openWriter({ alone: true });
  await writer.write(makeBatch(streamOf(5000)));
  await writer.end();
  await session.finishLoad();
  await session.publish();
  const [table] = await exec(
    `SELECT relpages, relallvisible, reloptions, (SELECT reloptions FROM pg_class t WHERE t.oid = c.reltoastrelid) AS toast
       FROM pg_class c WHERE relname = 'eventcore_events'`,
  );
  const { relpages, relallvisible, ...settings } = table!;
  assert.ok(Number(relpages) > 10);
  assert.deepEqual(settings, { reloptions: null, toast: null });
  // From version 16 on the server adds many pages at a time, and marks not all of them that a COPY has frozen.
  assert.ok(Number(relallvisible) > Number(relpages) / 2, JSON.stringify(table));
  await assert.rejects(exec('DELETE FROM eventcore_events'), /immutable/);
});

test('a discard ends what is still being built, and what is still being read', async () => {
  const session = await open();
  const writer = await session.openWriter();
  await writer.write(makeBatch(streamOf(5000).map((event, i) => ({ ...event, streamId: `stream-${i}` }))));
  await writer.end();
  const holder = new pg.Client(server.address(database));
  await holder.connect();
  await holder.query(`BEGIN; LOCK TABLE ${session.token}.eventcore_events IN ROW EXCLUSIVE MODE`);
  const finished = session.finishLoad();
  const summaries = session.readSummaries()[Symbol.asyncIterator]();
  assert.equal((await summaries.next()).value.streamId, 'stream-0');
  await untilWaiting(server, 'CREATE UNIQUE INDEX%');
  const discarded = session.discard();
  await refused(finished, 'store_unreachable');
  await assert.rejects(async () => {
    while (!(await summaries.next()).done);
  });
  await holder.end();
  await discarded;
  assert.deepEqual(await readStagingSchemas(server, database), []);
});

for (const parallel of [1, 2, 8]) {
  test(`with ${parallel} at once, all indexes are built, and doubled ids are found`, async () => {
    const session = await open(parallel);
    await load(session, [makeBatch(streamOf(3000))]);
    await session.publish();
    const indexes = await exec("SELECT FROM pg_indexes WHERE tablename = 'eventcore_events'");
    assert.equal(indexes.length, 3);
    const [statistics] = await exec(
      "SELECT count(*)::int AS columns FROM pg_stats WHERE tablename = 'eventcore_events' AND schemaname = 'public'",
    );
    assert.deepEqual(statistics, { columns: 5 });
    const doubled = await store.openRestore({ attemptId: crypto.randomUUID(), replace: true, parallel });
    const events = [...streamOf(10), ...streamOf(1, 'account-2', 5)];
    await refused(load(doubled, [makeBatch(events)]), 'value_not_storable', /b02-000000000005/);
    await doubled.discard();
    assert.equal((await store.count()).events, 3000);
    const left = await exec(
      "SELECT FROM pg_stat_activity WHERE application_name = 'eventcore-backup' AND state <> 'idle' AND datname = current_database()",
    );
    assert.deepEqual(left, []);
  });
}
