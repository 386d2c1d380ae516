import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { isBackupError } from '../../../src/core/errors.ts';
import { noise, put } from '../../../src/testing/vault/fixture.ts';
import { memoryVault } from '../../../src/vaults/memory/vault.ts';
import { makeRateBudget, type RateBudget, takeBytes, UP } from '../../../src/vaults/wrappers/rate.ts';
import { throttleVault } from '../../../src/vaults/wrappers/throttle.ts';

const THREAD = new URL('./throttled-thread.ts', import.meta.url);

function runThread(work: {
  budget: RateBudget;
  from: number;
  until: number;
}): Promise<{ up: number; down: number }> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(THREAD, { workerData: work });
    worker.once('message', resolve).once('error', reject);
  });
}

describe('a throttled vault', () => {
  it('lets threads that share a budget pass no more together than it says, and no less', async () => {
    const rate = 4_000_000;
    // Not from the first burst on, and once the threads have begun.
    const from = Date.now() + 800;
    const work = { budget: makeRateBudget(rate), from, until: from + 2000 };
    const sums = await Promise.all([1, 2, 3].map(() => runThread(work)));
    for (const way of ['up', 'down'] as const) {
      const share = sums.reduce((sum, bytes) => sum + bytes[way], 0) / 2 / rate;
      // What a busy machine sleeps through for longer than a burst is lost.
      assert.ok(share < 1.1 && share > 0.8, `${way}: ${share} of the rate`);
    }
  });

  it('lets one large write come steadily, in pieces', async () => {
    const sizes: number[] = [];
    const inner = memoryVault();
    const counted = {
      ...inner,
      createObject: async (name: string) => {
        const writer = await inner.createObject(name);
        return {
          ...writer,
          write: (bytes: Uint8Array) => {
            sizes.push(bytes.length);
            return writer.write(bytes);
          },
        };
      },
    };
    const bytes = noise(1_000_000);
    const vault = throttleVault(counted, { budget: makeRateBudget(4_000_000) });
    const began = performance.now();
    await put(vault, 'large', bytes);
    const tookMs = performance.now() - began;
    assert.ok(tookMs > 120 && tookMs < 5000, `${tookMs} ms for a quarter of a second's worth, less a burst`);
    assert.deepEqual([Math.max(...sizes), sizes.length], [200_000, 5]);
    assert.deepEqual(Buffer.compare(await inner.readRange('large', 0, bytes.length), bytes), 0);
  });

  it('ends what waits when it is told to stop', async () => {
    const stop = new AbortController();
    const vault = throttleVault(memoryVault(), { budget: makeRateBudget(1000), signal: stop.signal });
    const waiting = assert.rejects(put(vault, 'a', noise(50_000)), (error) =>
      isBackupError(error, 'interrupted'),
    );
    setTimeout(() => stop.abort(), 30);
    await waiting;
    assert.equal(await vault.stat('a'), null);
  });

  it('lets what is small wait a second at most behind what is large, and lets the large pay for it', async () => {
    const budget = makeRateBudget(100_000);
    const stop = new AbortController();
    const vault = throttleVault(memoryVault(), { budget, signal: stop.signal });
    const large = assert.rejects(put(vault, 'large', noise(400_000)));
    await new Promise((resolve) => setTimeout(resolve, 10));
    takeBytes(budget, UP, 1_000_000, process.hrtime.bigint());
    const began = performance.now();
    await put(vault, 'lease', noise(300));
    assert.ok(performance.now() - began < 1500);
    const left = takeBytes(budget, UP, 0, process.hrtime.bigint());
    assert.ok(left > 5000, `${left} ms are still to be paid for`);
    stop.abort();
    await large;
  });

  it('takes nothing for what fails', async () => {
    const inner = memoryVault();
    await put(inner, 'a', noise(10));
    const vault = throttleVault(inner, { budget: makeRateBudget(1000) });
    const began = performance.now();
    await assert.rejects(vault.readRange('a', 0, 2 ** 45), (error) => isBackupError(error, 'damaged'));
    assert.equal((await vault.readRange('a', 0, 10)).length, 10);
    assert.ok(performance.now() - began < 500);
  });
});
