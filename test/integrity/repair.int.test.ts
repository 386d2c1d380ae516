import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { archive } from '../../src/capture/archiver.ts';
import type { EventStore } from '../../src/core/event-store.ts';
import { digestStore } from '../../src/integrity/store-digest.ts';
import { refuses } from '../../src/testing/event-store/fixture.ts';
import { readAll } from '../../src/testing/event-store/restoring.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { backUpChanges } from '../harness/chain-backup.ts';
import { recover } from '../harness/log-model.ts';
import { testClock } from '../harness/memory-backup.ts';
import { startPostgres, type TestPostgres } from '../harness/postgres.ts';
import { closeStores, openStore } from '../stores/postgres/seeding.ts';
import {
  apply,
  backedUpStore,
  DAMAGE,
  found,
  plan,
  portsOf,
  type RepairPlace,
  repairsToEquality,
} from './repair-cases.ts';
import { killAtEachStep } from './repair-kills.ts';
import { temporaryPlace } from './repair-places.ts';
import { REFUSALS } from './repair-refusals.ts';

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

function exec(sql: string): Promise<Record<string, unknown>[]> {
  return server.exec(`SET session_replication_role = replica; ${sql}`, database);
}

const SCHEMA = `SELECT pg_get_indexdef(indexrelid) AS def FROM pg_index WHERE indrelid = 'eventcore_events'::regclass
  UNION ALL SELECT tgname || ' ' || tgenabled::text FROM pg_trigger WHERE tgrelid = 'eventcore_events'::regclass
  UNION ALL SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1`;

async function dump(): Promise<unknown> {
  const tables = ['eventcore_events', 'eventcore_subscription_versions', 'eventcore_command_state_snapshots'];
  const rows = tables.map((name) =>
    exec(`SELECT ctid::text, xmin::text, t::text AS row FROM ${name} t ORDER BY ctid`),
  );
  return [await exec(SCHEMA), ...(await Promise.all(rows))];
}

function place(): RepairPlace {
  return { store, exec, dump };
}

for (const damage of DAMAGE) test(`PostgreSQL: ${damage.name}`, () => repairsToEquality(place(), damage));
for (const [sentence, run] of REFUSALS) test(`PostgreSQL: ${sentence}`, () => run(place()));

test('PostgreSQL: a repair that is killed at any step leaves whole steps, and the next one does the rest', (t) =>
  killAtEachStep(t, async () => {
    database = await server.createDatabase();
    const address = server.address(database);
    store = openStore(address);
    return { ...place(), address, checkpoints: 'public.eventcore_subscription_versions' };
  }));

test('SQLite: a repair that is killed at any step leaves whole steps, and the next one does the rest', (t) =>
  killAtEachStep(t, async () => ({ ...temporaryPlace(t), checkpoints: 'eventcore_subscription_versions' }), [
    'put back',
    'published 1',
    'executed',
  ]));

test('what was kept aside puts a row back as it was before the repair, as docs/repair.md says', async () => {
  const vault = await backedUpStore(store);
  await exec(DAMAGE[3]!.sql);
  const damaged = await readAll(store);
  const ports = await portsOf(store, vault);
  await apply(ports, await plan(ports, [DAMAGE[3]!.finding]));
  const docs = readFileSync(path.join(import.meta.dirname, '../../docs/repair.md'), 'utf8');
  const undo = /^ {4}BEGIN;[\s\S]+?COMMIT;$/m.exec(docs)![0];
  assert.match(undo, /r\.entry = 17/);
  await server.exec(undo.replace('17', '1'), database);
  assert.deepEqual(await readAll(store), damaged);
});

const TRIGGERS = `SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = 'eventcore_events'::regclass ORDER BY 1`;
const BREAK = `UPDATE eventcore_events SET event_type = 'Broken' WHERE stream_id = 'b' AND stream_version = 5`;

test('the owner who is no superuser repairs too, and each trigger is as it was', async () => {
  const vault = await backedUpStore(store);
  const sound = await readAll(store);
  const role = `owner_${database}`;
  await exec(`CREATE ROLE ${role} LOGIN; ALTER TABLE eventcore_events OWNER TO ${role}; GRANT CREATE ON SCHEMA public TO ${role};
    GRANT SELECT ON ALL TABLES IN SCHEMA public TO ${role};
    ALTER TABLE eventcore_events DISABLE TRIGGER eventcore_prevent_delete_trigger;
    ALTER TABLE eventcore_events ENABLE ALWAYS TRIGGER eventcore_version_trigger`);
  await server.exec(
    `ALTER TABLE eventcore_events DISABLE TRIGGER USER; ${BREAK}; ALTER TABLE eventcore_events ENABLE TRIGGER USER`,
    database,
  );
  const triggers = await exec(TRIGGERS);
  const ports = await portsOf(openStore(server.address(database, role)), vault);
  const result = await apply(ports, await plan(ports, [found('b', 'put_back_events')]));
  assert.deepEqual(
    result.steps.map(({ outcome, reason }) => [outcome, reason]),
    [['repaired', null]],
  );
  assert.deepEqual(await exec(TRIGGERS), triggers);
  assert.deepEqual(await readAll(store), sound);
  assert.deepEqual(await exec('SELECT repaired_by FROM eventcore_repairs'), [{ repaired_by: role }]);
});

test('copies with the very id of an event are taken away where the key is gone', async () => {
  const vault = await backedUpStore(store);
  const sound = await readAll(store);
  await exec(`ALTER TABLE eventcore_events DROP CONSTRAINT eventcore_events_pkey;
    DROP INDEX eventcore_events_stream_version_idx;
    INSERT INTO eventcore_events SELECT * FROM eventcore_events WHERE stream_id = 'b' AND stream_version < 4;
    UPDATE eventcore_events SET event_type = 'Broken' WHERE stream_id = 'b' AND stream_version = 2`);
  const ports = await portsOf(store, vault);
  const planned = await plan(ports, [found('b', 'remove_copies')]);
  assert.deepEqual(
    planned.steps.map(({ kind, ...step }) => [kind, 'events' in step && step.events]),
    [
      ['put_back_events', 1],
      ['remove_copies', 3],
    ],
  );
  const result = await apply(ports, planned);
  assert.ok(result.steps.every(({ outcome }) => outcome === 'repaired'));
  assert.deepEqual(await readAll(store), sound);
  assert.equal((await exec('SELECT FROM eventcore_repairs')).length, 4);
});

test('an event whose version is beyond all numbers is found by its id and put back', async () => {
  const vault = await backedUpStore(store);
  const sound = await readAll(store);
  await exec(
    `UPDATE eventcore_events SET stream_version = 9223372036854775807 WHERE stream_id = 'b' AND stream_version = 6`,
  );
  await assert.rejects(readAll(store));
  const ports = await portsOf(store, vault);
  const result = await apply(ports, await plan(ports, [found('b', 'put_back_events')]));
  assert.deepEqual(
    result.steps.map(({ outcome, reason }) => [outcome, reason]),
    [['repaired', null]],
  );
  assert.deepEqual(await readAll(store), sound);
});

test('a table with partitions is refused', async () => {
  await store.initialise();
  await exec('CREATE TABLE part () INHERITS (eventcore_events)');
  await refuses(store.openRepair({ repairId: crypto.randomUUID() }), 'store_unsupported', /partitions/);
});

test('a role without the rights is refused with the way out, and nothing is changed', async () => {
  const vault = await backedUpStore(store);
  await exec(BREAK);
  const before = await dump();
  const role = `reader_${database}`;
  // As it is by itself from PostgreSQL 15 on.
  await exec('REVOKE CREATE ON SCHEMA public FROM PUBLIC');
  await exec(`CREATE ROLE ${role} LOGIN; GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO ${role}`);
  const ports = await portsOf(openStore(server.address(database, role)), vault);
  const planned = await plan(ports, [found('b', 'put_back_events')]);
  const [first] = (await apply(ports, planned)).steps;
  assert.equal(first!.outcome, 'refused');
  assert.match(first!.reason!, /GRANT CREATE ON SCHEMA public TO reader_/);
  await exec(`GRANT CREATE ON SCHEMA public TO ${role}`);
  const [second] = (await apply(ports, planned)).steps;
  assert.match(second!.reason!, /repair as the owner of the tables; or GRANT SELECT, UPDATE, DELETE/);
  assert.deepEqual(await dump(), before);
});

test('a payload that the server cannot read for damage is put back, and what can be read of it is kept', async () => {
  const vault = await backedUpStore(store);
  const sound = await readAll(store);
  // A large value whose pieces are gone.
  await store.append([
    { streamId: 'large', events: [{ type: 'Large', data: JSON.stringify({ x: noise() }) }] },
  ]);
  await backUpChanges(store, vault);
  const [toast] = await exec(
    `SELECT reltoastrelid::text AS oid, reltoastrelid::regclass::text AS name FROM pg_class WHERE relname = 'eventcore_events'`,
  );
  const become = (kind: string): string =>
    `UPDATE pg_class SET relkind = '${kind}' WHERE oid = ${toast!.oid}`;
  await server.exec(
    `SET allow_system_table_mods = on; ${become('r')}; DELETE FROM ${toast!.name}; ${become('t')}`,
    database,
  );
  await server.exec('VACUUM eventcore_events', database);
  await assert.rejects(readAll(store));
  const ports = await portsOf(store, vault);
  const planned = await plan(ports, [found('large', 'put_back_events')]);
  const result = await apply(ports, planned);
  assert.deepEqual(
    result.steps.map(({ outcome, reason }) => [outcome, reason]),
    [['repaired', null]],
  );
  const repaired = await readAll(store);
  assert.deepEqual(
    repaired.filter(({ streamId }) => streamId !== 'large'),
    sound,
  );
  const [kept] = await exec('SELECT row_before FROM eventcore_repairs');
  const before = kept!.row_before as Record<string, unknown>;
  assert.deepEqual([before.stream_id, before.unreadable], ['large', ['event_data']]);
});

test('the change log goes through a repair: recoveries from a base before it give the repaired store', async () => {
  const vault = memoryVault();
  await store.initialise();
  const capture = (): Promise<unknown> =>
    archive(
      { store, vault, clock: testClock },
      {
        ...{ format: 'columns', compression: 'zstd', level: null, flushMs: 20, idleMs: 50 },
        ...{ software: 'test', outage: { policy: 'hold' }, once: true },
      },
    );
  await capture();
  await backedUpStore(store, vault);
  await store.append([
    { streamId: 'large', events: [{ type: 'Large', data: JSON.stringify({ x: noise() }) }] },
  ]);
  await backUpChanges(store, vault);
  const sound = await digestStore(store);
  await exec(`${DAMAGE[4]!.sql}; UPDATE eventcore_events SET event_data = '{}' WHERE stream_id = 'large';
    DELETE FROM eventcore_events WHERE stream_id = 'a' AND stream_version = 4`);
  await capture();
  const ports = await portsOf(store, vault);
  const findings = ['a', 'b', 'large'].map((streamId) => found(streamId, 'put_back_events'));
  const result = await apply(ports, await plan(ports, findings));
  assert.deepEqual(
    result.steps.map(({ outcome }) => outcome),
    ['repaired', 'repaired'],
  );
  // Only its type: the large value beside it has to come through all the same.
  await exec(
    `UPDATE eventcore_events SET event_type = 'Broken', event_data = event_data || '{}' WHERE stream_id = 'large'`,
  );
  await apply(ports, await plan(ports, [found('large', 'put_back_events')]));
  await store.append([{ streamId: 'a', events: [{ type: 'Behind', data: '{}' }] }]);
  await capture();
  const { events } = await digestStore(store);
  assert.equal(events, sound.events + 1);
  const recovered = await recover(vault, { kind: 'latest' });
  assert.notEqual(recovered.plan.log, null, recovered.plan.reasons.join('; '));
  assert.deepEqual(await digestStore(recovered.store), await digestStore(store));
});

/** That does not compress. */
function noise(): string {
  return Array.from({ length: 400 }, () => crypto.randomUUID()).join('');
}
