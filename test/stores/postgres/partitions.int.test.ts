import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import { takeFullBackup } from '../../../src/backup/full.ts';
import type { IncrementalOutcome } from '../../../src/backup/incremental.ts';
import type { EventStore } from '../../../src/core/event-store.ts';
import type { Vault } from '../../../src/core/vault.ts';
import type { Writers } from '../../../src/core/writers.ts';
import { digestStore } from '../../../src/integrity/store-digest.ts';
import { restoreBackup } from '../../../src/recovery/restore.ts';
import { makeBatch } from '../../../src/testing/batches.ts';
import { memoryVault } from '../../../src/vaults/memory/vault.ts';
import { newestChain } from '../../harness/chain-backup.ts';
import { faultyVault } from '../../harness/faulty-vault.ts';
import { backUp, backupDefaults, testClock, verifyAll } from '../../harness/memory-backup.ts';
import { startPostgres, type TestPostgres } from '../../harness/postgres.ts';
import { proveIncrementals } from '../../harness/proof.ts';
import { digestChain, takeIncremental } from '../../harness/proof-run.ts';
import { EVENTCORE } from '../../harness/proven-store.ts';
import { makePartitioned, PARTITIONINGS, type Partitioning } from './partitioned.ts';
import {
  closeStores,
  openStore,
  readRows,
  readStagingSchemas,
  refused,
  seedEvents,
  streamOf,
} from './seeding.ts';

describe('a store whose table of events is partitioned', { concurrency: 3 }, () => {
  let server: TestPostgres;
  before(async () => {
    server = await startPostgres({ settings: { max_prepared_transactions: '20' } });
  });
  after(async () => {
    await closeStores();
    await server?.stop();
  });

  const filled = async (partitioning: Partitioning, events = 600) => {
    const database = await makePartitioned(server, partitioning);
    await seedEvents(server, database, events);
    return { database, store: openStore(server.address(database)) };
  };

  const restoreInto = async (database: string, vault: Vault, replace = false): Promise<EventStore> => {
    const target = openStore(server.address(database));
    const options = { replace, checkpoints: 'keep', parallel: 2 } as const;
    await restoreBackup({ target, vault, clock: testClock }, await newestChain(vault), options);
    return target;
  };

  const others: Readonly<Record<Partitioning, Partitioning>> = {
    'by stream': 'by time',
    'by time': 'by type',
    'by type': 'by stream',
  };
  for (const partitioning of Object.keys(PARTITIONINGS) as Partitioning[]) {
    it(`${partitioning} is read part by part, as one cut, and restored into a plain and into a partitioned one`, async () => {
      const { database, store } = await filled(partitioning);
      const held = await digestStore(store);
      const snapshot = await store.openSnapshot();
      await server.exec(
        "INSERT INTO eventcore_events (event_id, stream_id, event_type, event_data) VALUES (gen_random_uuid(), 'late', 'Type1', '{}')",
        database,
      );
      const ranges = await snapshot.planRanges(4);
      const parts = await partsOf(database);
      assert.deepEqual(ranges.map(({ spec }) => JSON.parse(spec).leaf).sort(), parts.sort());
      assert.equal((await readRows(snapshot, ranges)).length, held.events);
      const blocks = await snapshot.planBlocks();
      const all = Array.from({ length: blocks.blocks }, (_, block) => blocks.range(block));
      assert.equal((await readRows(snapshot, all)).length, held.events);
      await snapshot.close();

      const vault = memoryVault();
      await backUp(store, vault);
      assert.ok((await verifyAll(vault)).every(({ overallValid }) => overallValid));
      const wanted = await digestStore(store);
      const plain = await server.createDatabase();
      assert.deepEqual(await digestStore(await restoreInto(plain, vault)), wanted);
      const other = await makePartitioned(server, others[partitioning]);
      const target = await restoreInto(other, vault);
      assert.deepEqual(await digestStore(target), wanted);
      const before = await partsOf(other);
      assert.deepEqual(await digestStore(await restoreInto(other, vault, true)), wanted);
      assert.deepEqual(await partsOf(other), before, 'the table stays as its owner made it');
      await target.append([
        { streamId: 'late', expectedVersion: 1n, events: [{ type: 'Type1', data: '{}' }] },
      ]);
    });
  }

  /** Oids of the parts with rows. */
  async function partsOf(database: string): Promise<string[]> {
    const rows = await server.exec(
      "SELECT c.oid::text FROM pg_partition_tree('eventcore_events') JOIN pg_class c ON c.oid = relid WHERE relkind = 'r' ORDER BY 1",
      database,
    );
    return rows.map(({ oid }) => String(oid));
  }

  it('has incremental backups that lose nothing while writers commit late and backups are killed', async (context) => {
    const folder = await mkdtemp(join(tmpdir(), 'eventcore-parts-'));
    try {
      const result = await proveIncrementals(server, join(folder, 'vault'), {
        proven: {
          ...EVENTCORE,
          make: async () => server.address(await makePartitioned(server, 'by stream')),
        },
        ...{ events: 2500, leastIncrementals: 6, writers: 6, maxDelayMs: 200, maxEventsPerInsert: 20 },
        ...{ pauseMs: 100, killEvery: 4, killWithinMs: 900, maxLinks: 25 },
      });
      context.diagnostic(JSON.stringify(result));
      assert.ok(result.incrementals >= 6 && result.killed >= 1);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it('tells what is new by the numbers of transactions, in one statement for all its parts', async () => {
    const { store } = await filled('by time');
    const { cursor } = (await backUp(store, memoryVault())).manifest;
    await store.append([{ streamId: 'new', expectedVersion: 0n, events: [{ type: 'T', data: '{}' }] }]);
    const snapshot = await store.openSnapshot();
    const changes = await snapshot.planChanges(cursor, 8);
    assert.ok(typeof changes !== 'string' && changes.length === 1, JSON.stringify(changes));
    // What was written while the server's own housekeeping ran may come once more: it is known.
    const found = (await readRows(snapshot, changes)).filter(({ streamId }) => streamId === 'new');
    assert.equal(found.length, 1);
    await snapshot.close();
  });

  it('is compared stream by stream where a part was added, and said to have lost events where one was taken away', async () => {
    const { database, store } = await filled('by type');
    const vault = memoryVault();
    await backUp(store, vault);
    await server.exec(
      "CREATE TABLE events_new PARTITION OF eventcore_events FOR VALUES IN ('Added')",
      database,
    );
    await store.append([{ streamId: 'new', expectedVersion: 0n, events: [{ type: 'Added', data: '{}' }] }]);
    await taken(store, vault, /other parts/);
    await store.append([{ streamId: 'new', expectedVersion: 1n, events: [{ type: 'Added', data: '{}' }] }]);
    await taken(store, vault, null);
    assert.deepEqual(await digestChain(vault, await newestChain(vault)), await digestStore(store));

    await server.exec('ALTER TABLE eventcore_events DETACH PARTITION events_new', database);
    const detached = await takeIncremental(store, vault);
    assert.ok(detached.kind === 'differs', JSON.stringify(detached));
    assert.equal(detached.differences.events.lost, 2);
    await server.exec(
      "ALTER TABLE eventcore_events ATTACH PARTITION events_new FOR VALUES IN ('Added')",
      database,
    );
    await taken(store, vault, null);
  });

  async function taken(store: EventStore, vault: Vault, reason: RegExp | null): Promise<IncrementalOutcome> {
    const outcome = await takeIncremental(store, vault);
    assert.ok(outcome.kind === 'taken', JSON.stringify(outcome));
    const { headsReason } = outcome.report;
    if (reason === null) assert.equal(headsReason, null);
    else assert.match(headsReason ?? '', reason);
    return outcome;
  }

  it('is taken up where a backup died, with what was committed in parts that were finished', async () => {
    const { store } = await filled('by stream', 4000);
    const calls = faultyVault(memoryVault(), {});
    await begin(store, calls.vault);
    let takenUp = 0;
    for (let failAt = calls.calls() - 1; failAt > 8; failAt -= 9) {
      const vault = memoryVault();
      await assert.rejects(begin(store, faultyVault(vault, { failAt, forGood: true }).vault));
      const streams = ['stream-1', 'stream-2', 'stream-3', 'stream-4', `new-${failAt}`];
      for (const streamId of streams) {
        const expectedVersion = (await store.findStream(streamId))?.lastVersion ?? 0;
        const events = [{ type: 'Type0', data: '{}' }];
        await store.append([{ streamId, expectedVersion: BigInt(expectedVersion), events }]);
      }
      const { resumed } = await begin(store, vault);
      if (resumed !== null && resumed.filesKept > 0) takenUp += 1;
      assert.deepEqual(await digestChain(vault, await newestChain(vault)), await digestStore(store));
    }
    assert.ok(takenUp > 0);
  });

  function begin(store: EventStore, vault: Vault) {
    const writers: Writers = { self: 'run', stateOf: () => 'dead' };
    return takeFullBackup({ store, vault, clock: testClock, writers }, backupDefaults);
  }

  it('is read as one table by a role that may read it and not its parts', async () => {
    const { database, store } = await filled('by stream');
    await server.exec(
      'CREATE ROLE reader LOGIN; GRANT SELECT ON eventcore_events, eventcore_subscription_versions, eventcore_command_state_snapshots TO reader',
      database,
    );
    const reader = openStore(server.address(database, 'reader'));
    const snapshot = await reader.openSnapshot();
    assert.equal((await snapshot.planRanges(4)).length, 1);
    const blocks = await snapshot.planBlocks();
    assert.equal((await readRows(snapshot, [blocks.range(0)])).length, 600);
    await snapshot.close();
    const vault = memoryVault();
    await backUp(reader, vault);
    await store.append([{ streamId: 'new', expectedVersion: 0n, events: [{ type: 'T', data: '{}' }] }]);
    await taken(reader, vault, null);
    assert.deepEqual(await digestChain(vault, await newestChain(vault)), await digestStore(store));
  });

  it('keeps its own triggers and those of its parts from what is restored, and has them in force again', async () => {
    const { store } = await filled('by stream');
    const vault = memoryVault();
    await backUp(store, vault);
    const target = await makePartitioned(server, 'by stream');
    await server.exec(
      `CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.event_type := 'Spoilt'; RETURN NEW; END $$;
       CREATE TRIGGER spoil BEFORE INSERT ON eventcore_events_0 FOR EACH ROW EXECUTE FUNCTION spoil();
       CREATE TRIGGER off BEFORE INSERT ON eventcore_events_2 FOR EACH ROW EXECUTE FUNCTION spoil();
       ALTER TABLE eventcore_events_2 DISABLE TRIGGER off`,
      target,
    );
    const states = () =>
      server.exec(
        'SELECT tgrelid::regclass::text, tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2',
        target,
      );
    const before = await states();
    assert.deepEqual(await digestStore(await restoreInto(target, vault)), await digestStore(store));
    assert.deepEqual(await states(), before);
  });

  it('takes a merge as a plain one does', async () => {
    const { store } = await filled('by stream', 200);
    const merge = await store.openMerge({ dryRun: false });
    const writer = await merge.openWriter();
    await writer.write(makeBatch(streamOf(5, 'merged')));
    await writer.end();
    for await (const { conflictAt } of merge.compare()) assert.equal(conflictAt, null);
    assert.equal(await merge.publish(), 5);
    assert.equal((await store.readStream('merged')).length, 5);
  });

  it('that has no place for an event refuses all of them, and stays as it was', async () => {
    const { store } = await filled('by stream', 50);
    const vault = memoryVault();
    await backUp(store, vault);
    const target = await makePartitioned(server, 'by type');
    await server.exec('DROP TABLE events_rest', target);
    await refused(restoreInto(target, vault), 'value_not_storable', /PARTITION OF .* DEFAULT/);
    assert.equal((await openStore(server.address(target)).count()).events, 0);
    assert.deepEqual(await readStagingSchemas(server, target), []);
  });

  it('is refused with a part on another server, and as a change log', async () => {
    const { database, store } = await filled('by type', 10);
    await refused(
      store.openFeed({ source: null, resumeAt: null, lastEventId: null }),
      'store_unsupported',
      /partitioned/,
    );
    await server.exec(
      `ALTER TABLE eventcore_events DROP CONSTRAINT eventcore_events_pkey;
       CREATE FOREIGN DATA WRAPPER elsewhere; CREATE SERVER other FOREIGN DATA WRAPPER elsewhere;
       CREATE FOREIGN TABLE events_far PARTITION OF eventcore_events FOR VALUES IN ('Far') SERVER other`,
      database,
    );
    const refusedWork: (() => Promise<unknown>)[] = [
      () => store.openSnapshot(),
      () => store.inspect(),
      () => store.openRestore({ attemptId: 'a', replace: true }),
    ];
    for (const work of refusedWork) await refused(work(), 'store_unsupported', /events_far.*another server/);
  });

  it('holds its parts while a view of it is open: none is taken away or emptied meanwhile', async () => {
    const { database, store } = await filled('by stream', 300);
    const snapshot = await store.openSnapshot();
    const client = new pg.Client(server.address(database));
    await client.connect();
    try {
      await client.query("SET lock_timeout = '100ms'");
      for (const sql of [
        'TRUNCATE eventcore_events_0',
        'ALTER TABLE eventcore_events DETACH PARTITION eventcore_events_0',
      ])
        await assert.rejects(client.query(sql), /lock timeout/, sql);
      assert.equal((await readRows(snapshot, await snapshot.planRanges(2))).length, 300);
    } finally {
      await client.end();
      await snapshot.close();
    }
  });
});
