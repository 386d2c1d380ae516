import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isBackupError } from '../../src/core/errors.ts';
import { COMPRESSIONS, type Compression, type ManifestFile } from '../../src/core/manifest.ts';
import type { Vault } from '../../src/core/vault.ts';
import { eventFileName } from '../../src/format/bundle.ts';
import { decompress, makeCompress } from '../../src/format/compression.ts';
import { fetchChunks, readIndex, withPlain } from '../../src/format/data-file-reader.ts';
import { openDataFile, writeObject } from '../../src/format/data-file-writer.ts';
import { makeSealKey, type Seal } from '../../src/format/seal.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';

const FOLDER = 'backups/full-backup-0b7e6c1e-6f0a-4c8e-9a3d-2f8d6c1e5b4a.eventcore/';

/** Chunks of very different sizes, some larger than a window of the reader once stored. */
const chunks = [0, 1, 1000, 3_000_000, 70_000, 6_000_000, 12].map((size, n) =>
  Buffer.from(Array.from({ length: size }, (_, i) => (i * (n + 1) * 2_654_435_761) >>> 13)),
);

async function writeChunks(
  vault: Vault,
  compression: Compression,
  pending: number,
  seal: Seal | null = null,
): Promise<ManifestFile> {
  const compress = makeCompress(compression, null, pending === 0);
  const name = eventFileName(1, 'jsonl', { compression, isSealed: seal !== null });
  const file = await openDataFile(vault, { folder: FOLDER, name, role: 'events', compress, pending, seal });
  const shared = Buffer.alloc(6_000_000);
  for (const [n, chunk] of chunks.entries()) {
    // The writer may keep nothing of the caller's buffer: the caller reuses it.
    chunk.copy(shared);
    await file.add(shared.subarray(0, chunk.length), n);
  }
  return file.finish();
}

async function readChunks(
  vault: Vault,
  file: ManifestFile,
  compression: Compression,
  wanted?: number[],
  seal: Seal | null = null,
) {
  const entries = await readIndex(vault, FOLDER, file, seal);
  const read: Uint8Array[] = [];
  const options = wanted === undefined ? {} : { chunks: wanted };
  for await (const chunk of fetchChunks(vault, FOLDER + file.name, entries, options)) {
    read.push(await withPlain(chunk, { name: file.name, compression, seal }, (plain) => Buffer.from(plain)));
  }
  return read;
}

describe('a data file', () => {
  for (const compression of COMPRESSIONS) {
    for (const pending of [0, 3]) {
      it(`gives every chunk back: ${compression}, ${pending === 0 ? 'inline' : 'through the thread pool'}`, async () => {
        const vault = memoryVault();
        const file = await writeChunks(vault, compression, pending);
        assert.deepEqual(await readChunks(vault, file, compression), chunks);
        assert.deepEqual(await readChunks(vault, file, compression, [1, 4, 5]), [
          chunks[1],
          chunks[4],
          chunks[5],
        ]);
        assert.equal(file.chunks, chunks.length);
        assert.equal(file.records, 21);
      });

      it(`gives every sealed chunk back: ${compression}, ${pending === 0 ? 'inline' : 'through the thread pool'}`, async () => {
        const vault = memoryVault();
        const seal = { key: makeSealKey(), scope: 'a backup' };
        const file = await writeChunks(vault, compression, pending, seal);
        assert.deepEqual(await readChunks(vault, file, compression, undefined, seal), chunks);
        assert.deepEqual(await readChunks(vault, file, compression, [6], seal), [chunks[6]]);
        const entries = await readIndex(vault, FOLDER, file, seal);
        assert.equal(entries.length, chunks.length);
        const other = { ...seal, key: makeSealKey() };
        await assert.rejects(readIndex(vault, FOLDER, file, other), /does not open/);
      });
    }
  }

  it('can be opened by anything that knows its compression', async () => {
    const vault = memoryVault();
    const file = await writeChunks(vault, 'none', 0);
    assert.deepEqual(
      Buffer.from(await vault.readRange(FOLDER + file.name, 0, file.sizeBytes)),
      Buffer.concat(chunks),
    );
  });

  it('says that the backup is damaged when file or table are gone', async () => {
    for (const which of ['file', 'index'] as const) {
      const vault = memoryVault();
      const file = await writeChunks(vault, 'zstd', 0);
      await vault.removeObject(FOLDER + (which === 'file' ? file.name : file.index.name));
      await assert.rejects(readChunks(vault, file, 'zstd'), (error) => isBackupError(error, 'damaged'));
    }
  });

  it('refuses a table that belongs to another file, even with the right checksum', async () => {
    const vault = memoryVault();
    const file = await writeChunks(vault, 'zstd', 0);
    const renamed = { ...file, name: 'events-00002.jsonl.zst' };
    await assert.rejects(readIndex(vault, FOLDER, renamed, null), (error) => isBackupError(error, 'damaged'));
    await assert.rejects(readIndex(vault, FOLDER, { ...file, sizeBytes: 1 }, null), (error) =>
      isBackupError(error, 'damaged'),
    );
  });

  it('never overwrites an object', async () => {
    const vault = memoryVault();
    await writeChunks(vault, 'zstd', 0);
    await assert.rejects(writeChunks(vault, 'zstd', 0), (error) =>
      isBackupError(error, 'vault_object_exists'),
    );
    await assert.rejects(writeObject(vault, `${FOLDER}events-00001.index`, Buffer.from('x')), (error) =>
      isBackupError(error, 'vault_object_exists'),
    );
  });
});

describe('decompression', () => {
  const plain = Buffer.from('an event store is a history '.repeat(1000));

  for (const kind of ['gzip', 'zstd'] as const) {
    it(`refuses ${kind} that is cut off, is longer or shorter than announced, or is none`, async () => {
      const stored = await makeCompress(kind, null, true)(plain);
      assert.deepEqual(Buffer.from(decompress(kind, stored, plain.length)), plain);
      const wrong: [Uint8Array, number][] = [
        [stored.subarray(0, stored.length - 1), plain.length],
        [stored.subarray(0, 5), plain.length],
        [stored.subarray(0, 0), plain.length],
        [stored, plain.length - 1],
        [stored, plain.length + 1],
        [stored, 0],
        [Buffer.from('not compressed at all'), 21],
      ];
      for (const [bytes, length] of wrong) {
        assert.throws(
          () => decompress(kind, bytes, length),
          (error) => isBackupError(error, 'damaged'),
        );
      }
    });

    it(`does not let a small ${kind} frame fill the memory`, async () => {
      const bomb = await makeCompress(kind, 9, true)(Buffer.alloc(64 << 20));
      const before = process.memoryUsage().rss;
      assert.throws(
        () => decompress(kind, bomb, 1000),
        (error) => isBackupError(error, 'damaged'),
      );
      assert.ok(process.memoryUsage().rss - before < 32 << 20);
    });
  }
});
