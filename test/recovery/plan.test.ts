import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isBackupError } from '../../src/core/errors.ts';
import type { StoreDescription } from '../../src/core/event-store.ts';
import type { Manifest } from '../../src/core/manifest.ts';
import { cutIntoRuns, planRestore } from '../../src/recovery/plan.ts';
import { sampleManifest } from '../harness/sample-manifest.ts';

const target: StoreDescription = {
  kind: 'sqlite',
  layout: 'eventcore',
  versionBase: 1,
  serverVersion: '3.53.4',
  state: 'missing',
};

const alone = (manifest: Manifest) => [{ manifest, folder: 'backups/a/' }];

describe('the plan of a restore', () => {
  it('creates, fills or replaces, by what the target holds', () => {
    const manifest = sampleManifest();
    assert.equal(planRestore(alone(manifest), target, false).action, 'create');
    assert.equal(planRestore(alone(manifest), { ...target, state: 'empty' }, false).action, 'fill');
    assert.equal(planRestore(alone(manifest), { ...target, state: 'filled' }, true).action, 'replace');
  });

  it('refuses a filled target and names the flag that allows it', () => {
    assert.throws(
      () => planRestore(alone(sampleManifest()), { ...target, state: 'filled' }, false),
      (error) =>
        isBackupError(error, 'target_not_empty') && error.hint!.includes('--replace') && error.exitCode === 9,
    );
  });

  it('refuses a sealed backup and a layout that counts versions differently', () => {
    assert.throws(
      () => planRestore(alone(sampleManifest({ sealed: true })), target, false),
      (error) => isBackupError(error, 'key_missing'),
    );
    assert.throws(
      () => planRestore(alone(sampleManifest()), { ...target, versionBase: 0 }, false),
      (error) => isBackupError(error, 'store_unsupported'),
    );
  });

  it('says what will differ when the kinds of store differ, and what the source itself lacked', () => {
    const oddities = { ...sampleManifest().oddities, missingVersions: 3 };
    const { notes } = planRestore(
      alone(sampleManifest({ oddities })),
      { ...target, kind: 'postgres' },
      false,
    );
    assert.match(notes.join('\n'), /from sqlite to postgres/);
    assert.match(notes.join('\n'), /jsonb/);
    assert.match(notes.join('\n'), /lacked 3 versions/);
    assert.deepEqual(planRestore(alone(sampleManifest()), target, false).notes, []);
  });
});

describe('cutting chunks into runs', () => {
  const [file] = sampleManifest().files;
  const link = { folder: 'backups/a/', format: 'columns', compression: 'zstd', seal: null } as const;

  it('takes chunks without bytes, which JSON Lines without events are', () => {
    assert.deepEqual(cutIntoRuns([{ ...link, file: file!, plainBytes: [0, 0] }]), [
      { ...link, file: file!, chunks: [0, 1] },
    ]);
  });

  it('puts each chunk into exactly one run, in order, and few bytes into each', () => {
    const most = 2 << 20;
    const sizes = fc.array(fc.array(fc.integer({ min: 0, max: 4_000_000 }), { maxLength: 40 }), {
      maxLength: 4,
    });
    fc.assert(
      fc.property(sizes, (files) => {
        const named = files.map((plainBytes, i) => ({
          ...link,
          file: { ...file!, name: `events-${i}` },
          plainBytes,
        }));
        const runs = cutIntoRuns(named);
        const inRuns = runs.flatMap((run) => run.chunks.map((chunk) => `${run.file.name}:${chunk}`));
        const all = named.flatMap(({ file: { name }, plainBytes }) =>
          plainBytes.map((_, i) => `${name}:${i}`),
        );
        assert.deepEqual(inRuns, all);
        for (const { file: of, chunks } of runs) {
          const bytes = chunks.map((chunk) => files[Number(of.name.slice('events-'.length))]![chunk]!);
          const sum = bytes.reduce((a, b) => a + b, 0);
          assert.ok(chunks.length === 1 || (chunks.length > 1 && sum <= most), `${chunks.length}: ${sum}`);
        }
      }),
    );
  });
});
