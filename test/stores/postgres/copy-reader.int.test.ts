/** How events come out of a connection: past the driver, in batches of any size, with and without TLS. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chownSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import pg from 'pg';
import type { EventStore } from '../../../src/core/event-store.ts';
import { batchRows } from '../../../src/testing/batches.ts';
import { startPostgres, type TestPostgres } from '../../harness/postgres.ts';
import { closeStores, openStore, seedEvents } from './seeding.ts';

const EVENTS = 30_000;
let server: TestPostgres;
let database: string;

before(async () => {
  server = await startPostgres();
  database = await server.createDatabase();
  const store = openStore(server.address(database));
  await store.initialise();
  await seedEvents(server, database, EVENTS);
});
after(() => server.stop());
afterEach(closeStores);

async function expectedRows(): Promise<string[]> {
  const rows = await server.exec(
    `SELECT concat_ws('|', event_id, stream_id, stream_version, event_type, event_data) AS row
       FROM eventcore_events ORDER BY event_id`,
    database,
  );
  return rows.map(({ row }) => String(row));
}

/** The same ranges read again and again on the same connections, each time in batches of another size. */
async function readInBatches(store: EventStore, batchBytes: number): Promise<string[]> {
  const snapshot = await store.openSnapshot();
  const rows: [string, string][] = [];
  for (const range of await snapshot.planRanges(3)) {
    for await (const batch of snapshot.readRange(range, { batchBytes })) {
      for (const { id, streamId, version, type, data } of batchRows(batch)) {
        rows.push([String(id), [id, streamId, version, type, data].join('|')]);
      }
      // The server sends on meanwhile, and the next read finds more than a batch.
      if (rows.length % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  }
  await snapshot.close();
  return rows.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
}

test('batches of any size hold the same events, byte for byte', async () => {
  const expected = await expectedRows();
  const store = openStore(server.address(database));
  for (const batchBytes of [1, 700, 5000, 40_000, 1 << 20, 1 << 26]) {
    assert.deepEqual(await readInBatches(store, batchBytes), expected, `batches of ${batchBytes} bytes`);
  }
});

test('over TLS the same events come', async (context) => {
  if (!makeCertificate(server.dataDir)) {
    context.skip('NOT TESTED: events over TLS, since there is no openssl to make a certificate');
    return;
  }
  await server.exec('ALTER SYSTEM SET ssl = on');
  await server.exec('SELECT pg_reload_conf()');
  const address = `${server.address(database)}?sslmode=no-verify`;
  await assertEncrypted(address);
  const expected = await expectedRows();
  for (const batchBytes of [700, 1 << 20]) {
    assert.deepEqual(await readInBatches(openStore(address), batchBytes), expected);
  }
});

function makeCertificate(folder: string): boolean {
  const key = join(folder, 'server.key');
  const made = spawnSync(
    'openssl',
    ['req', '-new', '-x509', '-days', '2', '-nodes', '-subj', '/CN=localhost'].concat([
      '-keyout',
      key,
      '-out',
      join(folder, 'server.crt'),
    ]),
  );
  if (made.status !== 0) return false;
  const { uid, gid } = statSync(folder);
  for (const file of [key, join(folder, 'server.crt')]) chownSync(file, uid, gid);
  return true;
}

async function assertEncrypted(address: string): Promise<void> {
  const client = new pg.Client(address);
  await client.connect();
  const { rows } = await client.query('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()');
  await client.end();
  assert.deepEqual(rows, [{ ssl: true }]);
}
