import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { archive } from '../../src/capture/archiver.ts';
import { isBackupError } from '../../src/core/errors.ts';
import type { EventStore } from '../../src/core/event-store.ts';
import { parseTime } from '../../src/core/time.ts';
import type { Vault } from '../../src/core/vault.ts';
import { readLogCatalog } from '../../src/format/log-catalog.ts';
import { digestStore } from '../../src/integrity/store-digest.ts';
import { memoryStore } from '../../src/stores/memory/store.ts';
import { openPostgresStore } from '../../src/stores/postgres/store.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { recover } from '../harness/log-model.ts';
import { backUp, testClock } from '../harness/memory-backup.ts';
import { startPostgres, startStandby, type TestPostgres } from '../harness/postgres.ts';

/** What nobody does to an event store, and a superuser can. */
const HARM = [
  "DELETE FROM eventcore_events WHERE stream_id = 'a' AND stream_version = 2",
  `UPDATE eventcore_events SET event_data = '{"changed": true}' WHERE stream_id = 'b' AND stream_version = 3`,
  "UPDATE eventcore_events SET event_id = gen_random_uuid() WHERE stream_id = 'b' AND stream_version = 1",
  `WITH gone AS (DELETE FROM eventcore_events WHERE stream_id = 'c' RETURNING *)
     INSERT INTO eventcore_events SELECT * FROM gone WHERE stream_version < 3`,
  'TRUNCATE eventcore_events',
  "DELETE FROM eventcore_events WHERE stream_id = 'a'",
];

describe('a store that is not only appended to', () => {
  let server: TestPostgres;
  let database: string;
  let store: EventStore;

  before(async () => {
    server = await startPostgres();
    database = await server.createDatabase();
    store = openPostgresStore(server.address(database));
    await store.initialise();
  });

  after(async () => {
    await store?.close();
    await server?.stop();
  });

  async function append(): Promise<void> {
    const events = () => [{ id: randomUUID(), type: 'T', data: '{"n": 1}' }];
    await store.append(['a', 'b', 'c'].map((streamId) => ({ streamId, events: [...events(), ...events()] })));
  }

  async function now(): Promise<bigint> {
    // Two commits in one microsecond could not be told apart by time.
    await sleep(3);
    const [row] = await server.exec(
      `SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS time`,
    );
    await sleep(3);
    return parseTime(String(row!.time))!;
  }

  async function capture(vault: Vault): Promise<void> {
    await archive(
      { store, vault, clock: testClock },
      {
        ...{ format: 'columns', compression: 'zstd', level: null, flushMs: 20, idleMs: 50 },
        ...{ outage: { policy: 'hold' }, once: true },
      },
    );
  }

  it('is at every instant what it was then: what was deleted, changed, moved or emptied too', async () => {
    const vault = memoryVault();
    await append();
    await capture(vault);
    await append();
    const base = await backUp(store, vault);
    assert.ok(base.manifest.totalEvents > 0);
    const instants: { readonly time: bigint; readonly digest: string; readonly what: string }[] = [];
    const note = async (what: string): Promise<void> => {
      const time = await now();
      instants.push({ time, digest: (await digestStore(store)).digest, what });
    };
    await note('as backed up');
    for (const harm of HARM) {
      await append();
      await note(`before ${harm}`);
      await server.exec(`SET session_replication_role = replica; ${harm}`, database);
      await note(harm);
    }
    await append();
    await capture(vault);
    for (const { time, digest, what } of instants) {
      const { store: restored } = await recover(vault, { kind: 'time', time });
      assert.equal((await digestStore(restored)).digest, digest, what);
    }
    const latest = await recover(vault, { kind: 'latest' });
    assert.equal((await digestStore(latest.store)).digest, (await digestStore(store)).digest);
  });

  it('is carried on behind a gap from the backup that the archiver asks for there', async () => {
    const vault = memoryVault();
    // What the store keeps for the log of another vault is not wanted any more.
    await store.dropFeed();
    await capture(vault);
    await backUp(store, vault);
    await append();
    await capture(vault);
    const before = await now();
    const digest = (await digestStore(store)).digest;
    await append();
    await capture(vault);
    await store.dropFeed();
    await append();
    const lost = await now();
    await capture(vault);
    await backUp(store, vault);
    await append();
    await capture(vault);
    const latest = await recover(vault, { kind: 'latest' });
    assert.notEqual(latest.plan.log, null, latest.plan.reasons.join('; '));
    assert.equal((await digestStore(latest.store)).digest, (await digestStore(store)).digest);
    const earlier = await recover(vault, { kind: 'time', time: before });
    assert.equal((await digestStore(earlier.store)).digest, digest);
    await assert.rejects(recover(vault, { kind: 'time', time: lost }), (error) =>
      isBackupError(error, 'log_gap'),
    );
  });

  it('is carried on from a backup that was taken of its standby', async () => {
    const vault = memoryVault();
    // What the store keeps for the log of another vault is not wanted any more.
    await store.dropFeed();
    await capture(vault);
    await append();
    const standby = await startStandby(server);
    const copy = openPostgresStore(standby.address(database));
    try {
      const { events } = await store.count();
      while ((await copy.count().catch(() => ({ events: 0 }))).events < events) await sleep(20);
      const { manifest } = await backUp(copy, vault);
      assert.equal(manifest.cursor.role, 'standby');
      const between = await now();
      const digest = (await digestStore(store)).digest;
      await append();
      await capture(vault);
      const [timeline] = await readLogCatalog(vault);
      assert.deepEqual(timeline!.problems, []);
      const then = await recover(vault, { kind: 'time', time: between });
      assert.equal((await digestStore(then.store)).digest, digest);
      const latest = await recover(vault, { kind: 'latest' }, memoryStore());
      assert.notEqual(latest.plan.log, null, latest.plan.reasons.join('; '));
      assert.equal((await digestStore(latest.store)).digest, (await digestStore(store)).digest);
    } finally {
      await copy.close();
      await standby.stop();
    }
  });
});
