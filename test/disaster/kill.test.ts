import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { STRATEGY_KINDS } from '../../src/core/disaster.ts';
import type { KillCase, KillReport } from './kill-worker.ts';

const CASES: readonly KillCase[] = [
  ...STRATEGY_KINDS.map((kind) => ({ kind, isDead: false })),
  { kind: 'regional_failover', isDead: true },
];

describe('a recovery that is killed', () => {
  for (const { kind, isDead } of CASES) {
    it(`at any moment of ${kind}${isDead ? ' from the dead' : ''} comes to the same end when it is taken up`, async () => {
      const worker = new Worker(new URL('./kill-worker.ts', import.meta.url), {
        workerData: { kind, isDead },
      });
      const [report] = (await once(worker, 'message')) as [KillReport];
      await worker.terminate();
      assert.ok(report.moments > 90, `${report.moments} moments`);
      assert.deepEqual(report.failures, []);
    });
  }
});
