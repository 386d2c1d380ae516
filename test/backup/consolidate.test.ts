import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { takeFullBackup } from '../../src/backup/full.ts';
import { type BackupError, isBackupError } from '../../src/core/errors.ts';
import type { EventStore } from '../../src/core/event-store.ts';
import type { Manifest } from '../../src/core/manifest.ts';
import { timeFromUnixMs } from '../../src/core/time.ts';
import type { Vault } from '../../src/core/vault.ts';
import { newestBackup, readCatalog } from '../../src/format/catalog.ts';
import { readCompanions } from '../../src/format/line-files.ts';
import { encodeManifest } from '../../src/format/manifest-codec.ts';
import { digestStore } from '../../src/integrity/store-digest.ts';
import { restoreBackup } from '../../src/recovery/restore.ts';
import { memoryStore } from '../../src/stores/memory/store.ts';
import { makeBatch, type TestEvent } from '../../src/testing/batches.ts';
import { generateAppends } from '../../src/testing/event-generator.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { backUpChanges, consolidate, newestChain } from '../harness/chain-backup.ts';
import { faultyVault } from '../harness/faulty-vault.ts';
import {
  backUp,
  backupDefaults,
  objectNames,
  overwrite,
  readObject,
  testClock,
} from '../harness/memory-backup.ts';

const HOUR_MS = 3_600_000;

/** A store that grows step by step. */
async function growingStore(): Promise<{ store: EventStore; grow: (transactions: number) => Promise<void> }> {
  const store = memoryStore();
  await store.initialise();
  const appends = generateAppends({ seed: 7, events: 5000 });
  return {
    store,
    grow: async (transactions) => {
      for (let i = 0; i < transactions; i += 1) await store.append(appends.next().value!);
    },
  };
}

async function load(store: EventStore, events: readonly TestEvent[]): Promise<void> {
  const session = await store.openRestore({ attemptId: testClock.uuid(), replace: false });
  const writer = await session.openWriter();
  await writer.write(makeBatch(events));
  await writer.end();
  await session.finishLoad();
  await session.publish();
}

/** Full, incremental, empty incremental, incremental. */
async function chainOfFour(options: Parameters<typeof backUp>[2][] = []) {
  const { store, grow } = await growingStore();
  const vault = memoryVault();
  await grow(120);
  await backUp(store, vault, { chunkBytes: 20_000, ...options[0] });
  await grow(60);
  await backUpChanges(store, vault, options[1]);
  await backUpChanges(store, vault, options[2]);
  await grow(30);
  await backUpChanges(store, vault, options[3]);
  return { store, vault, grow };
}

/** What two full backups of the same state have in common, however their files are cut. */
function contentOf({
  totalEvents,
  totalStreams,
  headsDigest,
  eventRange,
  oddities,
  cursor,
  store,
}: Manifest) {
  return { totalEvents, totalStreams, headsDigest, eventRange, oddities, cursor, store };
}

async function restoreNewest(vault: Vault): Promise<EventStore> {
  const target = memoryStore();
  const options = { replace: false, checkpoints: 'keep', parallel: 2 } as const;
  await restoreBackup({ target, vault, clock: testClock }, await newestChain(vault), options);
  return target;
}

async function contents(vault: Vault): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const name of await objectNames(vault)) {
    found.set(name, (await readObject(vault, name)).toString('base64'));
  }
  return found;
}

async function removeFolders(vault: Vault, chain: Awaited<ReturnType<typeof newestChain>>): Promise<void> {
  for (const { folder } of chain) {
    for (const name of await objectNames(vault)) if (name.startsWith(folder)) await vault.removeObject(name);
  }
}

async function failure(promise: Promise<unknown>): Promise<BackupError> {
  const error = await promise.then(
    () => 'it resolved',
    (reason: unknown) => reason,
  );
  return isBackupError(error) ? error : assert.fail(String(error));
}

describe('a full backup made of a chain', () => {
  it('equals one that is taken from the store at the same moment', async () => {
    const { store, vault } = await chainOfFour();
    const { manifest, copied, encoded, fromChain } = await consolidate(vault);
    const fromStore = await backUp(store, memoryVault());
    assert.deepEqual(contentOf(manifest), contentOf(fromStore.manifest));
    assert.equal(manifest.kind, 'full');
    assert.equal(manifest.parentId, null);
    assert.equal(manifest.chain, undefined);
    assert.deepEqual([copied, encoded], [3, 0]);
    assert.equal(fromChain.length, 4);
    assert.deepEqual(await digestStore(await restoreNewest(vault)), await digestStore(store));
  });

  it('numbers the event files of all links in their order', async () => {
    const { vault } = await chainOfFour();
    const { manifest } = await consolidate(vault);
    assert.deepEqual(
      manifest.files.map(({ name, index }) => [name, index.name]),
      [
        ['events-00001.columns.zst', 'events-00001.index'],
        ['events-00002.columns.zst', 'events-00002.index'],
        ['events-00003.columns.zst', 'events-00003.index'],
        ['heads.jsonl.zst', 'heads.index'],
      ],
    );
  });

  it('stands alone: the chain can go, and the next incremental backup builds on it', async () => {
    const { store, vault, grow } = await chainOfFour();
    const chain = await newestChain(vault);
    const { manifest } = await consolidate(vault);
    assert.equal(manifest.createdAt, chain.at(-1)!.manifest.createdAt);
    await removeFolders(vault, chain);
    assert.deepEqual(await digestStore(await restoreNewest(vault)), await digestStore(store));
    await grow(20);
    const next = await backUpChanges(store, vault);
    assert.equal(next.manifest.parentId, manifest.backupId);
    assert.equal(next.manifest.chain?.length, 2);
    assert.equal(next.manifest.chain?.totalEvents, (await store.count()).events);
    const again = await consolidate(vault);
    assert.deepEqual(contentOf(again.manifest), contentOf((await backUp(store, memoryVault())).manifest));
  });

  it('is newer than the backup that it is as old as', async () => {
    const { vault } = await chainOfFour();
    const tip = (await newestChain(vault)).at(-1)!.manifest;
    const { manifest } = await consolidate(vault);
    const newest = newestBackup(await readCatalog(vault), vault.address).manifest;
    assert.equal(newest.createdAt, tip.createdAt);
    assert.equal(newest.backupId, manifest.backupId);
  });

  for (const [format, compression] of [
    ['columns', 'zstd'],
    ['jsonl', 'none'],
    ['msgpack', 'gzip'],
  ] as const) {
    it(`is all ${format}, ${compression} when the links are not`, async () => {
      const { store, vault } = await chainOfFour([
        { format: 'jsonl', compression: 'gzip' },
        { format: 'columns', compression: 'none' },
        { format: 'msgpack', compression: 'zstd' },
        { format: 'msgpack', compression: 'zstd' },
      ]);
      const { manifest, copied, encoded } = await consolidate(vault, { format, compression, level: null });
      assert.deepEqual([copied, encoded], [0, 3]);
      assert.deepEqual([manifest.format, manifest.compression], [format, compression]);
      assert.deepEqual(contentOf(manifest), contentOf((await backUp(store, memoryVault())).manifest));
      assert.deepEqual(await digestStore(await restoreNewest(vault)), await digestStore(store));
    });
  }

  it('has the chunks of a full backup that is written in its format, table and bytes', async () => {
    const { store, grow } = await growingStore();
    const [vault, other] = [memoryVault(), memoryVault()];
    await grow(100);
    await backUp(store, vault, { format: 'columns', chunkBytes: 10_000 });
    const { manifest: direct, folder } = await backUp(store, other, { format: 'jsonl', chunkBytes: 10_000 });
    const made = await consolidate(vault, { format: 'jsonl' });
    for (const name of ['events-00001.jsonl.zst', 'events-00001.index']) {
      assert.deepEqual(await readObject(vault, made.folder + name), await readObject(other, folder + name));
    }
    assert.deepEqual(made.manifest.files, direct.files);
  });

  it('is compressed anew when a level is asked for', async () => {
    const { vault } = await chainOfFour([{ level: 9 }, { level: 1 }, { level: 1 }, { level: 1 }]);
    const { manifest, copied, encoded } = await consolidate(vault, { level: 9, anyLevel: false });
    assert.deepEqual([manifest.level, copied, encoded], [9, 1, 2]);
  });

  it('has the companions of the newest backup only', async () => {
    const { store, grow } = await growingStore();
    const vault = memoryVault();
    await grow(20);
    const rows = [
      { table: 'checkpoints', role: 'checkpoints', values: { name: 'a', position: '5' } },
    ] as const;
    const older = {
      ...store,
      openSnapshot: async () => ({ ...(await store.openSnapshot()), readCompanions: giveRows }),
    };
    await backUp(older, vault, { compression: 'none' });
    await grow(20);
    await backUpChanges(store, vault, { compression: 'none' });
    const without = await consolidate(vault);
    assert.ok(!without.manifest.files.some(({ role }) => role === 'companions'));
    await backUpChanges(older, vault, { compression: 'none' });
    const copied = await consolidate(vault);
    assert.equal(copied.manifest.files.at(-1)?.name, 'companions.jsonl');
    await backUpChanges(older, vault, { compression: 'none' });
    const encoded = await consolidate(vault, { compression: 'zstd' });
    assert.equal(encoded.manifest.files.at(-1)?.name, 'companions.jsonl.zst');
    for (const backup of [copied, encoded]) {
      const found: unknown[] = [];
      for await (const row of readCompanions(vault, backup)) found.push(row);
      assert.deepEqual(found, rows);
    }

    async function* giveRows() {
      yield* rows;
    }
  });

  it('counts what the store itself has wrong as a full backup of the store does', async () => {
    const takenAt = Date.UTC(2026, 10, 1);
    const store = memoryStore({ now: () => takenAt });
    const clockAt = (hours: number) => ({ ...testClock, now: () => takenAt + hours * HOUR_MS });
    const hoursLater = (hours: number): bigint => timeFromUnixMs(takenAt + hours * HOUR_MS);
    await load(store, [
      { streamId: 'gap', version: 1 },
      { streamId: 'gap', version: 4 },
      { streamId: 'odd', version: 7, type: '' },
      { streamId: 'below', version: 0 },
      { streamId: 'soon', version: 1, time: hoursLater(30) },
      { streamId: 'later', version: 1, time: hoursLater(100) },
      { streamId: 'never', version: 1, time: hoursLater(1_000_000) },
    ]);
    const vault = memoryVault();
    const base = await takeFullBackup(
      { store, vault, clock: clockAt(0) },
      { ...backupDefaults, chunkBytes: 1 },
    );
    assert.equal(base.manifest.oddities.futureTimes, 3);
    await store.append([{ streamId: 'gap', events: [{ type: 'Next', data: '{}' }] }]);
    await backUpChanges(store, vault, {}, clockAt(10));
    const { manifest } = await consolidate(vault);
    const other = { store, vault: memoryVault(), clock: clockAt(10) };
    const fromStore = await takeFullBackup(other, backupDefaults);
    assert.equal(fromStore.manifest.oddities.futureTimes, 2);
    assert.deepEqual(contentOf(manifest), contentOf(fromStore.manifest));
  });

  it('of a chain without an event is one without an event', async () => {
    const store = memoryStore();
    await store.initialise();
    const vault = memoryVault();
    await backUp(store, vault);
    await backUpChanges(store, vault);
    const { manifest } = await consolidate(vault);
    assert.deepEqual([manifest.totalEvents, manifest.eventRange], [0, null]);
    assert.deepEqual(contentOf(manifest), contentOf((await backUp(store, memoryVault())).manifest));
  });

  it('is refused where there is no chain, unless another format is asked for', async () => {
    const { store, grow } = await growingStore();
    const vault = memoryVault();
    await grow(20);
    await backUp(store, vault);
    const before = await contents(vault);
    const error = await failure(consolidate(vault));
    assert.equal(error.code, 'backup_not_found');
    assert.match(error.message, /is a full one already/);
    assert.deepEqual(await contents(vault), before);
    const { manifest } = await consolidate(vault, { format: 'msgpack' });
    assert.equal(manifest.format, 'msgpack');
  });

  it('is not made of files that are damaged, missing or of another size, and nothing of it stays', async () => {
    const pick = { damaged: /columns/, missing: /events-00001\.columns/, resized: /incremental.*columns/ };
    for (const [harm, pattern] of Object.entries(pick)) {
      const { vault } = await chainOfFour();
      const name = (await objectNames(vault)).find((candidate) => pattern.test(candidate))!;
      const bytes = await readObject(vault, name);
      if (harm === 'missing') await vault.removeObject(name);
      else if (harm === 'resized') await overwrite(vault, name, bytes.subarray(1));
      else
        await overwrite(
          vault,
          name,
          bytes.map((byte, i) => (i === 50 ? byte ^ 1 : byte)),
        );
      const before = await contents(vault);
      const error = await failure(consolidate(vault));
      assert.equal(error.code, harm === 'damaged' ? 'verification_failed' : 'damaged', error.message);
      assert.deepEqual(await contents(vault), before);
    }
  });

  it('is refused where heads and manifests do not add up, also without verification', async () => {
    const { store, vault, grow } = await chainOfFour();
    await grow(1);
    const { folder, manifest } = await backUpChanges(store, vault);
    const chain = { ...manifest.chain!, totalStreams: manifest.chain!.totalStreams + 1 };
    await overwrite(vault, `${folder}manifest.json`, encodeManifest({ ...manifest, chain }));
    const error = await failure(consolidate(vault));
    assert.equal(error.code, 'damaged');
    assert.match(error.message, /does not add up/);
  });

  it('stops when told to, and nothing of it stays', async () => {
    const { vault } = await chainOfFour();
    const before = await contents(vault);
    for (const stage of ['putting the chain together', 'verifying']) {
      const stop = new AbortController();
      const onStep = (step: string): void => (step === stage ? stop.abort() : undefined);
      const error = await failure(consolidate(vault, { onStep, signal: stop.signal }));
      assert.equal(error.code, 'interrupted');
      assert.deepEqual(await contents(vault), before);
    }
  });

  for (const forGood of [false, true]) {
    it(`is there whole or not at all, at whichever call the vault fails ${forGood ? 'for good' : 'once'}`, async () => {
      const { vault } = await chainOfFour([{ format: 'jsonl' }]);
      const before = await contents(vault);
      const counting = faultyVault(vault, {});
      const made = await consolidate(vault, {}, counting.vault);
      for (const name of await objectNames(vault)) {
        if (name.startsWith(made.folder)) await vault.removeObject(name);
      }
      assert.ok(counting.calls() > 30);
      for (let failAt = 1; failAt <= counting.calls(); failAt += 1) {
        const faulty = faultyVault(vault, { failAt, forGood });
        const error = await failure(consolidate(vault, {}, faulty.vault));
        assert.equal(error.code, 'vault_unreachable');
        const { backups, damaged, unfinished } = await readCatalog(vault);
        assert.deepEqual([backups.length, damaged.length], [4, 0]);
        assert.ok(unfinished.length <= (forGood ? 1 : 0), `call ${failAt} left an attempt`);
        for (const { folder } of unfinished) {
          for (const name of await objectNames(vault))
            if (name.startsWith(folder)) await vault.removeObject(name);
        }
        assert.deepEqual(await contents(vault), before);
      }
    });
  }
});
