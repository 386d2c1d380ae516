import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { STRATEGY_KINDS } from '../../src/core/disaster.ts';
import type { KillReport } from './kill-worker.ts';

describe('a recovery that is killed', () => {
  for (const kind of STRATEGY_KINDS) {
    it(`at any moment of ${kind} comes to the same end when it is taken up`, async () => {
      const worker = new Worker(new URL('./kill-worker.ts', import.meta.url), { workerData: kind });
      const [report] = (await once(worker, 'message')) as [KillReport];
      await worker.terminate();
      assert.ok(report.moments > 100, `${report.moments} moments`);
      assert.deepEqual(report.failures, []);
    });
  }
});
