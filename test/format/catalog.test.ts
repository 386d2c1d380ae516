import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ChainLink, Manifest } from '../../src/core/manifest.ts';
import { bundleFolder, MANIFEST_NAME } from '../../src/format/bundle.ts';
import { newestBackup, readCatalog } from '../../src/format/catalog.ts';
import { writeObject } from '../../src/format/data-file-writer.ts';
import { encodeManifest } from '../../src/format/manifest-codec.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { sampleManifest } from '../harness/sample-manifest.ts';

const id = (first: string): string => `${first.repeat(8)}-6f0a-4c8e-9a3d-2f8d6c1e5b4a`;
const at = (second: number): string => `2026-11-23T04:05:0${second}.000Z`;

function linkOf(length: number): Pick<Manifest, 'kind' | 'parentId' | 'chain'> {
  const chain: ChainLink = {
    ...{ baseId: id('b'), parentChecksum: 'a'.repeat(64), length, totalEvents: 9, totalStreams: 2 },
    method: 'heads',
  };
  return { kind: 'incremental', parentId: id('b'), chain };
}

const base = sampleManifest({ backupId: id('b'), createdAt: at(1), finishedAt: at(1) });
const child = sampleManifest({ backupId: id('c'), createdAt: at(1), finishedAt: at(1), ...linkOf(2) });
const grandchild = sampleManifest({ backupId: id('a'), createdAt: at(1), finishedAt: at(1), ...linkOf(3) });
const consolidated = sampleManifest({ backupId: id('0'), createdAt: at(1), finishedAt: at(2) });
const later = sampleManifest({ backupId: id('9'), createdAt: at(3), finishedAt: at(4), ...linkOf(4) });

test('backups of one instant stand in the order in which one builds on the other or was made of it', async () => {
  const expected = [base, child, grandchild, consolidated, later];
  for (const written of [expected, expected.toReversed()]) {
    const vault = memoryVault();
    for (const manifest of written) {
      const folder = bundleFolder(manifest.kind, manifest.backupId);
      await writeObject(vault, folder + MANIFEST_NAME, encodeManifest(manifest));
    }
    const catalog = await readCatalog(vault);
    assert.deepEqual(
      catalog.backups.map(({ manifest }) => manifest.backupId),
      expected.map(({ backupId }) => backupId),
    );
    assert.equal(newestBackup(catalog, vault.address).manifest.backupId, later.backupId);
  }
});
