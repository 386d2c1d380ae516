/** Emmett's own library for SQLite, over a file that was restored. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { getSQLiteEventStore } from '@event-driven-io/emmett-sqlite';
import type { EventStore } from '../../src/core/event-store.ts';
import { openSqliteStore } from '../../src/stores/sqlite/store.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { addIncremental } from '../harness/chain.ts';
import { backUp, verifyAll } from '../harness/memory-backup.ts';
import { makeTemporaryDirectory } from '../vaults/fs/temporary-directory.ts';
import { restoreNewest } from './restore-newest.ts';

type Emmett = ReturnType<typeof getSQLiteEventStore>;

async function openEmmett(t: TestContext): Promise<{ emmett: Emmett; store: EventStore }> {
  const folder = await makeTemporaryDirectory();
  const fileName = `${folder.path}/emmett.db`;
  const emmett = getSQLiteEventStore({ fileName });
  await emmett.schema.migrate();
  const store = openSqliteStore(`sqlite:${fileName}`);
  t.after(async () => {
    await store.close();
    await folder.remove();
  });
  return { emmett, store };
}

function added(n: number) {
  return { type: 'ProductAdded', data: { n, name: `Grüße ${n} 🙂` }, metadata: { by: 'test', n } };
}

/** Runs a processor until it has seen so many, or as many as there are. */
async function consume(emmett: Emmett, processorId: string, count: number): Promise<string[]> {
  const seen: string[] = [];
  const consumer = emmett.consumer({ pulling: { pullingFrequencyInMs: 5 } });
  consumer.processor({
    processorId,
    startFrom: 'CURRENT',
    eachMessage: ({ metadata }) => {
      seen.push(`${metadata.streamName}@${metadata.globalPosition}`);
    },
    stopAfter: () => seen.length === count,
  });
  await consumer.start();
  return seen;
}

describe("a store that Emmett's library for SQLite writes", () => {
  it('goes on in a restored file: all is delivered once, to a new consumer and to one that was half through', async (t) => {
    const { emmett, store } = await openEmmett(t);
    for (let i = 0; i < 20; i += 1) await emmett.appendToStream(`cart-${i % 4}`, [added(i), added(100 + i)]);
    const half = await consume(emmett, 'resumed', 15);
    const vault = memoryVault();
    await backUp(store, vault);
    for (let i = 0; i < 12; i += 1) await emmett.appendToStream(`order-${i % 5}`, [added(i)]);
    await addIncremental(store, vault);
    assert.ok((await verifyAll(vault)).every(({ overallValid }) => overallValid));

    const target = await openEmmett(t);
    await restoreNewest(vault, target.store);
    const fresh = await consume(target.emmett, 'fresh', 52);
    assert.equal(new Set(fresh).size, 52);
    assert.deepEqual([...half, ...(await consume(target.emmett, 'resumed', 52 - half.length))], fresh);
    const next = await target.emmett.appendToStream('cart-1', [added(1)], { expectedStreamVersion: 10n });
    assert.equal(next.nextExpectedStreamVersion, 11n);
    const { events } = await target.emmett.readStream('cart-1');
    assert.equal(events.length, 11);
    assert.deepEqual(events[0]?.data, { n: 1, name: 'Grüße 1 🙂' });
    assert.deepEqual(await consume(target.emmett, 'fresh', 1), ['cart-1@53']);
  });
});
