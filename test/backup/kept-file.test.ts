import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type KeptFileJob, readKeptFile } from '../../src/backup/kept-file.ts';
import { backUpRanges, type RangeJob, type RangeResult } from '../../src/backup/range.ts';
import type { Vault } from '../../src/core/vault.ts';
import { makeSealKey, type Seal } from '../../src/format/seal.ts';
import { makeBatch } from '../../src/testing/batches.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { overwrite, readObject } from '../harness/memory-backup.ts';

const FOLDER = 'backups/one/';
const LIMITS = { versionBase: 1, futureAfter: 0n } as const;
const FORM = { folder: FOLDER, format: 'columns', compression: 'zstd', limits: LIMITS } as const;

/** Three chunks of ten events. */
async function writeRange(vault: Vault, seal: Seal | null): Promise<RangeResult> {
  const batches = [0, 10, 20].map((from) =>
    makeBatch(
      Array.from({ length: 10 }, (_, i) => ({
        id: `01932f3e-7c00-7a01-8b02-0000000000${from + i + 10}`,
        streamId: `stream-${i % 3}`,
        version: from + i + 1,
      })),
    ),
  );
  const reader = {
    readRange: async function* () {
      yield* batches;
    },
    close: async () => {},
  };
  const ranges = [{ index: 0, spec: 'all' }];
  const job: RangeJob = { ...FORM, ranges, isPass: false, level: null, seal, chunkBytes: 1024 };
  return backUpRanges({ reader, vault, compressIn: 'inline' }, job);
}

const SEALS: readonly (readonly [string, Seal | null])[] = [
  ['a finished file', null],
  ['a finished file that is sealed', { key: makeSealKey(), scope: 'backup-1' }],
];

for (const [what, seal] of SEALS) {
  describe(what, () => {
    it('gives what its range gave', async () => {
      const vault = memoryVault();
      const written = await writeRange(vault, seal);
      const found = await readKeptFile(vault, jobOf(written, seal));
      assert.equal(found.files[0]!.chunks, 3);
      assert.deepEqual(found.files, written.files);
      assert.deepEqual(found.facts, written.facts);
      assert.equal(found.table.count, written.table.count);
    });

    it('is kept only when every byte of it and of its chunk table is what its events give', async () => {
      const vault = memoryVault();
      const written = await writeRange(vault, seal);
      const job = jobOf(written, seal);
      const { name, index } = written.files[0]!;
      for (const object of [FOLDER + name, FOLDER + index.name]) {
        const bytes = await readObject(vault, object);
        for (let at = 0; at < bytes.length; at += 1) {
          const changed = Buffer.from(bytes);
          changed[at]! ^= 2;
          await overwrite(vault, object, changed);
          assert.deepEqual((await readKeptFile(vault, job)).files, [], `${object}, byte ${at}`);
        }
        await overwrite(vault, object, bytes);
      }
      await vault.removeObject(FOLDER + index.name);
      assert.deepEqual((await readKeptFile(vault, job)).files, []);
    });
  });
}

describe('a sealed file', () => {
  it('is not kept with another key, of another backup, or without a seal', async () => {
    const vault = memoryVault();
    const seal = { key: makeSealKey(), scope: 'backup-1' };
    const written = await writeRange(vault, seal);
    for (const other of [{ ...seal, key: makeSealKey() }, { ...seal, scope: 'backup-2' }, null]) {
      assert.deepEqual((await readKeptFile(vault, jobOf(written, other))).files, []);
    }
  });
});

function jobOf(written: RangeResult, seal: Seal | null): KeptFileJob {
  return { ...FORM, name: written.files[0]!.name, seal };
}
