import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { openStore, systemWriters } from '../../src/cli/wire.ts';
import { postgresDatabaseTargets } from '../../src/targets/postgres-databases.ts';
import { findPostgresPrograms } from '../../src/targets/postgres-programs.ts';
import { postgresServerTargets } from '../../src/targets/postgres-server.ts';
import { describeDrillTargets } from '../../src/testing/drill-targets-contract.ts';
import { startPostgres, type TestPostgres } from '../harness/postgres.ts';

let server: TestPostgres;

const databases = async (): Promise<string[]> => {
  const rows = await server.exec(`SELECT datname AS name FROM pg_database WHERE datname LIKE 'eventcore%'`);
  return rows.map(({ name }) => String(name));
};
const place = (user = 'postgres') =>
  postgresDatabaseTargets({ address: server.address('postgres', user), openStore });

describeDrillTargets('a server of PostgreSQL', async () => {
  server = await startPostgres();
  return {
    open: () => place(),
    openAsDead: () => deadPlace(),
    list: databases,
    dispose: () => server.stop(),
  };
});

/** As if its process were gone: the server ends the session that held the locks. */
function deadPlace(): ReturnType<typeof place> {
  const targets = place();
  return {
    ...targets,
    create: async () => {
      const target = await targets.create();
      await server.exec(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = (
           SELECT pid FROM pg_locks WHERE locktype = 'advisory' ORDER BY pid DESC LIMIT 1)`,
      );
      await target.store.close();
      return target;
    },
  };
}

describe('databases for drills', () => {
  let own: TestPostgres;
  before(async () => {
    own = server = await startPostgres();
    await own.exec(`CREATE ROLE poor LOGIN`);
  });
  after(() => own.stop());

  it('are refused to a role that may make none, with the way out', async () => {
    const targets = place('poor');
    await assert.rejects(targets.create(), { code: 'store_refused', hint: /CREATEDB/ });
    await targets.close();
    assert.deepEqual(await databases(), []);
  });

  it('are not made where the store itself is, by whatever name it is called', async () => {
    const shop = await own.createDatabase('shop');
    const store = await openStore(own.address(shop));
    await store.initialise();
    const snapshot = await store.openSnapshot();
    const { systemIdentifier, database } = snapshot.cursor as Record<string, string>;
    await snapshot.close();
    await store.close();
    const identity = { address: own.address(shop), systemIdentifier: systemIdentifier!, database: database! };
    const alias = own.address(shop).replace('127.0.0.1', 'localhost');
    const targets = postgresDatabaseTargets({ address: alias, openStore });
    await assert.rejects(targets.refuseStore(identity), {
      code: 'store_refused',
      message: /is the store itself/,
    });
    await targets.close();
    const beside = place();
    await beside.refuseStore(identity);
    await beside.close();
  });

  it('whose guards are gone are told', async () => {
    const targets = place();
    const target = await targets.create();
    await target.store.initialise();
    await target.store.append([{ streamId: 'a', events: [{ type: 'Noted', data: '{}' }] }]);
    const [name] = await databases();
    await own.exec('DROP TRIGGER eventcore_prevent_update_trigger ON eventcore_events', name);
    assert.deepEqual(await target.tryGuards('a'), [
      { statement: 'UPDATE', outcome: 'done' },
      { statement: 'DELETE', outcome: 'refused' },
    ]);
    assert.equal((await target.store.readStream('a'))[0]!.type, 'Noted');
    await targets.close();
  });
});

describe('a server made for drills', () => {
  it('listens nowhere but in its folder, and is gone with it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'targets-'));
    chmodSync(folder, 0o755);
    const binDir = findPostgresPrograms({ PG_BIN: server.binDir, PATH: '' })!;
    const targets = postgresServerTargets({ binDir, folder, writers: systemWriters, openStore });
    try {
      const { store } = await targets.create();
      await store.initialise();
      assert.match(store.address, /host=/);
      assert.equal(readdirSync(folder).length, 1);
      await targets.close();
      assert.deepEqual(readdirSync(folder), []);
    } finally {
      await targets.close();
      rmSync(folder, { recursive: true });
    }
  });

  it('is not to be had without its programs', () => {
    assert.equal(findPostgresPrograms({ PG_BIN: '/nowhere', PATH: '' }) === '/nowhere', false);
  });
});
