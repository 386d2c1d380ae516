import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { EventStore } from '../../src/core/event-store.ts';
import type { Vault } from '../../src/core/vault.ts';
import { readCatalog } from '../../src/format/catalog.ts';
import { verifyChains } from '../../src/integrity/verify/chains.ts';
import { memoryStore } from '../../src/stores/memory/store.ts';
import type { TestEvent } from '../../src/testing/batches.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { backUpChanges } from '../harness/chain-backup.ts';
import { backUp, fill, testClock } from '../harness/memory-backup.ts';
import { temporaryStore } from '../stores/sqlite/temporary-store.ts';

const EVENTS: readonly TestEvent[] = Array.from({ length: 60 }, (_, i) => ({
  ...{ id: `00000000-0000-7000-8000-${String(i).padStart(12, '0')}`, streamId: `stream-${i % 6}` },
  ...{ version: Math.floor(i / 6) + 1, data: `{"n":${i}}` },
}));

/** A full backup of the first half and an incremental one of the rest, compared with what the store is now. */
async function compare(store: EventStore, now: readonly TestEvent[]) {
  const vault: Vault = memoryVault();
  await fill(store, EVENTS.slice(0, 30));
  await backUp(store, vault);
  await fill(store, EVENTS);
  await backUpChanges(store, vault);
  await fill(store, now);
  const catalog = await readCatalog(vault);
  const againstStore = { store, backups: new Set([catalog.backups.at(-1)!]) };
  const ports = { vault, clock: testClock };
  const results = await verifyChains(ports, catalog, catalog.backups, {
    quick: false,
    parallel: 1,
    againstStore,
  });
  const [first, last] = results.map(({ verification }) => verification);
  assert.equal(first!.overallValid, true);
  return last!;
}

const PLACES: Readonly<Record<string, (t: TestContext) => EventStore>> = {
  memory: () => memoryStore(),
  SQLite: (t) => temporaryStore(t).store,
};

for (const [name, make] of Object.entries(PLACES)) {
  describe(`a chain that is compared with a store in ${name}`, () => {
    it('is sound when the store is as it was', async (t) => {
      const result = await compare(make(t), EVENTS);
      assert.deepEqual([result.overallValid, result.completenessVerified, result.problems], [true, true, []]);
    });

    it('shows each stream with events that were changed, in whichever backup they are', async (t) => {
      const changed = EVENTS.map((event, i) =>
        [1, 7, 8, 50].includes(i) ? { ...event, data: '{}' } : event,
      );
      const { overallValid, problems } = await compare(make(t), changed);
      assert.equal(overallValid, false);
      assert.deepEqual(
        problems.map(({ streamId, version, message }) => [streamId, version, message]).sort(),
        [
          [
            'stream-1',
            '1',
            'stream "stream-1" in the store has other content for 2 events of the backup, from version 1 on',
          ],
          [
            'stream-2',
            '2',
            'stream "stream-2" in the store has other content for 2 events of the backup, from version 2 on',
          ],
        ],
      );
      assert.ok(problems.every(({ code }) => code === 'store_differs'));
    });

    it('shows events that others were put in the place of', async (t) => {
      const id = '00000000-0000-7000-8000-ffffffffffff';
      const { problems } = await compare(make(t), [...EVENTS.slice(0, 59), { ...EVENTS[59]!, id }]);
      assert.deepEqual(
        problems.map(({ message }) => message),
        ['stream "stream-5" in the store has another id for 1 event of the backup, from version 10 on'],
      );
    });

    it('says of events that are gone only that they are gone', async (t) => {
      const { problems } = await compare(make(t), EVENTS.slice(0, 58));
      assert.deepEqual(
        problems.map(({ streamId }) => streamId),
        ['stream-4', 'stream-5'],
      );
      assert.match(problems[0]!.message, /1 event is gone/);
    });
  });
}

describe('rows of a database that were written over in place', () => {
  it('show though their numbers are those that were backed up', async (t) => {
    const { store, migrate } = temporaryStore(t);
    const db = migrate();
    const write = (n: number): void => {
      const id = `00000000-0000-7000-8000-${String(n).padStart(12, '0')}`;
      db.prepare(
        `INSERT INTO eventcore_events (event_id, stream_id, stream_version, event_type, event_data) VALUES (?, 's', ?, 'T', '{}')`,
      ).run(id, n);
    };
    for (const n of [1, 2, 3, 4]) write(n);
    const vault: Vault = memoryVault();
    await backUp(store, vault);
    db.exec(`UPDATE eventcore_events SET event_data = '{"changed":1}' WHERE stream_version = 2`);
    write(5);
    const catalog = await readCatalog(vault);
    const againstStore = { store, backups: new Set(catalog.backups) };
    const options = { quick: false, parallel: 1, againstStore };
    const [result] = await verifyChains({ vault, clock: testClock }, catalog, catalog.backups, options);
    const { overallValid, problems } = result!.verification;
    assert.equal(overallValid, false);
    assert.deepEqual(
      problems.map(({ code, streamId, version }) => [code, streamId, version]),
      [['store_differs', 's', '2']],
    );
  });
});
