import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { Worker } from 'node:worker_threads';
import { runInThread } from '../../src/cli/threads/threads.ts';
import { memoryStore } from '../../src/stores/memory/store.ts';
import { openDirectoryVault } from '../../src/vaults/fs/vault.ts';
import { backUp } from '../harness/memory-backup.ts';

/** Collects the threads that are started while `work` runs. */
async function startedBy(work: () => Promise<unknown>): Promise<Worker[]> {
  const started: Worker[] = [];
  const note = (worker: Worker): void => void started.push(worker);
  process.on('worker', note);
  try {
    await work();
  } finally {
    process.off('worker', note);
  }
  return started;
}

describe('a thread that waits for its next job', () => {
  it('is used again, and one that died meanwhile is not', { timeout: 20_000 }, async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'eventcore-threads-'));
    t.after(() => rm(directory, { recursive: true }));
    const vault = openDirectoryVault(directory);
    const store = memoryStore();
    await store.initialise();
    await store.append([{ streamId: 'a', events: [{ type: 'Happened', data: '{}' }] }]);
    const { manifest, folder } = await backUp(store, vault);
    const { format, compression, headsDigest } = manifest;
    const limits = { versionBase: manifest.store.versionBase, futureAfter: 0n };
    const check = () =>
      runInThread('verify', {
        vault: { address: vault.address, budget: null },
        job: {
          folder,
          file: manifest.files[0]!,
          format,
          compression,
          seal: null,
          limits,
          headsDigest,
          quick: false,
          payloads: false,
        },
      });

    const [first] = await startedBy(check);
    assert.deepEqual(await startedBy(check), []);
    assert.doesNotThrow(() => first!.emit('error', new Error('a failure after the job')));
    await first!.terminate();
    const [second] = await startedBy(async () => assert.equal((await check()).facts.events, 1));
    assert.ok(second !== undefined && second !== first);
    await second.terminate();
  });
});
