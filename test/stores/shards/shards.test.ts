import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CompanionRow, EventStore, RestoreSession } from '../../../src/core/event-store.ts';
import { nameBytes } from '../../../src/core/name-text.ts';
import { bucketOf } from '../../../src/core/stream-bucket.ts';
import { digestStore } from '../../../src/integrity/store-digest.ts';
import { restoreBackup } from '../../../src/recovery/restore.ts';
import { memoryStore } from '../../../src/stores/memory/store.ts';
import { openShardsStore } from '../../../src/stores/shards/store.ts';
import { makeBatch } from '../../../src/testing/batches.ts';
import { collect, numbered, refuses } from '../../../src/testing/event-store/fixture.ts';
import { memoryVault } from '../../../src/vaults/memory/vault.ts';
import { newestChain } from '../../harness/chain-backup.ts';
import { backUp, fill, testClock } from '../../harness/memory-backup.ts';
import { digestChain, takeIncremental } from '../../harness/proof-run.ts';

/** Of `count` shards, with 40 streams where their names say. */
async function filledShards(count: number): Promise<{ store: EventStore; shards: EventStore[] }> {
  const shards = Array.from({ length: count }, memoryStore);
  const store = openShardsStore('shards:shop', shards, 'hash');
  await store.initialise();
  for (let i = 0; i < 40; i += 1)
    await store.append([{ streamId: `order-${i}`, events: numbered(1 + (i % 4), i * 10) }]);
  return { store, shards };
}

async function restoreNewest(vault: ReturnType<typeof memoryVault>, target: EventStore, replace = false) {
  const options = { replace, checkpoints: 'keep', parallel: 1 } as const;
  return restoreBackup({ target, vault, clock: testClock }, await newestChain(vault), options);
}

describe('a store of several shards', () => {
  it('is backed up and restored into as many, more, fewer, and into a plain one', async () => {
    const { store, shards } = await filledShards(3);
    const vault = memoryVault();
    const { manifest } = await backUp(store, vault);
    assert.deepEqual(
      [manifest.store.kind, manifest.cursor.kind, manifest.cursor.shards],
      ['shards', 'shards', 3],
    );
    const { cursor, openedAt } = JSON.parse(String(manifest.cursor.shard2));
    assert.equal(cursor.kind, 'memory');
    assert.match(openedAt, /^\d{4}-.*Z$/);
    const held = await digestStore(store);
    for (const count of [1, 2, 3, 5]) {
      const targets = Array.from({ length: count }, memoryStore);
      const target = openShardsStore('shards:other', targets, 'hash');
      await restoreNewest(vault, target);
      assert.deepEqual(await digestStore(target), held, `${count} shards`);
      for (const [shard, one] of targets.entries()) {
        for (const { streamId } of await collect(one.listStreams()))
          assert.equal(bucketOf({ seed: 0, of: count }, nameBytes(streamId)), shard);
      }
      if (count !== 3) continue;
      for (const [shard, one] of targets.entries())
        assert.deepEqual(await digestStore(one), await digestStore(shards[shard]!));
    }
    const plain = memoryStore();
    await restoreNewest(vault, plain);
    assert.deepEqual(await digestStore(plain), held);
  });

  it('has incremental backups that say why they compare streams where shards were added', async () => {
    const { store, shards } = await filledShards(2);
    const vault = memoryVault();
    await backUp(store, vault);
    await store.append([{ streamId: 'order-3', events: numbered(2) }]);
    const grown = openShardsStore('shards:shop', [...shards, memoryStore()], null);
    await grown.initialise();
    const outcome = await takeIncremental(grown, vault);
    assert.ok(outcome.kind === 'taken', JSON.stringify(outcome));
    assert.match(outcome.report.headsReason ?? '', /has 3 shards, and had 2/);
    assert.deepEqual(await digestChain(vault, await newestChain(vault)), await digestStore(grown));
  });

  it('names a stream that lies in two shards, whoever comes upon it', async () => {
    const { store, shards } = await filledShards(3);
    const { shard } = { shard: bucketOf({ seed: 0, of: 3 }, nameBytes('order-7')) };
    const vault = memoryVault();
    await backUp(store, vault);
    await shards[(shard + 1) % 3]!.append([{ streamId: 'order-7', events: numbered(1) }]);
    const says = /stream "order-7" lies in shard \d .* and in shard \d/;
    await refuses(backUp(store, memoryVault()), 'damaged', says);
    await refuses(store.readStream('order-7'), 'damaged', says);
    await refuses(collect(store.listStreams()), 'damaged', says);
    const snapshot = await store.openSnapshot();
    await refuses(collect(snapshot.readSummaries()), 'damaged', says);
    await refuses(takeIncremental(store, vault), 'damaged', says);
  });

  it('keeps what belongs to the events of a shard with it, and leaves it out elsewhere', async () => {
    const { store, shards } = await filledShards(2);
    const row = (name: string): CompanionRow => ({
      table: 'eventcore_subscription_versions',
      role: 'checkpoints',
      values: {
        subscription_name: name,
        last_position: '01932f3e-7c00-7a01-8b02-0123456789ab',
        updated_at: '2026-02-28T12:00:00.123Z',
      },
    });
    for (const shard of shards) {
      const session = await shard.openRestore({ attemptId: 'a', replace: true });
      await session.writeCompanion(row('reader'));
      await session.finishLoad();
      await session.publish();
    }
    await store.append([{ streamId: 'a', events: numbered(1) }]);
    const vault = memoryVault();
    await backUp(store, vault);
    const again = [memoryStore(), memoryStore()];
    await restoreNewest(vault, openShardsStore('shards:again', again, 'hash'));
    for (const shard of again) {
      const snapshot = await shard.openSnapshot();
      assert.deepEqual(
        (await collect(snapshot.readCompanions())).map(({ values }) => values),
        [row('reader').values],
      );
    }
    for (const target of [
      memoryStore(),
      openShardsStore('shards:three', [memoryStore(), memoryStore(), memoryStore()], 'hash'),
    ]) {
      const { leftOut } = await restoreNewest(vault, target);
      assert.deepEqual(leftOut, ['eventcore_subscription_versions']);
    }
  });

  it('is not restored into where nobody says which shard a stream belongs to', async () => {
    const store = openShardsStore('shards:shop', [memoryStore(), memoryStore()], null);
    await refuses(store.openRestore({ attemptId: 'a', replace: true }), 'store_unsupported', /which shard/);
    await store.initialise();
    await refuses(store.append([{ streamId: 'new', events: numbered(1) }]), 'store_unsupported', /"new"/);
  });

  it('refuses shards of different layouts, and an append to streams of several', async () => {
    const odd: EventStore = {
      ...memoryStore(),
      inspect: async () => ({ ...(await memoryStore().inspect()), layout: 'other' }),
    };
    await refuses(
      openShardsStore('shards:odd', [memoryStore(), odd], null).inspect(),
      'store_unsupported',
      /shard 2 of 2.*other/,
    );
    const { store } = await filledShards(3);
    const appends = Array.from({ length: 9 }, (_, i) => ({ streamId: `order-${i}`, events: numbered(1) }));
    await refuses(store.append(appends), 'store_unsupported', /several shards/);
    assert.equal((await store.count()).streams, 40);
  });

  it('throws all away where a shard fails before the first is published, and says which are restored where one fails later', async () => {
    const { store } = await filledShards(2);
    const vault = memoryVault();
    await backUp(store, vault);
    const failing = (what: 'finishLoad' | 'publish'): EventStore => {
      const inner = memoryStore();
      const openRestore = async (
        options: Parameters<EventStore['openRestore']>[0],
      ): Promise<RestoreSession> => ({
        ...(await inner.openRestore(options)),
        [what]: () => Promise.reject(new Error('gone')),
      });
      return { ...inner, openRestore };
    };
    const first = memoryStore();
    await assert.rejects(
      restoreNewest(vault, openShardsStore('shards:a', [first, failing('finishLoad')], 'hash')),
      /gone/,
    );
    assert.equal((await first.inspect()).state, 'missing');
    await refuses(
      restoreNewest(vault, openShardsStore('shards:a', [first, failing('publish')], 'hash')),
      'partial',
      /1 of 2 shards are restored, shard 2 of 2 is not: gone/,
    );
    const second = memoryStore();
    const target = openShardsStore('shards:a', [first, second], 'hash');
    await refuses(restoreNewest(vault, target), 'target_not_empty');
    await restoreNewest(vault, target, true);
    assert.deepEqual(await digestStore(target), await digestStore(store));
  });

  it('gives back all views and restores when one shard fails to open', async () => {
    const { shards } = await filledShards(2);
    const broken: EventStore = {
      ...memoryStore(),
      openSnapshot: () => Promise.reject(new Error('unreachable')),
    };
    const store = openShardsStore('shards:shop', [...shards, broken], 'hash');
    await assert.rejects(store.openSnapshot(), /unreachable/);
    await fill(shards[0]!, [{ streamId: 'x', version: 1 }]);
    const filled = openShardsStore('shards:shop', [memoryStore(), shards[0]!], 'hash');
    await filled.initialise();
    await refuses(filled.openRestore({ attemptId: 'b', replace: false }), 'target_not_empty');
    const session = await filled.openRestore({ attemptId: 'c', replace: true });
    const writer = await session.openWriter();
    await writer.write(makeBatch([{ streamId: 'y', version: 1 }]));
    await session.discard();
    assert.equal((await filled.count()).events, 1);
  });
});
