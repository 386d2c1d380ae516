/** The roles of deploy/postgres on tables of others: their schema and their names are said, nothing else. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import { openPostgresStore } from '../../src/stores/postgres/store.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { backUp } from '../harness/memory-backup.ts';
import { startPostgres, type TestPostgres } from '../harness/postgres.ts';
import { makeRoles, tryStatements } from '../harness/postgres-roles.ts';
import { added, appendRaw, openEmmett } from './emmett.ts';
import { installMessageDb, openMessageDb } from './message-db.ts';
import { restoreNewest } from './restore-newest.ts';

describe('roles with the least rights on stores of others', () => {
  let server: TestPostgres;
  before(async () => {
    server = await startPostgres();
    await server.exec('CREATE ROLE shop LOGIN');
  });
  after(() => server?.stop());

  async function backUpAs(user: string, database: string, events: number): Promise<void> {
    const store = openPostgresStore(server.address(database, user));
    const { manifest } = await backUp(store, memoryVault());
    assert.equal(manifest.totalEvents, events);
    await store.close();
  }

  it('back a store of Emmett up, one beside other tables of its schema, and restore it', async () => {
    const settings = { tables: 'emt_*' };
    for (const name of ['cart', 'again']) {
      await server.exec(`CREATE DATABASE ${name} OWNER shop`);
      await server.exec(
        'GRANT CREATE ON SCHEMA public TO shop; CREATE TABLE customers AS SELECT 1 AS n',
        name,
      );
      const made = await openEmmett(server.address(name, 'shop'));
      if (name === 'cart') await made.appendToStream('cart-1', [added(1), added(2)]);
      await made.close();
      await makeRoles(server, name, ['public', 'backup', 'restore', 'logins'], settings);
    }
    const store = openPostgresStore(server.address('cart', 'backup_login'));
    const vault = memoryVault();
    await backUp(store, vault);
    await store.close();
    await restoreNewest(vault, openPostgresStore(server.address('again', 'restore_login')));
    const rows =
      'SELECT stream_id, stream_position::text, message_id, message_data FROM emt_messages ORDER BY 1, 2';
    const live = await server.exec(rows, 'cart');
    assert.equal(live.length, 2);
    assert.deepEqual(await server.exec(rows, 'again'), live);
    for (const user of ['backup_login', 'restore_login']) {
      const outcomes = await tryStatements(server.address('cart', user), ['SELECT FROM customers']);
      assert.match(outcomes['SELECT FROM customers']!, /^42501/, user);
    }
  });

  it('read partitions of tomorrow where all tables of a schema are the store', async () => {
    await server.exec('CREATE DATABASE modules OWNER shop');
    await server.exec('GRANT CREATE ON SCHEMA public TO shop', 'modules');
    await (await openEmmett(server.address('modules', 'shop'))).close();
    await makeRoles(server, 'modules', ['backup', 'logins'], { tables: '*' });
    const client = new pg.Client({ connectionString: server.address('modules', 'shop') });
    await client.connect();
    await client.query("SELECT emt_add_partition('tenant-b')");
    await appendRaw(client, 'bill-1', [crypto.randomUUID()], { partition: 'tenant-b' });
    await client.end();
    await backUpAs('backup_login', 'modules', 1);
  });

  it('back a store of message-db up, and say why whoever owns all is given to nobody', async () => {
    const database = await server.createDatabase();
    await installMessageDb(server, database);
    const live = await openMessageDb(server, database);
    const event = { type: 'Placed', data: {}, metadata: {} };
    await live.write({ id: crypto.randomUUID(), stream: 'order-1', ...event });
    const settings = { schema: 'message_store', tables: 'messages' };
    await makeRoles(server, database, ['public', 'backup', 'monitor', 'logins'], settings);
    await live.close();
    await backUpAs('backup_login', database, 1);
    await assert.rejects(
      makeRoles(server, database, ['restore'], settings),
      /tables of the store belong to postgres, a superuser/,
    );
  });
});
