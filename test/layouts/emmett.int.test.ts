import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { openPostgresStore } from '../../src/stores/postgres/store.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { addIncremental } from '../harness/chain.ts';
import { backUp, verifyAll } from '../harness/memory-backup.ts';
import { startPostgres, type TestPostgres } from '../harness/postgres.ts';
import { added, consume, openEmmett } from './emmett.ts';
import { restoreNewest } from './restore-newest.ts';
import { dumpAndRestore, findDumper } from './round-trip.ts';

describe('a store of Emmett', () => {
  let server: TestPostgres;
  let other: TestPostgres;
  before(async () => {
    [server, other] = await Promise.all([startPostgres(), startPostgres()]);
    // Transactions of the restored cluster have lower numbers.
    await server.exec(
      'DO $$ BEGIN FOR i IN 1..3000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$',
    );
  });
  after(async () => {
    await server?.stop();
    await other?.stop();
  });

  it('goes on in another cluster: all is delivered, to a new consumer and to one that was half through', async () => {
    const address = server.address(await server.createDatabase('shop'));
    const live = await openEmmett(address);
    for (let i = 0; i < 20; i += 1) await live.appendToStream(`cart-${i % 4}`, [added(i), added(100 + i)]);
    const half = await consume(live, 'resumed');
    assert.ok(half.length > 0);
    const store = openPostgresStore(address);
    const vault = memoryVault();
    await backUp(store, vault);
    await Promise.all(
      Array.from({ length: 12 }, (_, i) => live.appendToStream(`order-${i}`, [added(i), added(i + 50)])),
    );
    await addIncremental(store, vault);
    assert.ok((await verifyAll(vault)).every(({ overallValid }) => overallValid));

    const target = other.address(await other.createDatabase('shop'));
    const restored = await openEmmett(target);
    await restoreNewest(vault, openPostgresStore(target));
    const all = 40 + 24;
    const fresh = await consume(restored, 'fresh');
    assert.equal(new Set(fresh).size, all);
    assert.equal(fresh.length, all);
    const rest = await consume(restored, 'resumed');
    assert.deepEqual(new Set([...half, ...rest]).size, all, 'nothing is passed over');
    const { nextExpectedStreamVersion } = await restored.appendToStream('cart-1', [added(1)], {
      expectedStreamVersion: 10n,
    });
    assert.equal(nextExpectedStreamVersion, 11n);
    assert.deepEqual(await consume(restored, 'fresh'), ['cart-1@11']);
    await Promise.all([store.close(), live.close(), restored.close()]);
  });

  it('hides its messages from all consumers after pg_dump and pg_restore', async (t) => {
    const dumper = findDumper(server);
    if (dumper === null) return t.skip('no pg_dump on this machine');
    const source = await server.createDatabase();
    const live = await openEmmett(server.address(source));
    for (let i = 0; i < 8; i += 1) await live.appendToStream('cart', [added(i)]);
    assert.equal((await consume(live, 'half')).length, 8);
    const target = await dumpAndRestore(dumper, { from: server, to: other, source });
    const restored = await openEmmett(other.address(target));
    assert.equal((await restored.readStream('cart')).events.length, 8);
    assert.deepEqual(await consume(restored, 'fresh'), []);
    await Promise.all([live.close(), restored.close()]);
  });
});
