import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BatchReader } from '../../src/core/event-store.ts';
import { startReading } from '../../src/core/known-rows.ts';

test('ranges that a store is still looking through are not waited for when the reading stops', async () => {
  let aborted = 0;
  const reader: BatchReader = {
    readRange: (_range, { signal }) => ({
      [Symbol.asyncIterator]: async function* () {
        await new Promise((_, reject) => {
          signal!.addEventListener('abort', () => {
            aborted += 1;
            reject(new Error('cut off'));
          });
        });
        yield* [];
      },
    }),
    close: async () => {},
  };
  const ranges = [0, 1].map((index) => ({ index, spec: '' }));
  const reading = startReading(reader, ranges, { batchBytes: 1 });
  await reading.stop();
  assert.equal(aborted, 2);
});
