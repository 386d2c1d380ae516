/** Backups of format version 1, written once and never changed: each later program must read them. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { readCatalog } from '../../src/format/catalog.ts';
import { requireChain } from '../../src/format/chain.ts';
import { readIndex } from '../../src/format/data-file-reader.ts';
import { readHeads } from '../../src/format/line-files.ts';
import { mayContain } from '../../src/format/stream-filter.ts';
import { digestStore } from '../../src/integrity/store-digest.ts';
import { verifyBackup } from '../../src/integrity/verify/backup.ts';
import { verifyChains } from '../../src/integrity/verify/chains.ts';
import { restoreBackup } from '../../src/recovery/restore.ts';
import { memoryStore } from '../../src/stores/memory/store.ts';
import { openDirectoryVault } from '../../src/vaults/fs/vault.ts';
import { testClock } from '../harness/memory-backup.ts';

const FOLDER = join(import.meta.dirname, '../vectors/v1/bundles');
const expected: { backups: string[]; events: number; digest: string } = JSON.parse(
  readFileSync(join(FOLDER, 'expected.json'), 'utf8'),
);

describe('a golden backup', async () => {
  const vault = openDirectoryVault(FOLDER);
  await vault.open({ create: false });
  const { backups, damaged, unfinished } = await readCatalog(vault);

  it('is listed, as sound as it was written', () => {
    assert.deepEqual(backups.map(({ manifest }) => manifest.backupId).sort(), expected.backups.toSorted());
    assert.deepEqual([damaged, unfinished], [[], []]);
  });

  for (const backup of backups) {
    const { format, compression } = backup.manifest;

    it(`verifies and restores to the same events: ${format}, ${compression}`, async () => {
      const options = { quick: false, parallel: 1 };
      const result = await verifyBackup({ vault, clock: testClock }, backup, options);
      assert.deepEqual(result.problems, []);
      assert.equal(backup.manifest.oddities.missingVersions, 2);
      const target = memoryStore();
      const report = await restoreBackup({ target, vault, clock: testClock }, [backup], {
        replace: false,
        checkpoints: 'keep',
        parallel: 1,
      });
      assert.deepEqual(await digestStore(target), { events: expected.events, digest: expected.digest });
      assert.equal(report.checkpoints[0]?.name, 'billing');
    });

    it(`finds each stream by the filters in its tables: ${format}, ${compression}`, async () => {
      const [events] = backup.manifest.files.filter(({ role }) => role === 'events');
      const entries = await readIndex(vault, backup.folder, events!, null);
      const found: string[] = [];
      for await (const { streamId } of readHeads(vault, backup)) {
        const isIn = (entry: (typeof entries)[number]): boolean =>
          mayContain(Buffer.from(entry.events!.filter, 'base64'), Buffer.from(streamId));
        if (entries.some(isIn)) found.push(streamId);
      }
      assert.deepEqual(found, ['account-1', 'gap', 'large', 'ünï/😀']);
    });
  }
});

describe('a golden backup whose payloads are cut by templates', async () => {
  const folder = join(import.meta.dirname, '../vectors/v1/bundles-with-templates');
  const vault = openDirectoryVault(folder);
  await vault.open({ create: false });
  const [backup] = (await readCatalog(vault)).backups;
  const expected = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8'));

  it('verifies and restores to the same events', async () => {
    assert.deepEqual([backup!.manifest.backupId], expected.backups);
    const options = { quick: false, parallel: 1 };
    const result = await verifyBackup({ vault, clock: testClock }, backup!, options);
    assert.deepEqual(result.problems, []);
    const target = memoryStore();
    const restore = { replace: false, checkpoints: 'keep', parallel: 1 } as const;
    await restoreBackup({ target, vault, clock: testClock }, [backup!], restore);
    assert.deepEqual(await digestStore(target), { events: expected.events, digest: expected.digest });
  });
});

describe('a golden chain of a full backup and three incremental ones', async () => {
  const folder = join(import.meta.dirname, '../vectors/v1/chain');
  const vault = openDirectoryVault(folder);
  await vault.open({ create: false });
  const catalog = await readCatalog(vault);
  const chain = requireChain(catalog, catalog.backups.at(-1)!);
  const expected = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8'));

  it('is followed link by link, and each of them is sound', async () => {
    assert.deepEqual(
      chain.map(({ manifest }) => manifest.backupId),
      expected.backups,
    );
    const results = await verifyChains({ vault, clock: testClock }, catalog, catalog.backups, {
      ...{ quick: false, parallel: 1 },
    });
    assert.deepEqual(
      results.flatMap(({ verification }) => verification.problems),
      [],
    );
    assert.equal(chain.at(-1)!.manifest.oddities.missingVersions, expected.missingVersions);
  });

  it('restores to the same events', async () => {
    const target = memoryStore();
    const restore = { replace: false, checkpoints: 'keep', parallel: 1 } as const;
    const report = await restoreBackup({ target, vault, clock: testClock }, chain, restore);
    assert.deepEqual(await digestStore(target), { events: expected.events, digest: expected.digest });
    assert.deepEqual(
      report.checkpoints.map(({ name }) => name),
      ['billing'],
    );
  });
});
