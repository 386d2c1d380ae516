import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { addIncremental } from '../harness/chain.ts';
import { backUp, verifyAll } from '../harness/memory-backup.ts';
import { temporaryStore } from '../stores/sqlite/temporary-store.ts';
import { added, append, consume, exactRows, makeEmmett } from './emmett-sqlite.ts';
import { restoreNewest } from './restore-newest.ts';

describe('a store of Emmett on SQLite', () => {
  it('comes back as it was, and goes on: all is delivered, once, to a new consumer and to one that was half through', async (t) => {
    const { store, db } = openEmmett(t);
    for (let i = 0; i < 20; i += 1) append(db, `cart-${i % 4}`, [added(i), added(100 + i)]);
    const half = consume(db, 'resumed', 15);
    const vault = memoryVault();
    await backUp(store, vault);
    for (let i = 0; i < 12; i += 1) append(db, `order-${i % 5}`, [added(i)]);
    await addIncremental(store, vault);
    assert.ok((await verifyAll(vault)).every(({ overallValid }) => overallValid));

    const target = openEmmett(t);
    await restoreNewest(vault, target.store);
    for (const table of ['emt_messages', 'emt_streams', 'emt_processors'])
      assert.deepEqual(exactRows(target.db, table), exactRows(db, table), table);
    const fresh = consume(target.db, 'fresh');
    assert.equal(fresh.length, 52);
    assert.deepEqual([...half, ...consume(target.db, 'resumed')], fresh);
    assert.equal(append(target.db, 'cart-1', [added(1)], 10), 11);
    assert.deepEqual(consume(target.db, 'fresh'), ['cart-1@11']);
  });
});

/** A store that Emmett made, with a connection of its application. */
function openEmmett(t: TestContext, version?: '0.41' | '0.42') {
  const place = temporaryStore(t);
  const db = place.connect();
  makeEmmett(db, version);
  return { ...place, db };
}
