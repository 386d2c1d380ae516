import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import pg from 'pg';
import { isBackupError } from '../../src/core/errors.ts';
import type { EventStore } from '../../src/core/event-store.ts';
import type { PastStore } from '../../src/core/past-store.ts';
import { formatTime } from '../../src/core/time.ts';
import type { Vault } from '../../src/core/vault.ts';
import { diffStore, type StoreDiff } from '../../src/integrity/diff/diff.ts';
import { openPast } from '../../src/recovery/past.ts';
import { openPostgresStore } from '../../src/stores/postgres/store.ts';
import type { TestEvent } from '../../src/testing/batches.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { newestChain } from '../harness/chain-backup.ts';
import { type EditedStore, type Event, editedStores } from '../harness/diff-edits.ts';
import { backUp, fill } from '../harness/memory-backup.ts';
import { startPostgres, type TestPostgres } from '../harness/postgres.ts';

const ROUNDS = 6;
const OPTIONS = { selection: null, totalEvents: 100, limit: 100, events: { payloads: false } } as const;

describe('a diff against PostgreSQL', () => {
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

  const past = async (vault: Vault): Promise<PastStore> =>
    openPast(vault, { chain: await newestChain(vault), log: null }, { streamIds: null });

  async function backedUp(events: readonly TestEvent[]): Promise<Vault> {
    const vault = memoryVault();
    await fill(store, events);
    await backUp(store, vault);
    return vault;
  }

  it('shows exactly what a superuser did, by what the server says was written and by reading all', async () => {
    for (const edited of fc.sample(editedStores({ doubles: false }), ROUNDS)) {
      const vault = await backedUp(edited.before);
      await server.exec(editSql(edited), database);
      const known = await past(vault);
      const snapshot = await store.openSnapshot();
      assert.equal(typeof (await snapshot.planChanges(known.cursor!, 1)), 'object');
      await snapshot.close();
      for (const cursor of [known.cursor, null]) {
        const diff = await diffStore(store, { ...known, cursor }, OPTIONS);
        assert.deepEqual(eventsIn(diff), edited.expected, `cursor ${JSON.stringify(cursor)}`);
      }
    }
  });

  it('reads little of a store in which nothing was written over', async () => {
    const many = Array.from({ length: 3000 }, (_, i): Event => {
      const id = `00000000-0000-7000-8000-${String(i).padStart(12, '0')}`;
      return { id, streamId: `s-${i % 100}`, version: Math.floor(i / 100) + 1 };
    });
    const vault = await backedUp(many);
    await store.append([{ streamId: 's-7', events: [{ type: 'T', data: '{}' }] }]);
    await server.exec(
      `SET session_replication_role = replica; DELETE FROM eventcore_events WHERE stream_id = 's-9'`,
      database,
    );
    let read = 0;
    const known = await past(vault);
    const counting: PastStore = {
      ...known,
      read: (names, take) =>
        known.read(names, (batch) => {
          read += batch.count;
          take(batch);
        }),
    };
    const { totals, streams } = await diffStore(store, counting, { ...OPTIONS, events: null });
    assert.deepEqual([totals.missing, totals.newer.events], [{ events: 30, streams: 1 }, 1]);
    assert.deepEqual([streams[0]!.streamId, read], ['s-9', 0]);
  });

  it('ends with an error that says so when the server ends its connections in the midst of it', async () => {
    const events = Array.from(
      { length: 50 },
      (_, i): Event => ({ id: uuid(i), streamId: 's', version: i + 1 }),
    );
    const known = await past(await backedUp(events));
    const dying: PastStore = {
      ...known,
      cursor: null,
      read: async (names, take) => {
        await server.exec(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${database}' AND pid <> pg_backend_pid()`,
        );
        await known.read(names, take);
      },
    };
    await server.exec(
      `SET session_replication_role = replica; DELETE FROM eventcore_events WHERE stream_version = 7`,
      database,
    );
    await assert.rejects(diffStore(store, dying, OPTIONS), (error) =>
      isBackupError(error, 'store_unreachable'),
    );
    const { totals } = await diffStore(store, known, OPTIONS);
    assert.equal(totals.missing.events, 1);
  });
});

function uuid(number: number): string {
  return `00000000-0000-7000-8000-${String(number).padStart(12, '0')}`;
}

/** Statements that leave the store with just what is wanted, each event by itself. */
function editSql({ before, after, written }: EditedStore): string {
  const kept = new Set(after.map(({ id }) => id));
  const known = new Set(before.map(({ id }) => id));
  const gone = before.filter(({ id }) => !kept.has(id));
  return [
    'SET session_replication_role = replica',
    ...gone.map(({ id }) => `DELETE FROM eventcore_events WHERE event_id = '${id}'`),
    ...written.map((event) => (known.has(event.id) ? updateSql(event) : insertSql(event))),
  ].join(';\n');
}

function valuesOf({ type = 'Tested', data = '{}', metadata = '{}', time = 0n }: Event): string[] {
  const texts = [type, data, metadata].map((text) => pg.escapeLiteral(String(text)));
  return [...texts, `'${formatTime(time)}'`];
}

function updateSql(event: Event): string {
  const [type, data, metadata, time] = valuesOf(event);
  return `UPDATE eventcore_events SET event_type = ${type}, event_data = ${data}, metadata = ${metadata}, created_at = ${time} WHERE event_id = '${event.id}'`;
}

function insertSql(event: Event): string {
  const [type, data, metadata, time] = valuesOf(event);
  return `INSERT INTO eventcore_events (event_id, stream_id, stream_version, event_type, event_data, metadata, created_at)
    VALUES ('${event.id}', ${pg.escapeLiteral(event.streamId)}, ${event.version}, ${type}, ${data}, ${metadata}, ${time})`;
}

function eventsIn({ streams }: StoreDiff): string[] {
  return streams
    .flatMap(({ streamId, events }) =>
      events!.map(({ version, kind, fields }) =>
        [JSON.stringify(streamId), version, kind, kind === 'replaced' ? 'id' : fields.join()].join(' '),
      ),
    )
    .sort();
}
