import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { EventStore } from '../../src/core/event-store.ts';
import { type CatalogEntry, readCatalog } from '../../src/format/catalog.ts';
import { memoryStore } from '../../src/stores/memory/store.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { grow } from '../harness/chain.ts';
import { backUp } from '../harness/memory-backup.ts';
import { contentOf } from '../harness/region.ts';
import { keysOf, makePerson, makeRing } from '../harness/test-keys.ts';
import { temporaryStore } from '../stores/sqlite/temporary-store.ts';
import { chainOf, filesOf, flip, healFromStore, healsToTheByte } from './rebuilding.ts';

async function growing(store: EventStore) {
  await store.initialise();
  return chainOf(store, (round) => grow(store, round * 10, 10));
}

describe('what a vault has lost is made anew of the live store', () => {
  it('to the byte, for every event file and heads file of a chain from SQLite', async (t) => {
    const { store } = temporaryStore(t);
    assert.equal(await healsToTheByte(store, await growing(store)), 9);
  });

  it('to the byte from memory too', async () => {
    const store = memoryStore();
    assert.equal(await healsToTheByte(store, await growing(store)), 9);
  });

  it('and not where an event was changed or deleted since: nothing is replaced, and the way out is said', async (t) => {
    for (const sql of [
      "UPDATE eventcore_events SET event_data = '{}' WHERE rowid = 3",
      'DELETE FROM eventcore_events WHERE rowid = 3',
    ]) {
      const { store, connect } = temporaryStore(t);
      const vault = await growing(store);
      const [name] = await filesOf(vault, 'events');
      await flip(vault, name!);
      connect().exec(sql);
      const before = await contentOf(vault);
      const { healed, unhealed } = await healFromStore(vault, store);
      assert.deepEqual(healed, []);
      assert.match(
        unhealed[0]!.reason,
        /cannot be made anew from the store: (chunk 0 .* other bytes|the store does not hold all)/,
      );
      assert.deepEqual(await contentOf(vault), before);
    }
  });

  it('and not without the chunk table, which says where chunks end', async (t) => {
    const { store } = temporaryStore(t);
    const vault = await growing(store);
    const [name] = await filesOf(vault, 'events');
    const [{ folder, manifest }] = (await readCatalog(vault)).backups as [CatalogEntry];
    const table = folder + manifest.files.find(({ role }) => role === 'events')!.index.name;
    await vault.removeObject(table);
    await flip(vault, name!);
    const { healed, unhealed } = await healFromStore(vault, store);
    assert.deepEqual([healed, unhealed.map((object) => object.name)], [[], [name, table]]);
  });

  it('and not where it is sealed', async () => {
    const store = memoryStore();
    await store.initialise();
    await grow(store, 0, 5);
    const vault = memoryVault();
    const person = await makePerson('owner');
    await backUp(store, vault, {}, keysOf(await makeRing([person])));
    const [name] = await filesOf(vault, 'events');
    await flip(vault, name!);
    const { healed, unhealed } = await healFromStore(vault, store);
    assert.deepEqual(healed, []);
    assert.match(unhealed[0]!.reason, /it is sealed/);
  });
});
