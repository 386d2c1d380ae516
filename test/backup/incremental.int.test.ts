import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { IncrementalReport } from '../../src/backup/incremental.ts';
import { isBackupError } from '../../src/core/errors.ts';
import type { EventStore } from '../../src/core/event-store.ts';
import type { Vault } from '../../src/core/vault.ts';
import { readCatalog } from '../../src/format/catalog.ts';
import { digestStore } from '../../src/integrity/store-digest.ts';
import { verifyChains } from '../../src/integrity/verify/chains.ts';
import { openPostgresStore } from '../../src/stores/postgres/store.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { consolidate, newestChain } from '../harness/chain-backup.ts';
import { backUp, objectNames, testClock } from '../harness/memory-backup.ts';
import { startPostgres, startStandby, type TestPostgres } from '../harness/postgres.ts';
import { digestChain, takeIncremental } from '../harness/proof-run.ts';
import { NAIVE_SCHEMA, startSlowWriters } from '../harness/slow-writers.ts';

/** The hazards of commit order, one by one: each loses events with an incremental backup that asks for what is "greater". */

let server: TestPostgres;
let database: string;
let store: EventStore;
let vault: Vault;
const clients: pg.Client[] = [];

before(async () => {
  server = await startPostgres({ settings: { max_prepared_transactions: '10' } });
});

beforeEach(async () => {
  database = await server.createDatabase();
  store = openPostgresStore(server.address(database));
  await store.initialise();
  await store.append([{ streamId: 'first', events: [{ type: 'T', data: '{}' }] }]);
  vault = memoryVault();
  return async () => {
    for (const client of clients.splice(0)) await client.end().catch(() => undefined);
    await store.close();
  };
});

after(() => server.stop());

async function connect(address = server.address(database)): Promise<pg.Client> {
  const client = new pg.Client(address);
  client.on('error', () => undefined);
  await client.connect();
  clients.push(client);
  return client;
}

async function insert(client: pg.Client, stream: string, version = 1, count = 1): Promise<void> {
  await client.query(
    `INSERT INTO eventcore_events (event_id, stream_id, stream_version, event_type, event_data)
     SELECT gen_random_uuid(), $1, $2::bigint + n, 'T', '{"some": "data"}' FROM generate_series(0, $3::int - 1) AS n`,
    [stream, version, count],
  );
}

/** An incremental backup that is expected to succeed; afterwards the chain is the store, event for event. */
async function taken(from: EventStore = store): Promise<IncrementalReport> {
  const outcome = await takeIncremental(from, vault);
  assert.ok(outcome.kind === 'taken', JSON.stringify(outcome));
  assert.deepEqual(await digestChain(vault, await newestChain(vault)), await digestStore(from));
  assert.equal(outcome.report.verification?.overallValid, true);
  return outcome.report;
}

async function takenByTransactions(): Promise<number> {
  const { manifest } = await taken();
  assert.equal(manifest.chain!.method, 'transactions');
  return manifest.totalEvents;
}

describe('an incremental backup has what commits late', () => {
  test('of a transaction that was open when its parent was taken', async () => {
    const late = await connect();
    await late.query('BEGIN');
    await insert(late, 'late');
    await store.append([{ streamId: 'early', events: [{ type: 'T', data: '{}' }] }]);
    await backUp(store, vault);
    await late.query('COMMIT');
    assert.equal(await takenByTransactions(), 1);
    assert.equal(await takenByTransactions(), 0);
  });

  test('of a transaction that was open all the while the chain was made one full backup', async () => {
    await backUp(store, vault);
    const late = await connect();
    await late.query('BEGIN');
    await insert(late, 'late');
    await store.append([{ streamId: 'early', events: [{ type: 'T', data: '{}' }] }]);
    assert.equal(await takenByTransactions(), 1);
    const { manifest } = await consolidate(vault);
    await late.query('COMMIT');
    assert.equal(await takenByTransactions(), 1);
    const chain = await newestChain(vault);
    assert.equal(chain[0]!.manifest.backupId, manifest.backupId);
    assert.equal(chain.length, 2);
  });

  test('of a savepoint, and of a block that caught an exception', async () => {
    const late = await connect();
    await late.query('BEGIN');
    await insert(late, 'outer');
    await late.query('SAVEPOINT one');
    await insert(late, 'inner');
    await late.query(`DO $$ BEGIN
      INSERT INTO eventcore_events (event_id, stream_id, stream_version, event_type, event_data)
      VALUES (gen_random_uuid(), 'caught', 1, 'T', '{}');
      PERFORM 1 / 0;
    EXCEPTION WHEN division_by_zero THEN
      INSERT INTO eventcore_events (event_id, stream_id, stream_version, event_type, event_data)
      VALUES (gen_random_uuid(), 'caught', 1, 'T', '{}');
    END $$`);
    // A transaction that began later and ended before: its number is greater than those of the savepoints.
    await store.append([{ streamId: 'between', events: [{ type: 'T', data: '{}' }] }]);
    await backUp(store, vault);
    await late.query('SAVEPOINT two');
    await insert(late, 'after');
    await late.query('RELEASE two; COMMIT');
    assert.equal(await takenByTransactions(), 4);
  });

  test('of a prepared transaction, however long it waits', async () => {
    const late = await connect();
    await late.query('BEGIN');
    await late.query('SAVEPOINT one');
    await insert(late, 'prepared');
    await late.query(`RELEASE one; PREPARE TRANSACTION 'late-${database}'`);
    await backUp(store, vault);
    for (const n of [1, 2]) {
      await store.append([{ streamId: `while-${n}`, events: [{ type: 'T', data: '{}' }] }]);
      assert.equal(await takenByTransactions(), 1);
    }
    await late.query(`COMMIT PREPARED 'late-${database}'`);
    assert.equal(await takenByTransactions(), 1);
  });

  test('after VACUUM FREEZE and after the table was written anew', async () => {
    const late = await connect();
    await backUp(store, vault);
    await insert(late, 'frozen', 1, 50);
    await late.query('VACUUM (FREEZE) eventcore_events');
    assert.equal(await takenByTransactions(), 50);
    await insert(late, 'full', 1, 5);
    await late.query('VACUUM (FULL, FREEZE) eventcore_events');
    assert.equal(await takenByTransactions(), 5);
    await late.query('CLUSTER eventcore_events USING eventcore_events_pkey');
    assert.equal(await takenByTransactions(), 0);
  });

  test('of an event with the id and the time of long ago', async () => {
    await backUp(store, vault);
    const late = await connect();
    await late.query(`INSERT INTO eventcore_events VALUES
      ('00000000-0000-7000-8000-000000000001', 'old', 1, 'T', '{}', '{}', '2001-01-01')`);
    assert.equal(await takenByTransactions(), 1);
  });

  test('while many transactions end and begin around each backup', async () => {
    const writers = await Promise.all([1, 2, 3].map(() => connect()));
    await backUp(store, vault);
    let version = 0;
    for (let round = 0; round < 5; round += 1) {
      await Promise.all(writers.map((client) => client.query('BEGIN')));
      await Promise.all(writers.map((client, i) => insert(client, `w${i}`, 1 + 10 * round, 10)));
      version += 10;
      assert.equal((await takenByTransactions()) % 10, 0);
      await writers[0]!.query('COMMIT');
      assert.equal(await takenByTransactions(), 10);
      await Promise.all(writers.slice(1).map((client) => client.query('COMMIT')));
    }
    assert.equal(await takenByTransactions(), 20);
    assert.equal((await digestStore(store)).events, 3 * version + 1);
  });
});

describe('an incremental backup compares streams where transactions tell nothing', () => {
  test('on a standby, which then has all that the primary has', async () => {
    const standby = await startStandby(server, { settings: { max_prepared_transactions: '10' } });
    const replica = openPostgresStore(standby.address(database));
    try {
      await caughtUp(standby);
      await backUp(replica, vault);
      const late = await connect();
      await late.query('BEGIN');
      await insert(late, 'late');
      await store.append([{ streamId: 'early', events: [{ type: 'T', data: '{}' }] }]);
      await caughtUp(standby);
      const early = await taken(replica);
      assert.deepEqual([early.manifest.totalEvents, early.manifest.chain!.method], [1, 'transactions']);
      await late.query('COMMIT');
      await caughtUp(standby);
      assert.equal((await taken(replica)).manifest.totalEvents, 1);
      await insert(late, 'late', 2);
      assert.equal((await taken(store)).manifest.chain!.method, 'heads');
      await standby.exec('SELECT pg_wal_replay_pause()');
      await insert(late, 'late', 3);
      assert.equal(await takenByTransactions(), 1);
      // The standby has not seen yet what the last backup has: that is no loss.
      await assert.rejects(takeIncremental(replica, vault), (error) => isBackupError(error, 'store_behind'));
      await standby.exec('SELECT pg_wal_replay_resume()');
      await caughtUp(standby);
      assert.equal((await taken(replica)).manifest.totalEvents, 0);
    } finally {
      await replica.close();
      await standby.stop();
    }
  });

  test('in a store whose table was replaced by a restore', async () => {
    await backUp(store, vault);
    const client = await connect();
    await client.query(`CREATE TABLE other (LIKE eventcore_events INCLUDING ALL);
      INSERT INTO other SELECT * FROM eventcore_events;
      DROP TABLE eventcore_events; ALTER TABLE other RENAME TO eventcore_events`);
    await insert(client, 'first', 2);
    const { manifest, headsReason } = await taken();
    assert.deepEqual([manifest.totalEvents, manifest.chain!.method], [1, 'heads']);
    assert.match(String(headsReason), /another table/);
  });

  test('where the role may not see which system it is', async () => {
    await server.exec(`CREATE ROLE blind_${database} LOGIN;`);
    await server.exec(
      `REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC;
       GRANT SELECT ON ALL TABLES IN SCHEMA public TO blind_${database}`,
      database,
    );
    const blind = openPostgresStore(server.address(database, `blind_${database}`));
    await backUp(blind, vault);
    await store.append([{ streamId: 'more', events: [{ type: 'T', data: '{}' }] }]);
    const { manifest } = await taken(blind);
    assert.deepEqual([manifest.totalEvents, manifest.chain!.method], [1, 'heads']);
    await blind.close();
  });
});

describe('what the store has lost, changed or replaced is named, and nothing is written', () => {
  async function differs(change: string) {
    await store.append([
      { streamId: 'a', events: Array.from({ length: 5 }, (_, n) => ({ type: 'T', data: `{"n": ${n}}` })) },
      { streamId: 'b', events: [{ type: 'T', data: '{}' }] },
    ]);
    await backUp(store, vault);
    await server.exec(`ALTER TABLE eventcore_events DISABLE TRIGGER USER; ${change}`, database);
    await store.append([{ streamId: 'c', events: [{ type: 'T', data: '{}' }] }]);
    const names = await objectNames(vault);
    const outcome = await takeIncremental(store, vault);
    assert.deepEqual(await objectNames(vault), names);
    assert.ok(outcome.kind === 'differs', JSON.stringify(outcome));
    return outcome.differences;
  }

  test('an event that was deleted in the middle of a stream', async () => {
    const { streams, events } = await differs(
      "DELETE FROM eventcore_events WHERE stream_id = 'a' AND stream_version IN (2, 3)",
    );
    assert.deepEqual(events, { lost: 2, changed: 0, diverged: 0 });
    assert.deepEqual(streams, [{ streamId: 'a', kind: 'lost', events: 2, version: null }]);
  });

  test('a stream that was deleted, and the end of another one', async () => {
    const { streams, events } = await differs(
      "DELETE FROM eventcore_events WHERE stream_id = 'b' OR (stream_id = 'a' AND stream_version > 3)",
    );
    assert.deepEqual(events, { lost: 3, changed: 0, diverged: 0 });
    assert.deepEqual(
      streams.map(({ streamId, events: count, version }) => [streamId, count, version]),
      [
        ['a', 2, 4],
        ['b', 1, 1],
      ],
    );
  });

  test('an event whose content was changed in place', async () => {
    const { streams } = await differs(
      `UPDATE eventcore_events SET event_data = '{"n": 99}' WHERE stream_id = 'a' AND stream_version = 2`,
    );
    assert.deepEqual(streams, [{ streamId: 'a', kind: 'changed', events: 1, version: 2 }]);
  });

  test('an event that another one was put in the place of', async () => {
    const { streams } = await differs(
      `DELETE FROM eventcore_events WHERE stream_id = 'a' AND stream_version = 5;
       INSERT INTO eventcore_events VALUES (gen_random_uuid(), 'a', 5, 'Other', '{}')`,
    );
    assert.deepEqual(streams, [{ streamId: 'a', kind: 'diverged', events: 1, version: 5 }]);
  });

  test('and a check against the store names what was changed, too', async () => {
    await differs(
      `UPDATE eventcore_events SET event_data = '{"n": 99}' WHERE stream_id = 'a' AND stream_version = 2`,
    );
    const catalog = await readCatalog(vault);
    const againstStore = { store, backups: new Set(catalog.backups) };
    const ports = { vault, clock: testClock };
    const options = { quick: false, parallel: 1, againstStore };
    const [result] = await verifyChains(ports, catalog, catalog.backups, options);
    assert.deepEqual(
      result!.verification.problems.map(({ streamId, version }) => [streamId, version]),
      [['a', '2']],
    );
    assert.equal(result!.verification.missingEvents, 1);
  });

  test('an update that changes nothing is no difference', async () => {
    await backUp(store, vault);
    await server.exec(
      'ALTER TABLE eventcore_events DISABLE TRIGGER USER; UPDATE eventcore_events SET event_type = event_type',
      database,
    );
    assert.equal(await takenByTransactions(), 0);
  });
});

describe('after a failover', () => {
  test('the next backup goes on where the old primary was', async () => {
    const { primary, standby, name } = await makePair();
    try {
      const old = openPostgresStore(primary.address(name));
      await old.append([{ streamId: 'a', events: [{ type: 'T', data: '{}' }] }]);
      await caughtUpWith(primary, standby);
      await old.close();
      const promoted = await failOver(primary, standby, name);
      await promoted.append([{ streamId: 'a', events: [{ type: 'T', data: '{}' }] }]);
      const { manifest, headsReason } = await taken(promoted);
      assert.deepEqual([manifest.totalEvents, manifest.chain!.method], [2, 'heads']);
      assert.match(String(headsReason), /another timeline/);
      await promoted.append([{ streamId: 'b', events: [{ type: 'T', data: '{}' }] }]);
      assert.equal((await taken(promoted)).manifest.chain!.method, 'transactions');
      await promoted.close();
    } finally {
      await standby.stop();
      await primary.stop();
    }
  });

  test('nothing is lost while writers go on, when the standby had all that was visible', async () => {
    const { primary, standby, name } = await makePair();
    try {
      // With it a commit is visible only when the standby has it.
      await primary.exec("ALTER SYSTEM SET synchronous_standby_names = '*'");
      await primary.exec('SELECT pg_reload_conf()');
      await primary.exec(NAIVE_SCHEMA, name);
      const load = { writers: 6, maxDelayMs: 120, maxEventsPerInsert: 15, positions: false, mayBreak: true };
      const old = openPostgresStore(primary.address(name));
      const writers = await startSlowWriters({ ...load, address: primary.address(name) });
      await backUp(old, vault);
      for (let round = 0; round < 3; round += 1) {
        await sleep(200);
        assert.equal((await takeIncremental(old, vault)).kind, 'taken');
      }
      await old.close();
      const promoted = await failOver(primary, standby, name);
      await writers.stop();
      assert.ok(writers.committed() > 0);
      const others = await startSlowWriters({ ...load, address: standby.address(name) });
      const methods: string[] = [];
      for (let round = 0; round < 4; round += 1) {
        await sleep(200);
        const outcome = await takeIncremental(promoted, vault);
        assert.ok(outcome.kind === 'taken', JSON.stringify(outcome));
        methods.push(outcome.report.manifest.chain!.method);
      }
      await others.stop();
      assert.deepEqual(methods, ['heads', 'transactions', 'transactions', 'transactions']);
      assert.ok((await taken(promoted)).manifest.chain!.totalEvents > 100);
      await promoted.close();
    } finally {
      await standby.stop();
      await primary.stop();
    }
  });

  test('events that the standby never got, and others in their place, are named', async () => {
    const { primary, standby, name } = await makePair();
    try {
      await standby.exec('SELECT pg_promote(true, 20)');
      // Nobody has fenced the old primary: it goes on for a while.
      const old = openPostgresStore(primary.address(name));
      await old.append([
        { streamId: 'first', events: [{ type: 'Lost', data: '{}' }] },
        { streamId: 'gone', events: [{ type: 'Lost', data: '{}' }] },
      ]);
      await taken(old);
      await old.close();
      await primary.crash();
      const promoted = openPostgresStore(standby.address(name));
      await promoted.append([
        {
          streamId: 'first',
          events: [
            { type: 'Other', data: '{}' },
            { type: 'More', data: '{}' },
          ],
        },
      ]);
      const outcome = await takeIncremental(promoted, vault);
      assert.ok(outcome.kind === 'differs', JSON.stringify(outcome));
      assert.deepEqual(outcome.differences.streams, [
        { streamId: 'gone', kind: 'lost', events: 1, version: 1 },
        { streamId: 'first', kind: 'diverged', events: 1, version: 2 },
      ]);
      await promoted.close();
    } finally {
      await standby.stop();
      await primary.stop();
    }
  });
});

async function makePair(): Promise<{ primary: TestPostgres; standby: TestPostgres; name: string }> {
  const settings = { max_prepared_transactions: '20' };
  const primary = await startPostgres({ settings });
  const name = await primary.createDatabase();
  const source = openPostgresStore(primary.address(name));
  await source.initialise();
  await source.append([{ streamId: 'first', events: [{ type: 'T', data: '{}' }] }]);
  const standby = await startStandby(primary, { settings });
  await caughtUpWith(primary, standby);
  await backUp(source, vault);
  await source.close();
  return { primary, standby, name };
}

async function failOver(primary: TestPostgres, standby: TestPostgres, name: string): Promise<EventStore> {
  await primary.crash();
  await standby.exec('SELECT pg_promote(true, 20)');
  return openPostgresStore(standby.address(name));
}

function caughtUp(standby: TestPostgres): Promise<void> {
  return caughtUpWith(server, standby);
}

async function caughtUpWith(primary: TestPostgres, standby: TestPostgres): Promise<void> {
  const [at] = await primary.exec('SELECT pg_current_wal_flush_lsn()::text AS lsn');
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const [is] = await standby.exec(`SELECT pg_last_wal_replay_lsn() >= '${at!.lsn}' AS there`);
    if (is!.there === true) return;
    await sleep(50);
  }
  assert.fail('the standby does not catch up');
}
