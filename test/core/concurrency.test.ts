import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { hereFirst, inOrder, runLimited } from '../../src/core/concurrency.ts';

describe('runLimited', () => {
  it('keeps the order of the items and never passes the limit', async () => {
    let running = 0;
    let most = 0;
    const results = await runLimited([30, 1, 20, 2, 10], 2, async (ms) => {
      running += 1;
      most = Math.max(most, running);
      await sleep(ms);
      running -= 1;
      return ms;
    });
    assert.deepEqual(results, [30, 1, 20, 2, 10]);
    assert.equal(most, 2);
  });

  it('throws the first failure after the work under way has ended, and begins nothing more', async () => {
    const ended: number[] = [];
    const run = runLimited([0, 1, 2, 3], 2, async (item) => {
      if (item === 0) throw new Error('first');
      await sleep(10);
      ended.push(item);
    });
    await assert.rejects(run, /first/);
    assert.deepEqual(ended, [1]);
  });

  it('tells the work under way to stop when one of it failed, or when the caller wants it', async () => {
    const reasons: string[] = [];
    const untilStopped = (signal: AbortSignal): Promise<void> =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          reasons.push('stopped');
          reject(new Error('stopped'));
        });
      });
    const failing = runLimited([0, 1], 2, async (item, signal) => {
      if (item === 1) throw new Error('first');
      await untilStopped(signal);
    });
    await assert.rejects(failing, /first/);
    const aborter = new AbortController();
    const aborted = runLimited([0], 1, (_, signal) => untilStopped(signal), aborter.signal);
    aborter.abort();
    await assert.rejects(aborted, /stopped/);
    assert.deepEqual(reasons, ['stopped', 'stopped']);
  });
});

test('results are handed on in order, as soon as all before them have come', () => {
  const taken: string[] = [];
  const take = inOrder<string>((result) => taken.push(result));
  const seen: number[] = [];
  for (const [place, result] of [
    [2, 'c'],
    [0, 'a'],
    [3, 'd'],
    [1, 'b'],
    [4, 'e'],
  ] as const) {
    take(place, result);
    seen.push(taken.length);
  }
  assert.deepEqual(taken, ['a', 'b', 'c', 'd', 'e']);
  assert.deepEqual(seen, [0, 1, 1, 4, 5]);
});

test('work is done here while nothing else is, also after a failure, and elsewhere meanwhile', async () => {
  const places: string[] = [];
  const gate = Promise.withResolvers<void>();
  const run = hereFirst(
    async (job: string) => {
      places.push(`${job} here`);
      if (job === 'a') await gate.promise;
      if (job === 'c') throw new Error('c');
    },
    async (job: string) => {
      places.push(`${job} there`);
    },
  );
  const first = run('a');
  await run('b');
  gate.resolve();
  await first;
  await assert.rejects(run('c'));
  await run('d');
  assert.deepEqual(places, ['a here', 'b there', 'c here', 'd here']);
});
