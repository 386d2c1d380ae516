import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deserialize, serialize } from 'node:v8';
import fc from 'fast-check';
import { BackupError } from '../../src/core/errors.ts';
import type { JoinedPart } from '../../src/core/event-store.ts';
import type { LoadResult } from '../../src/recovery/load-chunks.ts';
import { cutIntoParts, type LoadPartJob, loadPart } from '../../src/recovery/load-part.ts';
import type { FileChunks } from '../../src/recovery/plan.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { sampleManifest } from '../harness/sample-manifest.ts';

const MIB = 1 << 20;
const [FILE] = sampleManifest().files;
const LINK = { folder: 'backups/a/', format: 'columns', compression: 'zstd', seal: null } as const;

/** Files of so many chunks of 1 MiB each. */
function filesOf(...files: readonly number[]): FileChunks[] {
  return files.map((chunks, i) => ({
    ...LINK,
    file: { ...FILE!, name: `events-${i}` },
    plainBytes: Array.from({ length: chunks }, () => MIB),
  }));
}

describe('cutting a load into parts', () => {
  it('puts each chunk into exactly one part, in order, with one run for each file', () => {
    const files = fc.array(fc.integer({ min: 0, max: 600 }), { maxLength: 5 });
    fc.assert(
      fc.property(files, fc.integer({ min: 1, max: 64 }), (counts, loaders) => {
        const parts = cutIntoParts(filesOf(...counts), loaders, null);
        const inParts = parts.flatMap(({ runs }) =>
          runs.flatMap(({ file, chunks }) => chunks.map((chunk) => `${file.name}:${chunk}`)),
        );
        const all = counts.flatMap((count, i) =>
          Array.from({ length: count }, (_, chunk) => `events-${i}:${chunk}`),
        );
        assert.deepEqual(inParts, all);
        assert.equal(new Set(parts.map(({ part }) => part)).size, parts.length);
        for (const { runs, plainBytes } of parts) {
          assert.equal(new Set(runs.map(({ file }) => file.name)).size, runs.length);
          assert.equal(
            plainBytes,
            runs.reduce((sum, { chunks }) => sum + chunks.length * MIB, 0),
          );
        }
      }),
    );
  });

  it('gives each loader as many parts as another, of 64 to 256 MiB where there is enough', () => {
    for (const [mib, loaders, parts] of [
      [4, 4, 1],
      [100, 4, 4],
      [50, 4, 4],
      [100, 64, 12],
      [700, 4, 12],
      [20_000, 4, 80],
      [20_000, 1, 79],
      [100_000, 64, 1024],
    ] as const) {
      const cut = cutIntoParts(filesOf(mib), loaders, null);
      assert.equal(cut.length, parts, `${mib} MiB for ${loaders}`);
      const sizes = cut.map(({ plainBytes }) => plainBytes / MIB);
      assert.ok(
        Math.max(...sizes) - Math.min(...sizes) <= 4,
        `${Math.min(...sizes)} to ${Math.max(...sizes)}`,
      );
    }
  });

  it('makes one part of chunks without bytes, and none of nothing', () => {
    const empty = { ...LINK, file: FILE!, plainBytes: [0, 0, 0] };
    assert.equal(cutIntoParts([empty, empty], 4, null).length, 1);
    assert.deepEqual(cutIntoParts([], 4, null), []);
  });

  it('makes jobs that are the same after they were sent', () => {
    const parts = cutIntoParts(filesOf(300, 40), 2, null);
    assert.deepEqual(deserialize(serialize(parts)), parts);
    assert.deepEqual(JSON.parse(JSON.stringify(parts)), parts);
  });
});

describe('a part', () => {
  const job: LoadPartJob = { part: '7', runs: [], plainBytes: 0, conversion: null };
  const load = (joined: JoinedPart): Promise<LoadResult> => {
    const store = {
      joinPart: async (token: string, part: string) => {
        assert.deepEqual([token, part], ['a token', '7']);
        return joined;
      },
    };
    return loadPart({ vault: memoryVault(), store }, 'a token', job);
  };
  const result: LoadResult = { events: 5, greatestId: 'z', contents: null };

  it('gives the result of whoever ended it first', async () => {
    assert.deepEqual(await load({ state: 'loaded', record: JSON.stringify(result) }), result);
    const quicker = { write: async () => {}, end: async () => JSON.stringify(result), abort: async () => {} };
    assert.deepEqual(await load({ state: 'open', writer: quicker }), result);
  });

  it('gives up what it wrote when its end fails', async () => {
    let aborts = 0;
    const lost = new BackupError('store_unreachable', 'gone');
    const failing = {
      write: async () => {},
      end: () => Promise.reject(lost),
      abort: async () => {
        aborts += 1;
      },
    };
    await assert.rejects(load({ state: 'open', writer: failing }), lost);
    assert.equal(aborts, 1);
  });

  it('refuses a record that is no result', async () => {
    for (const record of ['', 'null', '{"events":"5"}', '[]']) {
      await assert.rejects(load({ state: 'loaded', record }), /part 7 is no result/);
    }
  });
});
