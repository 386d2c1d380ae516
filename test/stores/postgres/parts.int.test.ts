import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { EventStore, RestoreSession } from '../../../src/core/event-store.ts';
import { makeBatch } from '../../../src/testing/batches.ts';
import { startPostgres, type TestPostgres } from '../../harness/postgres.ts';
import { startCuttingProxy } from './cutting-proxy.ts';
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
const open = (): Promise<RestoreSession> =>
  store.openRestore({ attemptId: crypto.randomUUID(), replace: true });

/** Gives what is recorded of the part, which it loads where that is still to be done. */
async function loadPart(target: EventStore, token: string, part: number): Promise<string> {
  const joined = await target.joinPart(token, String(part));
  if (joined.state === 'loaded') return joined.record;
  await joined.writer.write(makeBatch(streamOf(3000, `part-${part}`, part * 10_000)));
  return joined.writer.end('of another one');
}

/** Publishing builds the unique indexes, so what was doubled would be refused; what is missing shows in the counts. */
async function publishBoth(session: RestoreSession): Promise<void> {
  await session.finishLoad();
  await session.publish();
  assert.deepEqual(
    await exec('SELECT stream_id, count(*)::int AS events FROM eventcore_events GROUP BY 1 ORDER BY 1'),
    [
      { stream_id: 'part-1', events: 3000 },
      { stream_id: 'part-2', events: 3000 },
    ],
  );
}

/** Starts a loader of part 1 in a process of its own, which is there once it has written all of it. */
async function startLoader(token: string, stage: 'writing' | 'ending') {
  const script = path.join(import.meta.dirname, 'part-process.ts');
  const loader = spawn(process.execPath, [script, server.address(database), token, stage], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(loader.stdout, 'data');
  return async (): Promise<void> => {
    loader.kill('SIGKILL');
    await once(loader, 'exit');
  };
}

async function until(what: string, sql: string): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    if ((await exec(sql)).length > 0) return;
    await sleep(50);
  }
  assert.fail(`never: ${what}`);
}

test('a loader killed with signal 9 before it commits leaves nothing, and another loads its part', async () => {
  const session = await open();
  const kill = await startLoader(session.token!, 'writing');
  await kill();
  assert.equal(await loadPart(openStore(server.address(database)), session.token!, 1), 'of another one');
  await loadPart(store, session.token!, 2);
  await publishBoth(session);
});

for (const [when, record] of [
  ['in its commit, which the server gives up', 'of another one'],
  ['after its commit, before it can say so', 'of the killed one'],
] as const) {
  test(`a loader killed with signal 9 ${when}, leaves its part to another, and no event is doubled`, async () => {
    const session = await open();
    const ledger = `${session.token!}.eventcore_restore_parts`;
    const holder = new pg.Client(server.address(database));
    await holder.connect();
    await holder.query(`BEGIN; LOCK TABLE ${ledger} IN SHARE MODE`);
    const kill = await startLoader(session.token!, 'ending');
    await untilWaiting(server, 'INSERT INTO%COMMIT');
    await kill();
    if (record === 'of another one') {
      await until(
        'the server ends the session of the killed one',
        `SELECT WHERE NOT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE 'INSERT INTO%COMMIT')`,
      );
      await holder.end();
    } else {
      await holder.end();
      await until('the server commits for the killed one', `SELECT FROM ${ledger}`);
    }
    assert.equal(await loadPart(openStore(server.address(database)), session.token!, 1), record);
    await loadPart(store, session.token!, 2);
    await publishBoth(session);
  });
}

test('a commit whose answer is lost is found by the next try', async (t) => {
  const proxy = await startCuttingProxy(server.port, 'after');
  t.after(() => proxy.close());
  const session = await open();
  const loader = openStore(`postgres://postgres@127.0.0.1:${proxy.port}/${database}`);
  proxy.cutAt('COMMIT');
  await refused(loadPart(loader, session.token!, 1), 'store_unreachable');
  assert.equal(proxy.cuts(), 1);
  await until('the server commits', `SELECT FROM ${session.token!}.eventcore_restore_parts`);
  assert.deepEqual(await loader.joinPart(session.token!, '1'), { state: 'loaded', record: 'of another one' });
  await loadPart(loader, session.token!, 2);
  await publishBoth(session);
});

test('a part of a restore whose process is gone is refused, before the next restore has cleared it away', async () => {
  const session = await open();
  await exec(
    `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
  );
  await until(
    'the lock is free',
    "SELECT WHERE NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory')",
  );
  const other = openStore(server.address(database));
  await refused(other.joinPart(session.token!, '1'), 'store_refused', /is over.*start the restore again/s);
  assert.deepEqual(await readStagingSchemas(server, database), [session.token]);
  const next = await open();
  assert.equal(next.discarded.length, 1);
  await refused(other.joinPart(session.token!, '1'), 'store_refused', /is over/);
  await refused(other.joinPart('x"; DROP', '1'), 'usage');
  for (const part of [1, 2]) await loadPart(other, next.token!, part);
  await publishBoth(next);
  assert.deepEqual(await readStagingSchemas(server, database), []);
});

test('what is loaded into an unlogged table is recorded in one, so that a crash of the server forgets both', async () => {
  await store.initialise();
  await exec('CREATE PUBLICATION everything FOR ALL TABLES');
  const session = await open();
  assert.deepEqual(
    await exec(
      `SELECT DISTINCT relpersistence AS kind FROM pg_class
        WHERE relkind = 'r' AND relnamespace = '${session.token!}'::regnamespace`,
    ),
    [{ kind: 'u' }],
  );
  for (const part of [1, 2]) await loadPart(store, session.token!, part);
  await publishBoth(session);
});
