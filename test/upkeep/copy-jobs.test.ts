/** Copies that are done by whoever comes, some of them more than once. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { deserialize, serialize } from 'node:v8';
import { runInThread } from '../../src/cli/threads/threads.ts';
import { openVault, placeOf } from '../../src/cli/wire.ts';
import type { Vault } from '../../src/core/vault.ts';
import { readCatalog } from '../../src/format/catalog.ts';
import { type CopyJob, type CopyResult, copyObject } from '../../src/upkeep/copy-object.ts';
import { type SyncOptions, type SyncPorts, syncVault } from '../../src/upkeep/sync.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { objectNames, overwrite, readObject, testClock } from '../harness/memory-backup.ts';
import { assertSound, contentOf, leaseOf, makeRegion } from '../harness/region.ts';

type RunCopy = NonNullable<SyncPorts['runCopy']>;

function syncBy(runCopy: RunCopy, source: Vault, target: Vault, options: SyncOptions = {}) {
  return syncVault({ source, target, clock: testClock, underLease: leaseOf(target), runCopy }, options);
}

async function dataFiles(vault: Vault): Promise<string[]> {
  const { backups } = await readCatalog(vault);
  const names = backups.flatMap(({ folder, manifest }) =>
    manifest.files.flatMap(({ name, index }) => [folder + name, folder + index.name]),
  );
  return names.sort();
}

describe('a sync whose copies are done elsewhere', () => {
  it('hands out each data file and table as plain data, so many at once, and writes manifests itself', async () => {
    const { vault } = await makeRegion();
    const replica = memoryVault();
    const names: string[] = [];
    let [active, most] = [0, 0];
    const runCopy: RunCopy = async (job, hooks) => {
      assert.deepEqual(deserialize(serialize(job)), job);
      names.push(job.name);
      active += 1;
      most = Math.max(most, active);
      await new Promise((resolve) => setImmediate(resolve));
      const result = await copyObject(vault, replica, job, hooks);
      active -= 1;
      return result;
    };
    let bytes = 0;
    const report = await syncBy(runCopy, vault, replica, { parallel: 4, onBytes: (more) => (bytes += more) });
    assert.deepEqual(report.problems, []);
    assert.deepEqual(names.toSorted(), await dataFiles(vault));
    assert.equal(most, 4);
    assert.equal(bytes, report.bytes + report.log.bytes);
    assert.deepEqual(await contentOf(replica), await contentOf(vault));
  });

  it('counts what was copied already, by two at once, or without an answer', async () => {
    const { vault } = await makeRegion();
    const replica = memoryVault();
    const runCopy: RunCopy = async (job, hooks) => {
      const copy = () => copyObject(vault, replica, job, hooks);
      const both = await Promise.all([copy(), copy()]);
      assert.deepEqual(both.map(({ state }) => state).sort(), ['copied', 'there']);
      return copy();
    };
    const report = await syncBy(runCopy, vault, replica);
    assert.deepEqual(report.problems, []);
    assert.deepEqual(await contentOf(replica), await contentOf(vault));
    await assertSound(replica, 'after copies that were done twice');
  });

  it('commits no backup of which a copy failed or is damaged, and the next one completes it', async () => {
    const { vault } = await makeRegion();
    const replica = memoryVault();
    const [name] = await dataFiles(vault);
    const sound = await readObject(vault, name!);
    const damaged = Buffer.from(sound);
    damaged[20]! ^= 1;
    await overwrite(vault, name!, damaged);
    const run: RunCopy = (job, hooks) => copyObject(vault, replica, job, hooks);
    const report = await syncBy(run, vault, replica);
    assert.deepEqual([report.problems[0]!.object, report.problems[0]!.where], [name, 'source']);
    await overwrite(vault, name!, sound);
    const lost = new Error('nobody came');
    await assert.rejects(
      syncBy((job, hooks) => (job.name === name ? Promise.reject(lost) : run(job, hooks)), vault, replica),
      lost,
    );
    await assertSound(replica, 'after a copy failed');
    assert.deepEqual((await syncBy(run, vault, replica)).problems, []);
    assert.deepEqual(await contentOf(replica), await contentOf(vault));
  });

  it('has what lies in a folder without a manifest looked at elsewhere, and removes what is not sound itself', async () => {
    const { vault } = await makeRegion();
    const replica = memoryVault();
    const run: RunCopy = (job, hooks) => copyObject(vault, replica, job, hooks);
    await syncBy(run, vault, replica);
    const files = await dataFiles(vault);
    for (const name of await objectNames(replica)) {
      if (name.endsWith('manifest.json')) await replica.removeObject(name);
    }
    const bytes = await readObject(replica, files[0]!);
    bytes[20]! ^= 1;
    await overwrite(replica, files[0]!, bytes);
    const done: string[] = [];
    const noting: RunCopy = async (job, hooks) => {
      const result = await run(job, hooks);
      if (job.name === files[0]) done.push(`${job.isThere}: ${result.state}`);
      else assert.deepEqual([job.isThere, result.state], [true, 'there']);
      return result;
    };
    assert.deepEqual((await syncBy(noting, vault, replica)).problems, []);
    assert.deepEqual(done, ['true: unsound', 'false: copied']);
    assert.deepEqual(await contentOf(replica), await contentOf(vault));
  });
});

describe('a copy in a thread', () => {
  it('is made, found when it is there, and refused when the source is damaged', async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'eventcore-copy-'));
    t.after(() => rm(directory, { recursive: true }));
    const [from, to] = ['here', 'there'].map((name) => openVault(join(directory, name))) as [Vault, Vault];
    for (const vault of [from, to]) await vault.open({ create: true });
    await makeRegion(from);
    const { folder, manifest } = (await readCatalog(from)).backups[0]!;
    const { name, sizeBytes, sha256 } = manifest.files[0]!;
    const job: CopyJob = {
      ...{ name: folder + name, proof: { kind: 'digest', sizeBytes, sha256 } },
      ...{ isThere: false, twin: null, readBack: true, isArchive: false },
    };
    let told = 0;
    const onProgress = (_: number, bytes: number): void => {
      told += bytes;
    };
    const copy = (more: Partial<CopyJob> = {}): Promise<CopyResult> =>
      runInThread('copy', { from: placeOf(from), to: placeOf(to), job: { ...job, ...more } }, { onProgress });
    assert.deepEqual(await copy(), { state: 'copied', sizeBytes, moved: true });
    assert.equal(told, sizeBytes);
    assert.deepEqual(await copy({ isThere: true }), { state: 'there' });
    assert.deepEqual(await copy({ name: `${folder}none` }), { state: 'missing' });
    const wrong = { kind: 'digest', sizeBytes, sha256: '0'.repeat(64) } as const;
    const found = (where: string) => ({ state: 'unsound', where, reason: 'it does not have its checksum' });
    assert.deepEqual(await copy({ isThere: true, proof: wrong }), found('target'));
    await to.removeObject(job.name);
    assert.deepEqual(await copy({ proof: wrong }), found('source'));
    assert.equal(await to.stat(job.name), null);
  });
});
