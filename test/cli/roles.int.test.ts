/** Every command as the role that is there for it and may do nothing else (deploy/postgres), on each version of PostgreSQL. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { readPage } from '../../scripts/site/markdown.ts';
import type { Check } from '../../src/doctor/check.ts';
import { bootstrap, readCluster, reconcileRoles, runRolesJob } from '../harness/cluster-roles.ts';
import { digestAt, makeFolder, runHere, withStoreAt } from '../harness/command.ts';
import { startPostgres, type TestPostgres, versionsHere } from '../harness/postgres.ts';
import { makeRoles, tryStatements } from '../harness/postgres-roles.ts';

const VERSIONS = ['14', '15', '16', '17', '18'];
const SCRIPTS = ['public', 'backup', 'archive', 'monitor', 'restore'] as const;
const DENIED = /^42501 (permission denied|must be owner)/;
const EVENT = { type: 'Noted', data: '{"n":1}' };

for (const version of VERSIONS) {
  const isHere = versionsHere([version]).length > 0;
  const skip = isHere ? false : `PostgreSQL ${version} is not here: node scripts/install-postgres.mjs`;
  describe(`roles with the least rights, on PostgreSQL ${version}`, { skip }, () => {
    let server: TestPostgres;
    let folder: Awaited<ReturnType<typeof makeFolder>>;

    before(async () => {
      folder = await makeFolder();
      server = await startPostgres({ version });
      await server.exec('CREATE ROLE shop LOGIN; CREATE ROLE other LOGIN');
      await server.exec('CREATE DATABASE shop');
      // Where nobody may do anything that is not granted.
      await server.exec(
        `REVOKE ALL ON DATABASE shop FROM PUBLIC; GRANT CONNECT ON DATABASE shop TO shop;
         CREATE SCHEMA store AUTHORIZATION shop; CREATE SCHEMA other AUTHORIZATION other;
         CREATE TABLE other.secrets (word text); ALTER TABLE other.secrets OWNER TO other; GRANT USAGE ON SCHEMA other TO PUBLIC;
         CREATE EXTENSION amcheck`,
        'shop',
      );
    });
    after(async () => {
      await server?.stop();
      await folder.remove();
    });

    const address = (user: string, database = 'shop') => `${server.address(database, user)}?schema=store`;
    const append = (streamId: string) =>
      withStoreAt(address('shop'), (store) => store.append([{ streamId, events: [EVENT] }]));

    async function run(words: readonly string[], vault = 'vault'): Promise<string> {
      const ran = await runHere([...words, '--vault', `${folder.path}/${vault}`], { env: process.env });
      assert.equal(ran.code, 0, `${words.join(' ')}: ${ran.stderr}${ran.stdout}`);
      return ran.stdout;
    }

    it('carry a store from its first event to a restore to an instant', async () => {
      const config = ['--config', `${folder.path}/eventcore.config.yaml`];
      await run(['init', '--create-store', '--store', address('shop'), ...config]);
      const settings = { schema: 'store', tables: '*' };
      await makeRoles(server, 'shop', [...SCRIPTS, 'logins'], settings);
      await append('order-1');
      await run(['archive', '--once', '--store', address('archive_login')]);
      await run(['backup', 'full', '--store', address('backup_login')]);
      await append('order-2');
      await run(['backup', 'incremental', '--store', address('backup_login')]);
      await run(['verify', '--against-store', '--store', address('backup_login')]);
      const digest = await digestAt(address('shop'));
      await sleep(10);
      const instant = new Date().toISOString();
      await sleep(10);
      await append('order-1');
      await run(['archive', '--once', '--store', address('archive_login')]);
      await run(['monitor', '--once', '--sample', '100%', '--store', address('monitor_login')]);

      await server.exec('CREATE DATABASE again');
      await server.exec('REVOKE ALL ON DATABASE again FROM PUBLIC', 'again');
      await makeRoles(server, 'again', ['restore'], settings);
      await run(['restore', '--at', instant, '--to', address('restore_login', 'again')]);
      assert.equal(await digestAt(address('restore_login', 'again')), digest);

      const now = await digestAt(address('shop'));
      await run(['restore', '--replace', '--to', address('restore_login')]);
      await run(['restore', '--stream', 'order-1', '--merge', '--to', address('restore_login')]);
      assert.equal(await digestAt(address('shop')), now);
      // Whoever might read, and whose the tables are, is as before.
      await run(['backup', 'full', '--store', address('backup_login')]);
      await append('order-3');
    });

    it('see what they are for', async () => {
      const store = ['--store', address('backup_login')];
      await run(['diff', ...store]);
      await run(['show', '--stream', 'order-1', ...store]);
      await run(['status', ...store]);
      await run(['export', '--to', `${folder.path}/events.jsonl`, ...store]);
      const { checks } = JSON.parse(await run(['doctor', '--json', ...store])) as { checks: Check[] };
      const found = Object.fromEntries(checks.map((check) => [check.name, check]));
      assert.equal(found['rights to back up']!.verdict, 'good');
      const following = found['rights to follow']!;
      assert.equal(following.verdict, 'warn');
      assert.match(following.hint!, /if another role archives, .* ALTER ROLE "backup_login" REPLICATION/);
    });

    it('do nothing else', async () => {
      const writes = [
        "INSERT INTO store.eventcore_events (stream_id) VALUES ('x')",
        'UPDATE store.eventcore_events SET stream_version = 9',
        'DELETE FROM store.eventcore_events',
        'TRUNCATE store.eventcore_events',
        'CREATE TABLE store.mine (n int)',
        'CREATE TABLE public.mine (n int)',
        'CREATE TEMP TABLE mine (n int)',
        'CREATE SCHEMA mine',
        'DROP TABLE store.eventcore_events',
        'ALTER TABLE store.eventcore_events DISABLE TRIGGER ALL',
        'SET session_replication_role = replica',
      ];
      const foreign = ['SELECT FROM other.secrets', 'DROP TABLE other.secrets', 'DROP SCHEMA other CASCADE'];
      const reads = [
        'SELECT FROM store.eventcore_events',
        'SELECT FROM store.eventcore_subscription_versions',
      ];
      for (const user of ['backup_login', 'monitor_login']) {
        await assertAllowed(user, [...writes, ...foreign], reads);
      }
      await assertAllowed('archive_login', [...writes, ...foreign, ...reads], []);
      await assertAllowed('restore_login', [...foreign, 'CREATE TABLE other.mine (n int)'], reads);
      await assert.rejects(tryStatements(address('other'), []), /permission denied for database/);
    });

    async function assertAllowed(user: string, denied: readonly string[], allowed: readonly string[]) {
      const outcomes = await tryStatements(server.address('shop', user), [...denied, ...allowed]);
      for (const sql of denied) {
        // On PostgreSQL 14, where everybody may make tables in public, public.sql is told to look at another schema.
        if (version === '14' && sql.includes('public.mine')) continue;
        assert.match(outcomes[sql]!, DENIED, `${user}: ${sql}`);
      }
      for (const sql of allowed) assert.equal(outcomes[sql], 'done', `${user}: ${sql}`);
    }

    it('read tables of tomorrow, where the schema is all the store', async () => {
      await server.exec('SET ROLE shop; CREATE TABLE store.eventcore_tomorrow (n int)', 'shop');
      const sql = 'SELECT FROM store.eventcore_tomorrow';
      for (const [user, outcome] of [
        ['backup_login', /^done$/],
        ['monitor_login', /^done$/],
        ['archive_login', DENIED],
      ] as const) {
        assert.match((await tryStatements(server.address('shop', user), [sql]))[sql]!, outcome, user);
      }
    });

    it('are made by CloudNativePG, with grants by the Job of the owner, and nothing of it is undone', async () => {
      await forgetAll(server);
      const cluster = readCluster('cluster.yaml');
      const { roles } = cluster.managed;
      const { owner, database } = await bootstrap(server, cluster);
      await server.exec(
        `REVOKE ALL ON DATABASE ${database} FROM PUBLIC; CREATE ROLE other LOGIN; CREATE SCHEMA other AUTHORIZATION other;
         CREATE TABLE other.secrets (word text); GRANT USAGE ON SCHEMA other TO PUBLIC`,
        database,
      );
      if (version === '14') await server.exec(`ALTER SCHEMA public OWNER TO ${owner}`, database);
      await reconcileRoles(server, roles);
      await assert.rejects(runRolesJob(server, owner, database), /no table of schema public is named like/);
      const at = (user: string) => server.address(database, user);
      await withStoreAt(at(owner), (store) => store.initialise());
      await runRolesJob(server, owner, database);
      await runRolesJob(server, owner, database);
      const made = await server.exec(RIGHTS, database);
      await reconcileRoles(server, roles);
      assert.deepEqual(await server.exec(RIGHTS, database), made, 'the operator takes nothing away');

      await withStoreAt(at(owner), (store) => store.append([{ streamId: 'a', events: [EVENT] }]));
      const perform = async (words: string, user: string) => {
        // What they ask of each version, the tests above have shown.
        if (version === VERSIONS.at(-1)) await run([...words.split(' '), at(user)], 'of-cluster');
      };
      for (const words of ['archive --once', 'backup full', 'monitor --once'])
        await perform(`${words} --store`, 'serve_login');
      await assertCanOnly(at, {
        backup_login: [READ],
        archive_login: [],
        monitor_login: [READ, CHECK],
        serve_login: [READ, CHECK],
      });
      await assert.rejects(tryStatements(at('restore_login'), []), /is not permitted to log in/);
      const wanted = roles.map((role) => (role.name === 'restore_login' ? { ...role, login: true } : role));
      await reconcileRoles(server, wanted);
      await perform('restore --replace --to', 'restore_login');
      await perform('backup full --store', 'backup_login');
      assert.match((await tryStatements(at('restore_login'), [FOREIGN]))[FOREIGN]!, DENIED);
    });
  });
}

const READ = 'SELECT FROM eventcore_events';
const CHECK = "SELECT bt_index_check('eventcore_events_pkey', true)";
const FOREIGN = 'SELECT FROM other.secrets';

/** Of what reads, checks, writes, destroys or looks elsewhere. */
async function assertCanOnly(
  at: (user: string) => string,
  logins: Readonly<Record<string, readonly string[]>>,
): Promise<void> {
  const isMonitor = "pg_has_role(current_user, 'pg_monitor', 'USAGE')";
  const all = [
    ...[READ, CHECK, FOREIGN, 'CREATE SCHEMA mine', 'DROP TABLE eventcore_events'],
    ...["INSERT INTO eventcore_events (stream_id) VALUES ('x')", `SELECT 1 / ${isMonitor}::int`],
  ];
  for (const [user, allowed] of Object.entries(logins)) {
    const outcomes = await tryStatements(at(user), all);
    const done = all.filter((sql) => outcomes[sql] === 'done');
    assert.deepEqual(done, allowed, `${user}: ${JSON.stringify(outcomes)}`);
  }
}

/** As if no store had been there. */
async function forgetAll(server: TestPostgres): Promise<void> {
  await server.exec('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active');
  for (const name of ['shop', 'again']) await server.exec(`DROP DATABASE ${name} WITH (FORCE)`);
  const own = "SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' AND rolname <> 'postgres'";
  for (const { rolname } of await server.exec(own)) await server.exec(`DROP ROLE ${rolname}`);
}

it('docs/roles.md says what the scripts do: once its statements are made, they find nothing to do', async () => {
  const server = await startPostgres();
  try {
    await server.exec('CREATE ROLE shop LOGIN');
    await server.exec('CREATE DATABASE shop OWNER shop');
    await server.exec('GRANT CREATE ON SCHEMA public TO shop', 'shop');
    await withStoreAt(server.address('shop', 'shop'), (store) => store.initialise());
    const { blocks } = readPage(readFileSync(PAGE, 'utf8'));
    for (const { text } of blocks.filter(({ language }) => language === 'sql')) {
      await server.exec(text, 'shop');
    }
    const made = await server.exec(RIGHTS, 'shop');
    assert.equal(made.filter(({ what }) => what === 'role').length, 10);
    await makeRoles(server, 'shop', ['backup', 'monitor', 'restore', 'archive', 'serve', 'logins']);
    assert.deepEqual(await server.exec(RIGHTS, 'shop'), made);
  } finally {
    await server.stop();
  }
});

const PAGE = join(import.meta.dirname, '../../docs/roles.md');
const RIGHTS = `
  SELECT 'role' AS what, rolname::text AS name, concat_ws(' ', rolcanlogin, rolreplication, rolcreatedb, rolsuper) AS rights
    FROM pg_roles WHERE rolname ~ '^eventcore_|_login$'
  UNION ALL SELECT 'member', roleid::regrole::text, member::regrole::text FROM pg_auth_members WHERE roleid::regrole::text !~ '^pg_'
  UNION ALL SELECT 'table', oid::regclass::text, relacl::text FROM pg_class WHERE relname LIKE 'eventcore%'
  UNION ALL SELECT 'schema', nspname, nspacl::text FROM pg_namespace
  UNION ALL SELECT 'database', datname, datacl::text FROM pg_database
  UNION ALL SELECT 'default', defaclrole::regrole::text, defaclacl::text FROM pg_default_acl
   ORDER BY 1, 2, 3`;
