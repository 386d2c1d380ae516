import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import path from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { isBackupError } from '../../../src/core/errors.ts';
import type { CompanionRow, EventStore, RestoreSession } from '../../../src/core/event-store.ts';
import { makeBatch, type TestEvent } from '../../../src/testing/batches.ts';
import { collect } from '../../../src/testing/event-store/fixture.ts';
import { load } from '../../../src/testing/event-store/restoring.ts';
import { startPostgres, type TestPostgres } from '../../harness/postgres.ts';
import { startCuttingProxy } from './cutting-proxy.ts';
import {
  closeStores,
  openStore,
  readStagingSchemas,
  refused,
  seedEvents,
  streamOf,
  untilWaiting,
} from './seeding.ts';

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

function open(target = store, replace = false): Promise<RestoreSession> {
  return target.openRestore({ attemptId: crypto.randomUUID(), replace });
}

async function restore(events: readonly TestEvent[], target = store, replace = false): Promise<void> {
  const session = await open(target, replace);
  try {
    await load(session, [makeBatch(events)]);
    await session.publish();
  } finally {
    await session.discard();
  }
}

const stagingSchemas = (): Promise<string[]> => readStagingSchemas(server, database);

/** The triggers do their work, and versions go on. */
async function assertLives(target: EventStore, head: bigint): Promise<void> {
  await assert.rejects(exec("UPDATE eventcore_events SET event_type = 'x'"), /immutable/);
  await assert.rejects(exec('DELETE FROM eventcore_events'), /immutable/);
  const { heads } = await target.append([{ streamId: 'account-1', events: [{ type: 'T', data: '{}' }] }]);
  assert.equal(heads.get('account-1'), head + 1n);
}

/** Columns, indexes, constraints, triggers and functions of the schema `public`. */
async function shape(db: string): Promise<unknown[]> {
  return server.exec(
    `SELECT c.relname::text AS of, concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
            pg_get_expr(d.adbin, d.adrelid)) AS what, a.attnum AS place
       FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
       LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
      WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
     UNION ALL SELECT tablename, indexdef, 0 FROM pg_indexes WHERE schemaname = 'public'
     UNION ALL SELECT conrelid::regclass::text, conname || ' ' || pg_get_constraintdef(oid), 0 FROM pg_constraint
      WHERE connamespace = 'public'::regnamespace
     UNION ALL SELECT tgrelid::regclass::text, pg_get_triggerdef(oid) || tgenabled::text, 0 FROM pg_trigger
     UNION ALL SELECT 'function', proname || prosrc, 0 FROM pg_proc WHERE pronamespace = 'public'::regnamespace
      ORDER BY 1, 2, 3`,
    db,
  );
}

test('a restore into an empty database leaves the same schema as init, alive', async () => {
  await restore(streamOf(500));
  const other = await server.createDatabase();
  const initialised = openStore(server.address(other));
  await initialised.initialise();
  assert.deepEqual(await shape(database), await shape(other));
  assert.ok((await shape(other)).length > 30);
  assert.deepEqual(await stagingSchemas(), []);
  await assertLives(store, 500n);
  const [analysed] = await exec("SELECT reltuples FROM pg_class WHERE relname = 'eventcore_events'");
  assert.equal(analysed!.reltuples, 500);
});

test('an empty table keeps its owner and grants, though another one takes its place', async () => {
  await store.initialise();
  await exec(
    `CREATE ROLE app_${database} LOGIN; CREATE ROLE "odd ""role${database}";
     ALTER TABLE eventcore_events OWNER TO app_${database};
     GRANT SELECT, INSERT ON eventcore_events TO "odd ""role${database}" WITH GRANT OPTION;
     GRANT SELECT ON eventcore_events TO PUBLIC;
     REVOKE DELETE ON eventcore_events FROM app_${database}`,
  );
  const facts = `SELECT oid::text, relowner::regrole::text AS owner,
    ARRAY(SELECT a::text FROM unnest(relacl) a ORDER BY 1) AS acl FROM pg_class WHERE relname = 'eventcore_events'`;
  const [before] = await exec(facts);
  await restore(streamOf(10));
  const [now] = await exec(facts);
  assert.notEqual(now!.oid, before!.oid);
  assert.deepEqual({ ...now, oid: null }, { ...before, oid: null });
  await assertLives(store, 10n);
});

test('a table that others depend on stays, with views, triggers, policies and publications as they were', async () => {
  await store.initialise();
  await exec(
    `CREATE VIEW openings AS SELECT stream_id FROM eventcore_events;
     CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''fired''; END';
     CREATE TRIGGER audit AFTER INSERT ON eventcore_events FOR EACH ROW EXECUTE FUNCTION note();
     ALTER TABLE eventcore_events DISABLE TRIGGER audit;
     ALTER TABLE eventcore_events ENABLE ALWAYS TRIGGER eventcore_prevent_update_trigger;
     CREATE PUBLICATION some_events FOR TABLE eventcore_events;
     CREATE INDEX by_time ON eventcore_events (created_at);
     COMMENT ON TABLE eventcore_events IS 'ours'`,
  );
  const facts = `SELECT oid::text, obj_description(oid) AS comment,
       ARRAY(SELECT tgname || tgenabled::text FROM pg_trigger WHERE tgrelid = c.oid ORDER BY 1) AS triggers,
       ARRAY(SELECT indexdef FROM pg_indexes WHERE tablename = relname ORDER BY 1) AS indexes,
       ARRAY(SELECT pubname::text FROM pg_publication_tables WHERE tablename = relname) AS publications
     FROM pg_class c WHERE relname = 'eventcore_events'`;
  const before = await exec(facts);
  await restore(streamOf(700));
  assert.deepEqual(await exec(facts), before);
  assert.equal((await exec('SELECT * FROM openings')).length, 700);
  await assertLives(store, 700n);
  await restore(streamOf(30, 'account-1', 5000), store, true);
  assert.deepEqual(await exec(facts), before);
  assert.equal((await exec('SELECT * FROM openings')).length, 30);
});

test('loading is in no publication; what is published comes as inserts into the real table', async () => {
  await store.initialise();
  await exec('CREATE PUBLICATION everything FOR ALL TABLES');
  await exec("SELECT pg_create_logical_replication_slot('s', 'test_decoding')");
  await restore(streamOf(40));
  const changes = await exec("SELECT data FROM pg_logical_slot_get_changes('s', NULL, NULL)");
  await exec("SELECT pg_drop_replication_slot('s')");
  const tables = changes.map((row) => /^table (\S+: INSERT)/.exec(String(row.data))?.[1]).filter(Boolean);
  assert.deepEqual(tables, Array(40).fill('public.eventcore_events: INSERT'));
});

test('a target that is filled while a restore loads is refused at publishing, and stays', async () => {
  await store.initialise();
  const session = await open();
  await load(session, [makeBatch(streamOf(20))]);
  await store.append([{ streamId: 'late', events: [{ type: 'T', data: '{}' }] }]);
  await refused(session.publish(), 'target_not_empty', /eventcore_events.*--replace/s);
  await session.discard();
  assert.deepEqual(await store.count(), { events: 1, streams: 1 });
  assert.deepEqual(await stagingSchemas(), []);
});

test('a table of snapshots alone makes a target not empty, and replace empties it', async () => {
  await store.initialise();
  await exec("INSERT INTO eventcore_command_state_snapshots VALUES ('s', '{}', '{}', '[]')");
  await refused(open(), 'target_not_empty', /eventcore_command_state_snapshots/);
  await restore(streamOf(3), store, true);
  assert.deepEqual(await exec('SELECT * FROM eventcore_command_state_snapshots'), []);
});

test('who is refused may come again at once', async () => {
  await store.initialise();
  await store.append([{ streamId: 'a', events: [{ type: 'T', data: '{}' }] }]);
  for (let time = 0; time < 20; time += 1) {
    await refused(open(), 'target_not_empty', /--replace/s);
    await (await open(store, true)).discard();
  }
});

function startProcess(stage: string): ChildProcess {
  const script = path.join(import.meta.dirname, 'restore-process.ts');
  return spawn(process.execPath, [script, server.address(database), stage], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

/** The server ends a killed restore's session by itself, within seconds. */
async function openWhenFree(): Promise<RestoreSession> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await open(store, true);
    } catch (error) {
      if (!isBackupError(error, 'lease_held') || attempt === 100) throw error;
      await sleep(100);
    }
  }
}

for (const stage of ['loading', 'loaded', 'publishing']) {
  test(`a restore killed with signal 9 while ${stage} changes nothing and is cleared away by the next one`, async () => {
    await store.initialise();
    await seedEvents(server, database, 300);
    const holder = new pg.Client(server.address(database));
    await holder.connect();
    await holder.query('BEGIN; LOCK TABLE eventcore_events IN ACCESS SHARE MODE');
    const killed = startProcess(stage);
    await once(killed.stdout!, 'data');
    if (stage === 'publishing') await untilWaiting(server, 'LOCK TABLE%');
    killed.kill('SIGKILL');
    await once(killed, 'exit');
    const left = [`eventcore_restore_killed_${stage}`];
    assert.deepEqual(await stagingSchemas(), left);
    const session = await openWhenFree();
    await holder.end();
    assert.equal(session.discarded.length, 1);
    assert.match(session.discarded[0]!, new RegExp(`${left[0]} .*started at 20\\d\\d-`));
    assert.equal((await stagingSchemas()).length, 1);
    assert.equal((await store.count()).events, 300);
    await session.discard();
    assert.deepEqual(await stagingSchemas(), []);
  });
}

test('a schema that only looks like an attempt, or is one on another target, is left alone', async () => {
  await exec(
    `CREATE SCHEMA eventcore_restore_mine;
     CREATE SCHEMA eventcore_restore_other;
     COMMENT ON SCHEMA eventcore_restore_other IS '{"program":"eventcore-backup","target":"app.eventcore_events"}'`,
  );
  const session = await open();
  assert.deepEqual(session.discarded, []);
  await session.discard();
  assert.deepEqual(await stagingSchemas(), ['eventcore_restore_mine', 'eventcore_restore_other']);
});

for (const [when, isPublished] of [
  ['after the server committed', true],
  ['before the server got the commit', false],
] as const) {
  test(`a connection lost ${when} is told apart: ${isPublished ? 'published' : 'not published'}`, async (t) => {
    await store.initialise();
    const proxy = await startCuttingProxy(server.port, isPublished ? 'after' : 'before');
    t.after(() => proxy.close());
    const target = openStore(`postgres://postgres@127.0.0.1:${proxy.port}/${database}`);
    const session = await open(target);
    await load(session, [makeBatch(streamOf(60))]);
    proxy.cutAt('COMMIT');
    if (isPublished) await session.publish();
    else await refused(session.publish(), 'store_unreachable');
    assert.equal(proxy.cuts(), 1);
    await session.discard();
    assert.equal((await store.count()).events, isPublished ? 60 : 0);
    assert.deepEqual(await stagingSchemas(), []);
  });
}

test('when the session of a restore is ended nothing is published, and a discard still clears up', async () => {
  await store.initialise();
  const session = await open();
  await load(session, [makeBatch(streamOf(60))]);
  await exec(
    `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
  );
  await refused(session.publish(), 'store_unreachable');
  await session.discard();
  assert.deepEqual(await stagingSchemas(), []);
  assert.equal((await store.count()).events, 0);
});

test('a discard ends the writers of other connections too', async () => {
  const session = await open();
  const other = openStore(server.address(database));
  const writer = await other.joinRestore(session.token!);
  await writer.write(makeBatch(streamOf(5000)));
  await session.discard();
  assert.deepEqual(await stagingSchemas(), []);
  await assert.rejects(writer.end());
  await writer.abort();
  await refused(other.joinRestore(session.token!), 'store_refused', /is over/);
});

const UNSTORABLE: readonly (readonly [string, Partial<TestEvent>])[] = [
  ['\\u0000 in JSON', { data: '"a\\u0000b"' }],
  ['half of a surrogate pair in JSON', { metadata: '"\\ud800"' }],
  ['text that is no JSON', { data: '{"open":' }],
  ['a NUL in a stream id', { streamId: 'a\0b' }],
  ['a type that is no UTF-8', { type: Uint8Array.from([0x61, 0xff]) }],
  ['a time out of range', { time: 2n ** 63n - 2n }],
  ['a number out of range', { data: '1e200000' }],
];

for (const [what, change] of UNSTORABLE) {
  test(`${what} is refused with its event named, however many are loaded`, async () => {
    await store.initialise();
    const session = await open();
    const writer = await session.openWriter();
    const events = streamOf(20_000, 'account-7').map((event) => ({
      ...event,
      metadata: '{"text": "long enough"}',
    }));
    events[12_345] = { ...events[12_345]!, ...change } as (typeof events)[number];
    const write = async (): Promise<void> => {
      for (let at = 0; at < events.length; at += 1000)
        await writer.write(makeBatch(events.slice(at, at + 1000)));
      await writer.end();
    };
    const named = new RegExp(`event ${events[12_345]!.id} .*version 12346`, 's');
    await refused(write(), 'value_not_storable', named);
    await writer.abort();
    await session.discard();
    assert.deepEqual(await stagingSchemas(), []);
  });
}

test('events of 20 MB among small ones arrive whole, byte for byte', async () => {
  const events = streamOf(4000).map((event, i) => {
    const length = i % 1000 === 500 ? 20_000_000 : (i * 37) % 900;
    return { ...event, data: JSON.stringify(String.fromCharCode(97 + (i % 26)).repeat(length)) };
  });
  const session = await open();
  const writer = await session.openWriter();
  for (let at = 0; at < events.length; at += 100) await writer.write(makeBatch(events.slice(at, at + 100)));
  await writer.end();
  await session.finishLoad();
  await session.publish();
  const sums = await exec(
    'SELECT md5(event_data::text) AS sum FROM eventcore_events ORDER BY stream_version',
  );
  assert.deepEqual(
    sums.map((row) => row.sum),
    events.map(({ data }) => createHash('md5').update(data).digest('hex')),
  );
});

test('a stream id that no index takes is refused', async () => {
  const name = Array.from({ length: 400 }, () => crypto.randomUUID()).join('');
  await refused(restore([{ streamId: name, version: 1 }]), 'value_not_storable', /index row/);
});

function row(table: string, role: CompanionRow['role'], values: CompanionRow['values']): CompanionRow {
  return { table, role, values };
}

const LEDGER_ROW = row('_sqlx_migrations', 'ledger', {
  version: '1',
  description: 'create events table',
  installed_on: '2026-01-02 03:04:05+00',
  success: 'true',
  checksum: '\\x00ff',
  execution_time: '17',
});

test('the ledger of migrations is restored where there is none, and never over one', async () => {
  const session = await open();
  assert.equal(await session.writeCompanion(LEDGER_ROW), true);
  await load(session, []);
  await session.publish();
  const ledger = 'SELECT version::text, success, checksum::text FROM _sqlx_migrations';
  assert.deepEqual(await exec(ledger), [{ version: '1', success: true, checksum: '\\x00ff' }]);
  await assert.rejects(exec('INSERT INTO _sqlx_migrations SELECT * FROM _sqlx_migrations'), /duplicate key/);
  const again = await open(store, true);
  assert.equal(
    await again.writeCompanion({ ...LEDGER_ROW, values: { ...LEDGER_ROW.values, version: '2' } }),
    false,
  );
  await load(again, [makeBatch(streamOf(2))]);
  await again.publish();
  assert.deepEqual(await exec(ledger), [{ version: '1', success: true, checksum: '\\x00ff' }]);
});

test('rows that belong to the events are restored exactly, many of them too', async () => {
  await store.initialise();
  const rows = Array.from({ length: 1500 }, (_, i) =>
    row('eventcore_command_state_snapshots', 'snapshots', {
      snapshot_id: `s ${i} '"\\ {}, NULL`,
      state: i === 7 ? JSON.stringify('x'.repeat(5_000_000)) : `{"n": ${i}.50}`,
      stream_versions: '{"a": 1}',
      replay_checkpoints: '[]',
      updated_at: i === 8 ? 'infinity' : '2026-01-02 03:04:05.000006+00',
    }),
  );
  const session = await open();
  await load(session, [], rows);
  await session.publish();
  const snapshot = await store.openSnapshot();
  const read = await collect(snapshot.readCompanions());
  await snapshot.close();
  const byId = (list: readonly CompanionRow[]): CompanionRow[] =>
    [...list].sort((a, b) => (String(a.values.snapshot_id) < String(b.values.snapshot_id) ? -1 : 1));
  assert.deepEqual(byId(read), byId(rows));
});

test('a row that cannot be stored is named, and rows of other layouts have no place', async () => {
  const session = await open();
  const checkpoint = (name: string, position: string): CompanionRow =>
    row('eventcore_subscription_versions', 'checkpoints', {
      subscription_name: name,
      last_position: position,
    });
  assert.equal(
    await session.writeCompanion(
      row('eventcore_command_state_snapshots', 'snapshots', {
        snapshot_id: 'a',
        snapshot_data: '{}',
        updated_at: '',
      }),
    ),
    false,
  );
  assert.equal(await session.writeCompanion(row('eventcore_subscription_versions', 'ledger', {})), false);
  const good = '01932f3e-7c00-7a01-8b02-0123456789ab';
  for (const [name, position] of [
    ['first', good],
    ['second', '42'],
    ['third', good],
  ] as const) {
    assert.equal(await session.writeCompanion(checkpoint(name, position)), true);
  }
  await refused(session.finishLoad(), 'value_not_storable', /"second" of eventcore_subscription_versions/);
  await session.discard();
});

test('the owner of a database who is no superuser can restore into it and replace', async () => {
  await server.exec(
    `CREATE ROLE owner_${database} LOGIN; ALTER DATABASE "${database}" OWNER TO owner_${database}`,
  );
  const owner = openStore(server.address(database, `owner_${database}`));
  await restore(streamOf(100), owner);
  await exec('CREATE VIEW dependent AS SELECT * FROM eventcore_events');
  await restore(streamOf(50), owner, true);
  assert.equal((await exec('SELECT * FROM dependent')).length, 50);
  await assertLives(owner, 50n);
});

test('who lacks a right is refused before anything is loaded, and told which', async () => {
  const role = `guest_${database}`;
  await exec(`CREATE ROLE ${role} LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC`);
  const guest = openStore(server.address(database, role));
  await refused(open(guest), 'store_refused', /GRANT CREATE ON SCHEMA public TO guest/);
  await exec(`GRANT CREATE ON SCHEMA public TO ${role}`);
  await refused(open(guest), 'store_refused', /GRANT CREATE ON DATABASE db_\d+ TO guest/);
  await exec(`GRANT CREATE ON DATABASE "${database}" TO ${role}`);
  await restore(streamOf(5), guest);
  await exec(
    `DROP TABLE eventcore_events, eventcore_subscription_versions, eventcore_command_state_snapshots`,
  );
  await store.initialise();
  await exec(`GRANT ALL ON ALL TABLES IN SCHEMA public TO ${role}`);
  await refused(open(guest), 'store_refused', /belongs to postgres.*GRANT postgres TO guest/s);
  assert.deepEqual(await stagingSchemas(), []);
});

test('a restore into one schema leaves another one alone, and both may run at once', async () => {
  const other = openStore(`${server.address(database)}?schema=other`);
  const [first, second] = [await open(), await open(other)];
  await load(first, [makeBatch(streamOf(5))]);
  await load(second, [makeBatch(streamOf(7))]);
  await first.publish();
  await second.publish();
  assert.equal((await store.count()).events, 5);
  assert.equal((await other.count()).events, 7);
  const { heads } = await other.append([{ streamId: 'account-1', events: [{ type: 'T', data: '{}' }] }]);
  assert.equal(heads.get('account-1'), 8n);
});

test('an attempt id that is no name is refused', async () => {
  await refused(store.openRestore({ attemptId: 'x"; DROP', replace: false }), 'usage');
  await refused(store.joinRestore('x"; DROP'), 'usage');
});
