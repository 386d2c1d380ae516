import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { startPostgres, type TestPostgres } from '../../harness/postgres.ts';
import { asOwner, closeStores, openStore, refused } from './seeding.ts';

let server: TestPostgres;

before(async () => {
  server = await startPostgres();
  await server.exec("CREATE ROLE ann LOGIN PASSWORD 'right'; CREATE ROLE crowd LOGIN CONNECTION LIMIT 0");
  // In front of the rule that trusts everyone.
  const rules = path.join(server.dataDir, 'pg_hba.conf');
  writeFileSync(rules, 'host all ann 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n');
  await server.exec('SELECT pg_reload_conf()');
});
after(() => server.stop());
afterEach(closeStores);

async function countAt(address: string): Promise<number> {
  const store = openStore(address);
  try {
    return (await store.count()).events;
  } finally {
    await store.close();
  }
}

test('nothing connects before the first call, and an address where nothing listens is unreachable', async () => {
  const probe = createServer().listen(0, '127.0.0.1');
  const port = await new Promise<number>((resolve) => {
    probe.once('listening', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' ? address!.port : 0));
    });
  });
  await refused(countAt(`postgres://postgres@127.0.0.1:${port}/x`), 'store_unreachable', /start the server/);
  const localhost = countAt(`postgres://postgres@localhost:${port}/x`);
  await refused(localhost, 'store_unreachable', /ECONNREFUSED.*start the server/s);
  await refused(countAt('postgres://x@no-such-host.invalid/x'), 'store_unreachable', /address|again/);
  await refused(countAt('postgres:///x?host=/no/such/folder&user=x'), 'store_unreachable', /socket/);
});

test('a server that hangs up is unreachable', async () => {
  const rude = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  await new Promise((resolve) => rude.once('listening', resolve));
  const address = rude.address();
  assert.ok(typeof address === 'object' && address !== null);
  await refused(countAt(`postgres://x@127.0.0.1:${address.port}/x`), 'store_unreachable');
  rude.close();
});

test('a wrong or missing password is refused, and no message repeats it', async () => {
  const wrong = server.address('postgres', 'ann:wr0ng');
  await refused(countAt(wrong), 'store_refused', /^(?!.*wr0ng).*password authentication failed.*PGPASSWORD/s);
  await refused(countAt(server.address('postgres', 'ann')), 'store_refused', /password/);
  await refused(countAt(server.address('postgres', 'ann:right')), 'not_an_event_store', /eventcore init/);
});

test('TLS that the server has not is refused', async () => {
  const address = `${server.address('postgres')}?sslmode=verify-full`;
  await refused(countAt(address), 'store_refused', /does not offer TLS.*sslmode/s);
});

test('a database that is not there is named: nothing here makes one', async () => {
  const store = openStore(server.address('nowhere'));
  const said = /"nowhere" does not exist.*check the address, or create the database/s;
  await refused(store.inspect(), 'not_an_event_store', said);
  await refused(store.count(), 'not_an_event_store', said);
  await refused(store.initialise(), 'not_an_event_store', /create the database/);
});

test('a role that has no connection left finds the store unreachable, as it may have one later', async () => {
  await refused(countAt(server.address('postgres', 'crowd')), 'store_unreachable', /too many connections/);
});

test('a store that only may be read is refused to an append', async () => {
  const database = await server.createDatabase();
  const store = openStore(server.address(database));
  await store.initialise();
  await server.exec(`ALTER DATABASE "${database}" SET default_transaction_read_only = on`);
  const readOnly = openStore(server.address(database));
  await refused(
    readOnly.append([{ streamId: 'a', events: [{ type: 'T', data: '{}' }] }]),
    'store_refused',
    /read-only/,
  );
});

test('versions past 2^53 are checked and declared exactly', async () => {
  const database = await server.createDatabase();
  const store = openStore(server.address(database));
  await store.initialise();
  const far = 9_007_199_254_740_993n;
  await asOwner(
    server,
    database,
    `INSERT INTO eventcore_events VALUES (gen_random_uuid(), 'far', ${far}, 'T', '{}')`,
  );
  const event = { type: 'T', data: '{}' };
  await refused(
    store.append([{ streamId: 'far', expectedVersion: far - 1n, events: [event] }]),
    'version_conflict',
    /at version 9007199254740993, not at 9007199254740992/,
  );
  const { heads } = await store.append([{ streamId: 'far', expectedVersion: far, events: [event, event] }]);
  assert.equal(heads.get('far'), far + 2n);
  assert.deepEqual(
    (await store.readStream('far', { fromVersion: far + 1n })).map(({ version }) => version),
    [far + 1n, far + 2n],
  );
});

test('a server that restarts between two calls is found again', async () => {
  const database = await server.createDatabase();
  const store = openStore(server.address(database));
  await store.initialise();
  await server.exec(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${database}' AND pid <> pg_backend_pid()`,
  );
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal((await store.count()).events, 0);
});
