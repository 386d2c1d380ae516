import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { openPostgresStore } from '../../src/stores/postgres/store.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { addIncremental } from '../harness/chain.ts';
import { backUp, verifyAll } from '../harness/memory-backup.ts';
import { startPostgres, type TestPostgres } from '../harness/postgres.ts';
import { installMessageDb, messageDbAddress, openMessageDb } from './message-db.ts';
import { restoreNewest } from './restore-newest.ts';
import { dumpAndRestore, findDumper } from './round-trip.ts';

describe('a store of message-db', () => {
  let server: TestPostgres;
  let other: TestPostgres;
  before(async () => {
    [server, other] = await Promise.all([startPostgres(), startPostgres()]);
  });
  after(async () => {
    await server?.stop();
    await other?.stop();
  });

  it('is backed up, and goes on in another cluster with its own functions', async () => {
    const name = await server.createDatabase('shop');
    await installMessageDb(server, name);
    const live = await openMessageDb(server, name);
    for (let i = 0; i < 120; i += 1) {
      const [data, metadata] = [
        i % 7 === 0 ? undefined : { n: i, text: 'Grüße 🙂' },
        i % 3 === 0 ? undefined : { m: [i, null] },
      ];
      await live.write({ id: crypto.randomUUID(), stream: `cart-${i % 9}`, type: 'Added', data, metadata });
    }
    // Found by looking.
    const store = openPostgresStore(server.address(name));
    const vault = memoryVault();
    await backUp(store, vault);
    for (let i = 0; i < 10; i += 1)
      await live.write({
        id: crypto.randomUUID(),
        stream: `order-${i % 2}`,
        type: 'Placed',
        data: null,
        metadata: null,
      });
    await addIncremental(store, vault);
    assert.ok((await verifyAll(vault)).every(({ overallValid }) => overallValid));
    const target = await other.createDatabase('shop');
    await installMessageDb(other, target);
    await restoreNewest(vault, openPostgresStore(messageDbAddress(other, target)));
    const there = await openMessageDb(other, target);
    assert.deepEqual(await there.rows(), await live.rows());
    assert.equal(
      await there.write({
        id: crypto.randomUUID(),
        stream: 'order-1',
        type: 'Placed',
        data: {},
        metadata: {},
        expected: 4,
      }),
      5n,
    );
    assert.equal((await there.category('order', 1)).length, 11);
    await Promise.all([store.close(), live.close(), there.close()]);
  });

  it('is as whole after pg_dump and pg_restore, where its role is there', async (t) => {
    const dumper = findDumper(server);
    if (dumper === null) return t.skip('no pg_dump on this machine');
    const source = await server.createDatabase();
    await installMessageDb(server, source);
    const live = await openMessageDb(server, source);
    const message = { stream: 'cart-1', type: 'Added', data: { n: 1 }, metadata: null };
    for (let i = 0; i < 5; i += 1) await live.write({ ...message, id: crypto.randomUUID() });
    const target = await dumpAndRestore(dumper, { from: server, to: other, source });
    const there = await openMessageDb(other, target);
    assert.deepEqual(await there.rows(), await live.rows());
    assert.equal(await there.write({ ...message, id: crypto.randomUUID(), expected: 4 }), 5n);
    await Promise.all([live.close(), there.close()]);
  });
});
