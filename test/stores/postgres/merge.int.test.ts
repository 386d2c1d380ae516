import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EventStore, MergeSession } from '../../../src/core/event-store.ts';
import { completeEvent, makeBatch, type TestEvent } from '../../../src/testing/batches.ts';
import { collect, refuses } from '../../../src/testing/event-store/fixture.ts';
import { readAll } from '../../../src/testing/event-store/restoring.ts';
import { startPostgres, type TestPostgres } from '../../harness/postgres.ts';
import { closeStores, openStore } from './seeding.ts';

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

const exec = (sql: string) => server.exec(sql, database);

/** Its ids are in the order of the versions only by chance: whoever numbers anew by them is found out. */
function streamOf(streamId: string, count: number): Required<TestEvent>[] {
  const base = streamId.length.toString(16).padStart(4, '0');
  return Array.from({ length: count }, (_, i) => {
    const id = `0000${((i * 7919) % 0xffff).toString(16).padStart(4, '0')}-${base}-7000-8000-${String(i).padStart(12, '0')}`;
    return completeEvent({ id, streamId, version: i + 1, data: `{"n": ${i}}`, time: BigInt(i) * 1000n }, i);
  });
}

async function stage(into: EventStore, events: readonly TestEvent[]): Promise<MergeSession> {
  const session = await into.openMerge({ dryRun: false });
  const writer = await session.openWriter();
  await writer.write(makeBatch(events));
  await writer.end();
  const streams = await collect(session.compare());
  assert.ok(streams.every(({ conflictAt }) => conflictAt === null));
  return session;
}

const TRIGGERS = `SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = 'eventcore_events'::regclass ORDER BY 1`;

test('the owner who is no superuser merges too, and each trigger is as it was', async () => {
  const role = `owner_${database}`;
  await exec(`CREATE ROLE ${role} LOGIN; ALTER TABLE eventcore_events OWNER TO ${role};
    ALTER TABLE eventcore_events DISABLE TRIGGER eventcore_prevent_delete_trigger;
    ALTER TABLE eventcore_events ENABLE ALWAYS TRIGGER eventcore_version_trigger`);
  const triggers = await exec(TRIGGERS);
  const events = streamOf('a', 40);
  for (const [address, count] of [
    [server.address(database, role), 20],
    [server.address(database), 40],
  ] as const) {
    const session = await stage(openStore(address), events.slice(0, count));
    await session.publish();
    await session.discard();
    assert.deepEqual(await exec(TRIGGERS), triggers);
  }
  assert.deepEqual(await readAll(store), events);
});

test('a role that may only append is refused, and nothing is added', async () => {
  const role = `writer_${database}`;
  await exec(`CREATE ROLE ${role} LOGIN; GRANT SELECT, INSERT ON eventcore_events TO ${role}`);
  const session = await stage(openStore(server.address(database, role)), streamOf('a', 5));
  await refuses(session.publish(), 'store_refused', /owner/);
  await session.discard();
  assert.deepEqual(await readAll(store), []);
});

test('appends to other streams go on while a merge is under way, those to its own wait and then follow', async () => {
  const session = await stage(store, streamOf('a', 10));
  const other = openStore(server.address(database));
  await other.append([{ streamId: 'b', events: [{ type: 'Other', data: '{}' }] }]);
  let hasAppended = false;
  const appending = other
    .append([{ streamId: 'a', events: [{ type: 'Behind', data: '{}' }] }])
    .then(({ heads }) => {
      hasAppended = true;
      return heads.get('a');
    });
  await sleep(200);
  assert.equal(hasAppended, false);
  assert.equal(await session.publish(), 10);
  await session.discard();
  assert.equal(await appending, 11n);
});

test('writers that append all the time and merges of the same streams lose nothing to each other', async () => {
  const full = streamOf('bb', 12);
  let merged = 0;
  let appended = 0;
  let isOver = false;
  const write = async (): Promise<void> => {
    const writer = openStore(server.address(database));
    while (!isOver) {
      // Several streams at once, not in the order of their names.
      const streams = ['ccc', 'a'];
      await writer.append(streams.map((streamId) => ({ streamId, events: [{ type: 'Live', data: '{}' }] })));
      appended += streams.length;
    }
  };
  const writers = [write(), write()];
  for (let round = 0; round < 12; round += 1) {
    const session = await store.openMerge({ dryRun: false });
    const writer = await session.openWriter();
    // One stream grows with each round; the others are what the writers themselves have written so far.
    for (const streamId of ['a', 'ccc']) await writer.write(makeBatch(await liveEvents(streamId)));
    await writer.write(makeBatch(full.slice(0, round + 1)));
    await writer.end();
    await collect(session.compare());
    merged += await session.publish();
    await session.discard();
  }
  isOver = true;
  await Promise.all(writers);
  assert.equal(merged, 12);
  assert.equal((await store.count()).events, merged + appended);
  for (const streamId of ['a', 'bb', 'ccc']) {
    const rows = await store.readStream(streamId, { limit: 100_000 });
    assert.deepEqual(
      rows.map(({ version }) => Number(version)),
      rows.map((_, i) => i + 1),
      streamId,
    );
  }
});

/** As a backup would have them. */
async function liveEvents(streamId: string): Promise<TestEvent[]> {
  const rows = await store.readStream(streamId, { limit: 100_000 });
  return rows.map(({ id, version, type, data }) => ({ id, streamId, version: Number(version), type, data }));
}

test('more streams than there are locks for are merged under a lock of the table', async () => {
  const events = Array.from({ length: 3000 }, (_, i) => {
    return { ...streamOf(`s-${i}`, 1)[0]!, id: `00000000-0000-7000-8000-${String(i).padStart(12, '0')}` };
  });
  const session = await stage(store, events);
  assert.equal(await session.publish(), 3000);
  await session.discard();
  assert.deepEqual(await store.count(), { events: 3000, streams: 3000 });
});
