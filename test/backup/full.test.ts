import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { takeFullBackup } from '../../src/backup/full.ts';
import { isBackupError } from '../../src/core/errors.ts';
import type { EventStore } from '../../src/core/event-store.ts';
import { CHUNK_FORMATS, COMPRESSIONS } from '../../src/core/manifest.ts';
import type { Vault } from '../../src/core/vault.ts';
import { readCatalog } from '../../src/format/catalog.ts';
import { digestStore } from '../../src/integrity/store-digest.ts';
import { verifyBackup } from '../../src/integrity/verify/backup.ts';
import { restoreBackup } from '../../src/recovery/restore.ts';
import { memoryStore } from '../../src/stores/memory/store.ts';
import { makeBatch, type TestEvent } from '../../src/testing/batches.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { faultyVault } from '../harness/faulty-vault.ts';
import { backUp, backupDefaults, objectNames, testClock, verifyAll } from '../harness/memory-backup.ts';

const NOW_US = 820_000_000_000_000n;

/** Events in every shape that a store can hold. */
const oddEvents: TestEvent[] = [
  { streamId: 'plain', version: 1, data: '{"a":1}', time: NOW_US },
  {
    streamId: 'plain',
    version: 2,
    data: '{"big":9007199254740993,"pi":3.14159265358979323846264338327950288}',
  },
  { streamId: 'ünï/😀', version: 1, type: 'Tÿpe', data: '{"text":"\\ud83d\\ude00 \\u0000 \\ud800"}' },
  { streamId: 'old', version: 1, time: -946_684_800_000_001n },
  { streamId: 'old', version: 2, time: 1n, metadata: null },
  { streamId: 'large', version: 1, data: `{"text":"${'0123456789'.repeat(110_000)}"}` },
  { streamId: 'text', version: 1, id: 'not-a-uuid', metadata: '' },
  { streamId: 'space', version: 1, data: '{ "a" :\n 1 }', metadata: '[]' },
  { streamId: 'bytes', version: 1, data: Buffer.from([0xff, 0xfe, 0x00]), type: 'Binary' },
  { streamId: 'time', version: 1, time: 5n, timeText: '2000-01-01 00:00:00.000005' },
];

async function storeOf(events: readonly TestEvent[]): Promise<EventStore> {
  const store = memoryStore();
  await store.initialise();
  const session = await store.openRestore({ attemptId: testClock.uuid(), replace: false });
  const writer = await session.openWriter();
  await writer.write(makeBatch(events));
  await writer.end();
  await session.finishLoad();
  await session.publish();
  return store;
}

async function restoreNewest(vault: Vault, target: EventStore) {
  const backup = (await readCatalog(vault)).backups.at(-1)!;
  const ports = { target, vault, clock: testClock };
  return restoreBackup(ports, [backup], { replace: false, checkpoints: 'keep', parallel: 2 });
}

function backUpChecked(store: EventStore, vault: Vault) {
  return takeFullBackup(
    {
      store,
      vault,
      clock: testClock,
      verify: (backup) => verifyBackup({ vault, clock: testClock }, backup, { quick: false, parallel: 2 }),
    },
    backupDefaults,
  );
}

describe('a full backup', () => {
  for (const format of CHUNK_FORMATS) {
    for (const compression of COMPRESSIONS) {
      it(`gives back every event of every shape: ${format}, ${compression}`, async () => {
        const store = await storeOf(oddEvents);
        const vault = memoryVault();
        const { manifest } = await backUp(store, vault, { format, compression, chunkBytes: 400 });
        assert.equal(manifest.totalEvents, oddEvents.length);
        assert.equal((await verifyAll(vault))[0]?.overallValid, true);
        const target = memoryStore();
        const report = await restoreNewest(vault, target);
        assert.equal(report.eventsRestored, oddEvents.length);
        assert.deepEqual(await digestStore(target), await digestStore(store));
      });
    }
  }

  it('says what it holds', async () => {
    const { manifest } = await backUp(await storeOf(oddEvents), memoryVault());
    assert.equal(manifest.kind, 'full');
    assert.equal(manifest.parentId, null);
    assert.equal(manifest.totalStreams, 8);
    assert.deepEqual(manifest.eventRange, {
      earliestEvent: '1969-12-31T23:59:59.999999Z',
      latestEvent: '2025-12-25T17:46:40.000000Z',
      earliestVersion: '1',
      latestVersion: '2',
    });
    assert.equal(manifest.cursor.headsDigest, manifest.headsDigest);
    assert.deepEqual(
      manifest.files.map((file) => [file.name, file.records]),
      [
        ['events-00001.columns.zst', 10],
        ['heads.jsonl.zst', 8],
      ],
    );
  });

  it('of an empty store is a backup too', async () => {
    const store = memoryStore();
    await store.initialise();
    const vault = memoryVault();
    const { manifest } = await backUpChecked(store, vault);
    assert.equal(manifest.totalEvents, 0);
    assert.equal(manifest.eventRange, null);
    const target = memoryStore();
    assert.equal((await restoreNewest(vault, target)).eventsRestored, 0);
    assert.equal((await target.inspect()).state, 'empty');
  });

  it('counts gaps, doubles and odd values that the store itself has, and does not call them damage', async () => {
    const events: TestEvent[] = [
      { streamId: 'gap', version: 1 },
      { streamId: 'gap', version: 4 },
      { streamId: 'late', version: 3 },
      { streamId: 'zero', version: 0 },
      { streamId: '', version: 1 },
      { streamId: 'future', version: 1, time: 9_000_000_000_000_000n },
    ];
    const vault = memoryVault();
    const { manifest } = await backUp(await storeOf(events), vault, { chunkBytes: 60 });
    assert.deepEqual(manifest.oddities, {
      missingVersions: 2,
      duplicateVersions: 0,
      oddFirstVersions: 2,
      emptyFields: 1,
      belowBase: 1,
      futureTimes: 1,
    });
    const [result] = await verifyAll(vault);
    assert.equal(result?.overallValid, true, JSON.stringify(result?.problems));
  });

  it('of a place without an event store is refused', async () => {
    await assert.rejects(backUp(memoryStore(), memoryVault()), (error) =>
      isBackupError(error, 'not_an_event_store'),
    );
  });
});

describe('a backup that cannot be finished', () => {
  it('leaves no backup and no object, at whichever call the vault fails', async () => {
    const store = await storeOf(oddEvents);
    const counting = faultyVault(memoryVault(), {});
    await backUpChecked(store, counting.vault);
    assert.ok(counting.calls() > 20);
    for (let failAt = 1; failAt <= counting.calls(); failAt += 1) {
      const vault = memoryVault();
      await assert.rejects(backUpChecked(store, faultyVault(vault, { failAt }).vault), (error) =>
        isBackupError(error, 'vault_unreachable'),
      );
      assert.deepEqual(await objectNames(vault), [], `call ${failAt}`);
    }
  });

  it('leaves at most an unfinished attempt when the vault is gone for good, and the next backup succeeds', async () => {
    const store = await storeOf(oddEvents);
    const counting = faultyVault(memoryVault(), {});
    await backUpChecked(store, counting.vault);
    for (let failAt = 1; failAt <= counting.calls(); failAt += 1) {
      const vault = memoryVault();
      await assert.rejects(backUpChecked(store, faultyVault(vault, { failAt, forGood: true }).vault));
      assert.equal((await readCatalog(vault)).backups.length, 0, `call ${failAt}`);
      await backUpChecked(store, vault);
      const catalog = await readCatalog(vault);
      assert.equal(catalog.backups.length, 1);
      assert.ok(catalog.unfinished.length <= 1);
    }
  });

  it('never becomes a backup when the vault does not give back what was written', async () => {
    const store = await storeOf(oddEvents);
    for (const part of ['events-00001.columns.zst', 'events-00001.index', 'heads.jsonl.zst', 'heads.index']) {
      const vault = memoryVault();
      const corrupt = (name: string, bytes: Uint8Array): Uint8Array => {
        if (!name.endsWith(part)) return bytes;
        const changed = new Uint8Array(bytes);
        changed[changed.length >> 1] = changed[changed.length >> 1]! ^ 4;
        return changed;
      };
      await assert.rejects(backUpChecked(store, faultyVault(vault, { corrupt }).vault), (error) =>
        isBackupError(error, 'verification_failed'),
      );
      assert.deepEqual(await objectNames(vault), [], part);
    }
  });

  it('is undone when it is aborted', async () => {
    const vault = memoryVault();
    const aborter = new AbortController();
    const backup = backUp(await storeOf(oddEvents), vault, {
      chunkBytes: 50,
      signal: aborter.signal,
      onProgress: () => aborter.abort(),
    });
    await assert.rejects(backup, (error) => isBackupError(error, 'interrupted'));
    assert.deepEqual(await objectNames(vault), []);
  });
});
