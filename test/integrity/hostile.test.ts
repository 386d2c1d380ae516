import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { describe, it } from 'node:test';
import { isBackupError } from '../../src/core/errors.ts';
import type { Manifest, ManifestFile } from '../../src/core/manifest.ts';
import type { BackupVerification } from '../../src/core/report.ts';
import type { Vault } from '../../src/core/vault.ts';
import { encodeIndex } from '../../src/format/chunk-index.ts';
import { readIndex } from '../../src/format/data-file-reader.ts';
import { decodeCompanions } from '../../src/format/line-files.ts';
import { bundleChecksum, encodeManifest } from '../../src/format/manifest-codec.ts';
import { verifyBackup } from '../../src/integrity/verify-backup.ts';
import { memoryStore } from '../../src/stores/memory/store.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { backUp, overwrite, readObject, testClock, verifyAll } from '../harness/memory-backup.ts';

interface Sample {
  readonly vault: Vault;
  readonly folder: string;
  readonly manifest: Manifest;
  readonly store: ReturnType<typeof memoryStore>;
}

async function sample(): Promise<Sample> {
  const store = memoryStore();
  await store.initialise();
  for (const streamId of ['a', 'b']) {
    await store.append([{ streamId, events: [{ type: 'Happened', data: '{"n":1}' }] }]);
  }
  const vault = memoryVault();
  const { manifest, folder } = await backUp(store, vault, { compression: 'none', format: 'jsonl' });
  return { vault, folder, manifest, store };
}

const sha256 = (bytes: Uint8Array): string => crypto.hash('sha256', bytes, 'hex');

/** Replaces a file's bytes, and everything up to the manifest so that all digests fit again. */
async function forge(
  { vault, folder, manifest }: Sample,
  role: ManifestFile['role'],
  change: (text: string) => string,
  changeEntry: (entry: object) => object = (entry) => entry,
): Promise<void> {
  const file = manifest.files.find((candidate) => candidate.role === role)!;
  const bytes = Buffer.from(change((await readObject(vault, folder + file.name)).toString()));
  const [entry] = await readIndex(vault, folder, file, null);
  const sizes = { storedBytes: bytes.length, plainBytes: bytes.length, sha256: sha256(bytes) };
  const table = encodeIndex(file.name, [changeEntry({ ...entry!, ...sizes }) as typeof entry & object]);
  const index = { name: file.index.name, sizeBytes: table.length, sha256: sha256(table) };
  const forged = { ...file, sizeBytes: bytes.length, plainBytes: bytes.length, sha256: sha256(bytes), index };
  const files = manifest.files.map((other) => (other === file ? forged : other));
  await overwrite(vault, folder + file.name, bytes);
  await overwrite(vault, folder + file.index.name, table);
  const whole = { ...manifest, files, checksum: bundleChecksum(files) };
  await overwrite(vault, `${folder}manifest.json`, encodeManifest(whole));
}

const codes = (result: BackupVerification | undefined): string[] =>
  result!.problems.map((problem) => problem.code);

describe('a backup whose digests fit, but that is not what it says', () => {
  it('is found out when its heads file holds other heads than the events give', async () => {
    const backup = await sample();
    await forge(backup, 'heads', (text) => text.replace('"lastVersion":1', '"lastVersion":9'));
    assert.deepEqual(codes((await verifyAll(backup.vault))[0]), ['heads_differ']);
  });

  it('is reported, not thrown, when a line of a chunk table has no description of its events', async () => {
    const backup = await sample();
    await forge(
      backup,
      'events',
      (text) => text,
      (entry) => ({ ...entry, events: null }),
    );
    assert.deepEqual(codes((await verifyAll(backup.vault))[0]), ['index_damaged']);
  });
});

describe('lines of companions', () => {
  for (const values of ['null', '[1]', '[]', '["a"]', '{"name":{}}', '7']) {
    it(`are damaged when their values are ${values}`, () => {
      const line = Buffer.from(`{"table":"t","role":"checkpoints","values":${values}}\n`);
      assert.throws(
        () => decodeCompanions(line),
        (error) => isBackupError(error, 'damaged'),
      );
    });
  }
});

describe('a comparison with the live store', () => {
  for (const quick of [true, false]) {
    it(`reports damaged heads instead of failing over them, ${quick ? 'quick' : 'in full'}`, async () => {
      const backup = await sample();
      const name = `${backup.folder}heads.jsonl`;
      const bytes = await readObject(backup.vault, name);
      bytes[5] = bytes[5]! ^ 1;
      await overwrite(backup.vault, name, bytes);
      const result = await verifyBackup({ vault: backup.vault, clock: testClock }, backup, {
        ...{ quick, parallel: 1, againstStore: backup.store },
      });
      assert.equal(result.overallValid, false);
      assert.equal(result.completenessVerified, false);
      assert.equal(result.problems[0]?.file, 'heads.jsonl');
    });
  }
});
