import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { isBackupError } from '../../src/core/errors.ts';
import type { EventStore } from '../../src/core/event-store.ts';
import type { Vault } from '../../src/core/vault.ts';
import { readCatalog } from '../../src/format/catalog.ts';
import { newestRestorePoint, requireChain } from '../../src/format/chain.ts';
import { digestStore } from '../../src/integrity/store-digest.ts';
import { restoreBackup } from '../../src/recovery/restore.ts';
import { memoryStore } from '../../src/stores/memory/store.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import {
  addIncremental,
  type ChainOfFour,
  entryOf,
  grow,
  makeChainOfFour,
  nextInstant,
} from '../harness/chain.ts';
import {
  backUp,
  objectNames,
  overwrite,
  readObject,
  testClock,
  verifyAll,
} from '../harness/memory-backup.ts';

async function restoreInto(target: EventStore, vault: Vault, backupId?: string) {
  const catalog = await readCatalog(vault);
  const chain =
    backupId === undefined
      ? newestRestorePoint(catalog, vault.address).chain
      : requireChain(catalog, await entryOf(vault, backupId));
  const ports = { target, vault, clock: testClock };
  return restoreBackup(ports, chain, { replace: false, checkpoints: 'keep', parallel: 2 });
}

async function copyOf(vault: Vault, without = ''): Promise<Vault> {
  const copy = memoryVault();
  for (const name of await objectNames(vault)) {
    if (without === '' || !name.includes(without)) await overwrite(copy, name, await readObject(vault, name));
  }
  return copy;
}

describe('restoring a chain of four backups of four formats', () => {
  let chain: ChainOfFour;

  before(async () => {
    chain = await makeChainOfFour();
  });

  it('brings back the store, event for event, and says of which backups', async () => {
    const { store, vault, ids } = chain;
    const target = memoryStore();
    const report = await restoreInto(target, vault);
    assert.deepEqual(await digestStore(target), await digestStore(store));
    assert.deepEqual(report.plan.chain, ids);
    const { events, streams } = await store.count();
    assert.deepEqual([report.plan.events, report.plan.streams], [events, streams]);
    assert.deepEqual([report.eventsRestored, report.streamsRestored], [events, streams]);
    const { backups } = await readCatalog(vault);
    const bytes = backups.reduce((sum, { manifest }) => sum + manifest.sizeBytes, 0);
    assert.equal(report.plan.fetchBytes, bytes);
  });

  it('brings back each earlier state too', async () => {
    const { vault, ids } = chain;
    const counts: number[] = [];
    for (const id of ids) {
      const target = memoryStore();
      await restoreInto(target, vault, id);
      counts.push((await target.count()).events);
    }
    assert.deepEqual(counts, [12, 22, 30, 30]);
  });

  it('is refused without a link in the middle, which is named, before the target is touched', async () => {
    const { vault, ids } = chain;
    const copy = await copyOf(vault, ids[1]);
    const target = memoryStore();
    await assert.rejects(restoreInto(target, copy, ids[3]), (error) => {
      assert.ok(isBackupError(error, 'damaged'));
      assert.match(error.message, new RegExp(`${ids[3]} cannot be used: ${ids[1]}.*is not in the vault`));
      assert.deepEqual(error.facts, { backupId: ids[1]!, reason: 'missing' });
      return true;
    });
    assert.equal((await target.inspect()).state, 'missing');
    const passed = newestRestorePoint(await readCatalog(copy), copy.address);
    assert.deepEqual(
      passed.chain.map(({ manifest }) => manifest.backupId),
      ids.slice(0, 1),
    );
    assert.deepEqual(
      passed.passedOver.map(({ backupId }) => backupId),
      [ids[3], ids[2]],
    );
  });

  it('is refused when a link is left out by the caller', async () => {
    const { backups } = await readCatalog(chain.vault);
    const target = memoryStore();
    const ports = { target, vault: chain.vault, clock: testClock };
    const options = { replace: false, checkpoints: 'keep', parallel: 1 } as const;
    for (const links of [backups.slice(1), [backups[0]!, ...backups.slice(2)], backups.toReversed()]) {
      await assert.rejects(restoreBackup(ports, links, options), (error) => isBackupError(error, 'damaged'));
    }
    assert.equal((await target.inspect()).state, 'missing');
  });

  it('publishes nothing when one byte of one file of any link is another, and a check finds each', async () => {
    const { vault, ids } = chain;
    const copy = await copyOf(vault);
    for (const name of await objectNames(copy)) {
      const bytes = await readObject(copy, name);
      // The heads of a backup that adds nothing are no bytes: one too many is found too, though no restore reads it.
      const isEmpty = bytes.length === 0;
      const flipped = isEmpty ? Buffer.from('\n') : Buffer.from(bytes);
      if (!isEmpty) flipped[bytes.length >> 1]! ^= 4;
      await overwrite(copy, name, flipped);
      const unsound = (await verifyAll(copy)).filter(({ overallValid }) => !overallValid);
      const owner = ids.findIndex((id) => name.includes(id));
      assert.deepEqual(
        new Set(unsound.map(({ backupId }) => backupId)),
        new Set(ids.slice(owner)),
        `${name}: it and all that builds on it`,
      );
      const target = memoryStore();
      if (!isEmpty) await assert.rejects(restoreInto(target, copy, ids[3]), `${name} is noticed`);
      assert.equal((await target.inspect()).state, 'missing', name);
      await overwrite(copy, name, bytes);
    }
    assert.ok((await verifyAll(copy)).every(({ overallValid }) => overallValid));
  });

  it('says in which backup of the chain the damage is', async () => {
    const { vault, ids } = chain;
    const copy = await copyOf(vault);
    const name = (await objectNames(copy)).find(
      (each) => each.includes(ids[2]!) && each.includes('events-00001.m'),
    )!;
    const bytes = Buffer.from(await readObject(copy, name));
    bytes[3]! ^= 1;
    await overwrite(copy, name, bytes);
    await assert.rejects(restoreInto(memoryStore(), copy), new RegExp(`chunk 0 of events-00001.*${ids[2]}`));
  });
});

describe('two children of one backup', () => {
  it('are each restored as their own store was', async () => {
    const [store, other] = [memoryStore(), memoryStore()];
    const vault = memoryVault();
    await store.initialise();
    await grow(store, 0, 5);
    const { manifest } = await backUp(store, vault);
    await nextInstant();
    await restoreInto(other, vault);
    await grow(store, 5, 3);
    await grow(other, 50, 4);
    const parent = manifest.backupId;
    const first = await addIncremental(store, vault, { parent });
    const second = await addIncremental(other, vault, { parent });
    await grow(store, 8, 2);
    const third = await addIncremental(store, vault, { parent: first });
    for (const [id, source] of [
      [second, other],
      [third, store],
    ] as const) {
      const target = memoryStore();
      await restoreInto(target, vault, id);
      assert.deepEqual(await digestStore(target), await digestStore(source));
    }
    const results = await verifyAll(vault);
    assert.deepEqual(
      results.map(({ backupId, problems }) => [backupId, problems]),
      [parent, first, third, second].map((id) => [id, []]),
    );
  });
});
