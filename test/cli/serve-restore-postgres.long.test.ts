/** The console of a daemon, restoring into databases that it makes on a server. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { openStore } from '../../src/cli/wire.ts';
import { hashToken, makeToken } from '../../src/console/access/tokens.ts';
import { type Daemon, postAs, startDaemon, until } from '../harness/daemon.ts';
import { startPostgres, type TestPostgres } from '../harness/postgres.ts';

const TOKEN = makeToken(randomBytes(32));
const folder = mkdtempSync(join(tmpdir(), 'eventcore-serve-postgres-'));
let server: TestPostgres;
let daemon: Daemon;

before(async () => {
  server = await startPostgres();
  await server.createDatabase('shop');
  const store = await openStore(server.address('shop'));
  await store.initialise();
  const events = [{ type: 'Began', data: '{}' }];
  await store.append([{ streamId: 'a', expectedVersion: 0n, events }]);
  await store.close();
  const config = [
    ...[`store: ${server.address('shop')}`, 'vault: ./vault', 'serve:'],
    ...['  jobs: { full: "0 2 * * 0", doctor: off }'],
    `  restore_to: [{ name: server, postgres: "${server.address('postgres')}" }]`,
    `  access: { tokens: [{ name: anna, role: operator, hash: "${hashToken(TOKEN)}" }] }`,
  ];
  writeFileSync(join(folder, 'shop.yaml'), `${config.join('\n')}\n`);
  daemon = await startDaemon(folder, 'shop.yaml');
  await until(() => /"job":"full".*succeeded/.test(daemon.log()), daemon.log);
});

after(async () => {
  daemon?.child.kill('SIGTERM');
  await daemon?.ended;
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function databases(): Promise<string[]> {
  const rows = await server.exec("SELECT datname FROM pg_database WHERE datname LIKE 'shop_%'");
  return rows.map((row) => String(row.datname));
}

it('a restore from the console makes a database, and takes it away again where nothing was restored', async () => {
  await postAs(TOKEN, `${daemon.url}/stores/shop/restore`, { point: 'newest', target: 'server' });
  await until(() => /restore .*: succeeded/.test(daemon.log()), daemon.log);
  const [name, ...others] = await databases();
  assert.match(name!, /^shop_\d{8}t\d{6}z_[0-9a-f]{4}$/);
  assert.deepEqual(others, []);
  const store = await openStore(server.address(name!));
  assert.equal((await store.count()).events, 1);
  await store.close();
  await postAs(TOKEN, `${daemon.url}/stores/shop/restore`, {
    ...{ point: 'at', at: '2001-01-01T00:00:00Z', target: 'server' },
  });
  await until(() => /restore .*: failed/.test(daemon.log()), daemon.log);
  assert.deepEqual(await databases(), [name]);
});
