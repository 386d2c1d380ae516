import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import type { BackupError } from '../../src/core/errors.ts';
import { openRegionServer } from '../../src/servers/postgres/server.ts';
import { digestAt, fillStore, makeFolder, type Ran, runHere, withStoreAt } from '../harness/command.ts';
import { type PoolMode, startPgbouncer, type TestPgbouncer, whyNoPgbouncer } from '../harness/pgbouncer.ts';
import { startPostgres, type TestPostgres } from '../harness/postgres.ts';

const EVENTS = 800;
/** What the server has for everybody; any of ours would show beside it. */
const ODD = { search_path: 'odd', statement_timeout: '47s', lock_timeout: '48s', datestyle: 'SQL, DMY' };
const POOL_SIZE = 8;

describe('behind PgBouncer', { skip: whyNoPgbouncer() ?? false }, () => {
  let folder: string;
  let remove: () => Promise<void>;
  let server: TestPostgres;
  let bouncer: TestPgbouncer;
  let database: string;
  let vaults = 0;

  before(async () => {
    ({ path: folder, remove } = await makeFolder());
    server = await startPostgres();
    database = await server.createDatabase();
    await fillStore(server.address(database), EVENTS);
    await server.exec(
      `INSERT INTO eventcore_subscription_versions VALUES ('reader', '00000000-0000-7000-8000-000000000000', '2026-02-01T00:00:00Z')`,
      database,
    );
    for (const name of ['empty_1', 'empty_2']) await server.createDatabase(name);
    for (const [name, value] of Object.entries(ODD))
      await server.exec(
        `ALTER DATABASE ${database} SET ${name} = ${name === 'datestyle' ? value : `'${value}'`}`,
      );
    bouncer = await startPgbouncer(server, [database, 'empty_1', 'empty_2'], POOL_SIZE);
  });
  after(async () => {
    await bouncer?.stop();
    await server?.stop();
    await remove?.();
  });

  function eventcore(mode: PoolMode, vault: string, ...words: string[]): Promise<Ran> {
    return runHere([...words, '--store', bouncer.address(database, mode), '--vault', vault, '--json']);
  }

  function newVault(): string {
    vaults += 1;
    return join(folder, `vault_${vaults}`);
  }

  /** The settings of every process of the server that the pool has now, as a stranger finds them. */
  async function settingsOfPool(mode: PoolMode): Promise<Map<number, string>> {
    const clients = Array.from({ length: POOL_SIZE }, () => new pg.Client(bouncer.address(database, mode)));
    const found = new Map<number, string>();
    try {
      for (const client of clients) {
        await client.connect();
        await client.query('BEGIN');
        const { rows } = await client.query(
          `SELECT pg_backend_pid() AS pid, (SELECT string_agg(name || '=' || setting, ' ' ORDER BY name) FROM pg_settings
             WHERE source = 'session' AND name NOT IN ('application_name', 'client_encoding')) AS changed,
             (SELECT count(*)::int FROM pg_prepared_statements) AS prepared,
             (SELECT count(*)::int FROM pg_locks WHERE locktype = 'advisory') AS locks, current_setting('search_path') AS path`,
        );
        const { pid, changed, prepared, locks, path } = rows[0]!;
        found.set(pid, JSON.stringify({ changed, prepared, locks, path }));
      }
    } finally {
      // Left in a transaction, the process of the server would be ended.
      for (const client of clients) await client.query('COMMIT').finally(() => client.end());
    }
    return found;
  }

  it('in transaction mode whatever reads works, with several connections, and leaves nothing to strangers', async () => {
    // Connections that were used before, and are used again.
    const before = await settingsOfPool('transaction');
    const vault = newVault();
    const run = async (...words: string[]): Promise<void> => {
      const ran = await eventcore('transaction', vault, ...words);
      assert.equal(ran.code, 0, `${words.join(' ')}: ${ran.stderr}${ran.stdout}`);
    };
    await run('backup', 'full', '--parallel', '2');
    await withStoreAt(bouncer.address(database, 'transaction'), async (store) => {
      await store.append([{ streamId: 'pooled', events: [{ type: 'T', data: '{}' }] }]);
      assert.equal((await store.readStream('pooled')).length, 1);
      assert.equal((await store.count()).events, EVENTS + 1);
    });
    await run('backup', 'incremental');
    await run('verify', '--against-store');
    await run('diff');
    await run('monitor', '--once');
    const after = await settingsOfPool('transaction');
    const kept = [...after.keys()].filter((pid) => before.has(pid));
    assert.ok(kept.length > 0, 'no process of the server outlived the commands');
    const clean = JSON.stringify({ changed: null, prepared: 0, locks: 0, path: 'odd' });
    assert.deepEqual([...new Set(after.values())], [clean]);
    const restored = await runHere([
      'restore',
      '--to',
      server.address('empty_1'),
      '--vault',
      vault,
      '--json',
    ]);
    assert.equal(restored.code, 0, restored.stderr);
    // Read with our settings: as the database has them, the day would stand before the month.
    const read = `SELECT extract(month FROM updated_at)::int AS month FROM eventcore_subscription_versions`;
    assert.deepEqual(await server.exec(read, 'empty_1'), [{ month: 2 }]);
    assert.equal(await digestAt(server.address('empty_1')), await digestAt(server.address(database)));
  });

  it('in transaction mode what needs a session is refused before anything is done', async () => {
    const vault = newVault();
    assert.equal((await eventcore('transaction', vault, 'backup', 'full')).code, 0);
    const to = bouncer.address('empty_2', 'transaction');
    const refusal = /store_refused.*pooler in transaction mode.*pool_mode=session/s;
    for (const words of [
      ['restore', '--to', to],
      ['archive', '--once'],
    ]) {
      const ran = await eventcore('transaction', vault, ...words);
      assert.match(`${ran.stdout}${ran.stderr}`, refusal, words.join(' '));
      assert.equal(ran.code, 5, words.join(' '));
    }
    const left = await server.exec(
      `SELECT nspname FROM pg_namespace WHERE nspname LIKE 'eventcore%'`,
      'empty_2',
    );
    assert.deepEqual(left, []);
    assert.deepEqual(await server.exec('SELECT FROM pg_replication_slots'), []);
    const doctor = await eventcore('transaction', vault, 'doctor');
    const { checks } = JSON.parse(doctor.stdout) as { checks: { name: string; verdict: string }[] };
    assert.equal(checks.find(({ name }) => name === 'pooler')?.verdict, 'warn');
  });

  it('in session mode all but the change log works', async () => {
    const vault = newVault();
    const to = bouncer.address('empty_2', 'session');
    for (const words of [
      ['backup', 'full'],
      ['verify', '--against-store'],
      ['restore', '--to', to],
    ]) {
      const ran = await eventcore('session', vault, ...words);
      assert.equal(ran.code, 0, `${words.join(' ')}: ${ran.stderr}${ran.stdout}`);
    }
    assert.equal(await digestAt(server.address('empty_2')), await digestAt(server.address(database)));
    const ran = await eventcore('session', vault, 'archive', '--once');
    assert.match(`${ran.stdout}${ran.stderr}`, /store_refused.*connect to the server itself/s);
    assert.deepEqual(await server.exec('SELECT FROM pg_replication_slots'), []);
  });

  it('a recovery wants the server itself', async () => {
    const address = bouncer.address(database, 'session');
    const one = openRegionServer({ region: 'here', address });
    await assert.rejects(one.probe({ signal: AbortSignal.timeout(20_000) }), (error: BackupError) => {
      assert.deepEqual([error.code, error.hint?.includes('not those of PgBouncer')], ['store_refused', true]);
      return true;
    });
    await one.close();
  });

  it('in statement mode everything is refused at once', async () => {
    const to = bouncer.address('empty_2', 'statement');
    const vault = newVault();
    const ran = await eventcore('statement', vault, 'backup', 'full');
    assert.match(`${ran.stdout}${ran.stderr}`, /store_refused.*statement.*pool_mode=session/s);
    assert.equal(ran.code, 5);
    assert.equal(existsSync(vault), false);
    await assert.rejects(
      withStoreAt(to, (store) => store.count()),
      { code: 'store_refused' },
    );
  });
});
