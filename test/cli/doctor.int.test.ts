/** What a doctor says of a real server: rights, and how to get them; a log and what the server keeps for it. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { StoreStatus } from '../../src/core/status.ts';
import type { Check } from '../../src/doctor/check.ts';
import { makeFolder, runHere, withStoreAt } from '../harness/command.ts';
import { startPostgres, type TestPostgres } from '../harness/postgres.ts';

describe('eventcore doctor on PostgreSQL', () => {
  let server: TestPostgres;
  let folder: Awaited<ReturnType<typeof makeFolder>>;
  let database: string;

  before(async () => {
    server = await startPostgres({ settings: { max_replication_slots: '1', max_slot_wal_keep_size: '1GB' } });
    folder = await makeFolder();
    database = await server.createDatabase();
    await withStoreAt(server.address(database), async (store) => {
      await store.initialise();
      await store.append([{ streamId: 'a', events: [{ type: 'Noted', data: '{}' }] }]);
    });
  });
  after(async () => {
    await server?.stop();
    await folder.remove();
  });

  async function status(): Promise<StoreStatus> {
    const ran = await runHere([
      'status',
      '--json',
      '--store',
      server.address(database),
      '--vault',
      folder.path,
    ]);
    assert.equal(ran.code, 0, ran.stderr);
    return JSON.parse(ran.stdout) as StoreStatus;
  }

  async function doctor(user?: string) {
    const words = ['--store', server.address(database, user), '--vault', folder.path];
    const ran = await runHere(['doctor', '--json', ...words]);
    const { checks } = JSON.parse(ran.stdout) as { checks: Check[] };
    return { code: ran.code, found: Object.fromEntries(checks.map((check) => [check.name, check])) };
  }

  it('names the rights that a role lacks, and with what its hints name all is well', async () => {
    await server.exec('CREATE ROLE backer LOGIN; CREATE SCHEMA IF NOT EXISTS shut', database);
    const before = await doctor('backer');
    const rights = before.found['rights to back up']!;
    assert.deepEqual([before.code, rights.code], [5, 'store_refused']);
    assert.match(rights.message, /may not read "public"\."eventcore_events", "public"\./);
    assert.match(before.found['rights to follow']!.hint!, /ALTER ROLE "backer" REPLICATION/);
    await server.exec(rights.hint!, database);
    await server.exec(before.found['rights to follow']!.hint!, database);
    const half = (await doctor('backer')).found;
    assert.equal(half['rights to back up']!.verdict, 'good');
    assert.match(half['rights to follow']!.message, /may not create the publication/);
    await server.exec(/CREATE PUBLICATION .*$/.exec(half['rights to follow']!.hint!)![0], database);
    const { found } = await doctor('backer');
    assert.equal(found['rights to follow']!.verdict, 'good');
    assert.equal(found['store clock']!.verdict, 'good');
  });

  it('sees row-level security, triggers that are off, and a schema that a killed restore left', async () => {
    await server.exec(
      `ALTER TABLE eventcore_events ENABLE ROW LEVEL SECURITY;
       ALTER TABLE eventcore_events DISABLE TRIGGER eventcore_prevent_update_trigger;
       DROP INDEX eventcore_events_stream_version_idx;
       CREATE SCHEMA eventcore_restore_x;
       COMMENT ON SCHEMA eventcore_restore_x IS '{"program":"eventcore-backup","attemptId":"x","target":"public.eventcore_events","startedAt":"2026-01-01T00:00:00Z"}'`,
      database,
    );
    assert.match((await doctor('backer')).found['rights to back up']!.message, /row-level security hides/);
    const { found } = await doctor();
    assert.equal(found['rights to back up']!.verdict, 'good');
    assert.match(
      found['store contract']!.message,
      /prevent_update_trigger is switched off; the unique index .* is missing/,
    );
    assert.match(found['killed restores']!.message, /schema eventcore_restore_x of a restore/);
    await server.exec(found['store contract']!.hint!, database);
    await server.exec(
      'DROP SCHEMA eventcore_restore_x; ALTER TABLE eventcore_events DISABLE ROW LEVEL SECURITY',
      database,
    );
    const after = (await doctor()).found;
    assert.deepEqual([after['store contract']!.verdict, after['killed restores']!.verdict], ['good', 'good']);
  });

  it('watches the slot of a log: who reads it, what the server keeps, and that it is there', async () => {
    const words = ['--store', server.address(database), '--vault', folder.path];
    const ran = await runHere(['archive', '--once', ...words], { env: process.env });
    assert.equal(ran.code, 0, ran.stderr);
    const { code, found } = await doctor();
    assert.equal(code, 0);
    assert.match(found['change log']!.message, /^holds all until/);
    assert.equal(found.capture!.verdict, 'warn');
    assert.match(found.capture!.message, /nobody captures/);
    assert.match(found['store room for the log']!.message, /keeps .* and may keep .* more/);
    const { log, problems } = await status();
    assert.deepEqual([log!.isCaptured, problems], [false, []]);
    assert.ok(
      log!.retainedBytes! >= 0 && log!.spareBytes! > 500_000_000 && log!.lagBytes! >= 0,
      JSON.stringify(log),
    );
    await server.exec('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots');
    assert.match((await doctor()).found.capture!.message, /the store keeps nothing for the log/);
    await server.exec(`SELECT pg_create_physical_replication_slot('another')`);
    const full = (await doctor()).found['rights to follow']!;
    assert.match(full.message, /all 1 replication slots are in use/);
    assert.equal(full.verdict, 'bad');
  });

  it('is told by a status that the server is away, and what the vault holds all the same', async () => {
    await server.crash();
    const { log, problems, newestPoint } = await status();
    assert.deepEqual(
      [log, problems.map(({ of, code }) => `${of} ${code}`)],
      [null, ['store store_unreachable']],
    );
    assert.notEqual(newestPoint, null);
  });
});
