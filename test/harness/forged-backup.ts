import crypto from 'node:crypto';
import type { Manifest, ManifestFile } from '../../src/core/manifest.ts';
import type { Vault } from '../../src/core/vault.ts';
import { encodeIndex } from '../../src/format/chunk-index.ts';
import { readIndex } from '../../src/format/data-file-reader.ts';
import { bundleChecksum, encodeManifest } from '../../src/format/manifest-codec.ts';
import { memoryStore } from '../../src/stores/memory/store.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { backUp, overwrite, readObject } from './memory-backup.ts';

export interface PlainSample {
  readonly vault: Vault;
  readonly folder: string;
  readonly manifest: Manifest;
  readonly store: ReturnType<typeof memoryStore>;
}

/** Two events in two streams, backed up as plain lines. */
export async function plainSample(): Promise<PlainSample> {
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
export async function forge(
  { vault, folder, manifest }: PlainSample,
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
