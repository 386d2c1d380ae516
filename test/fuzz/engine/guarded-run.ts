import { Worker } from 'node:worker_threads';
import { type FuzzJob, makeShared, shownInput, shownNumber } from './job.ts';
import type { TargetResult } from './run-target.ts';

export interface GuardOptions {
  /** One input that works longer than this never ends: processor time, since a busy machine may not let it work for long. */
  readonly hangMs: number;
  /** Of the thread, buffers not counted. */
  readonly maxHeapMb: number;
}

export const GUARD: GuardOptions = { hangMs: 20_000, maxHeapMb: 1024 };

/** Waiting without work for this many times as long is a hang as well. */
const MOST_WAITING = 10;

/** Runs a target in a thread that is ended when an input hangs in it or takes all its memory: both are findings. */
export function runGuarded(job: Omit<FuzzJob, 'shared'>, guard: GuardOptions = GUARD): Promise<TargetResult> {
  const shared = makeShared();
  const worker = new Worker(new URL('./thread.ts', import.meta.url), {
    workerData: { ...job, shared } satisfies FuzzJob,
    resourceLimits: { maxOldGenerationSizeMb: guard.maxHeapMb },
  });
  return new Promise((resolve) => {
    let seen = -1;
    let since = { atMs: performance.now(), cpu: process.cpuUsage() };
    const watch = setInterval(() => {
      const number = shownNumber(shared);
      // This thread does nothing meanwhile: all work is that of the other.
      const { user, system } = process.cpuUsage(since.cpu);
      const isLong =
        (user + system) / 1000 > guard.hangMs || performance.now() - since.atMs > MOST_WAITING * guard.hangMs;
      if (number !== seen) {
        seen = number;
        since = { atMs: performance.now(), cpu: process.cpuUsage() };
      } else if (number >= 0 && isLong) {
        end(failed(job.target, shared, `it does not end within ${guard.hangMs} ms`));
      }
    }, guard.hangMs / 10);
    const end = (result: TargetResult): void => {
      clearInterval(watch);
      void worker.terminate();
      resolve(result);
    };
    worker.once('message', end);
    worker.once('exit', () => end(failed(job.target, shared, 'it waits for what never comes')));
    worker.once('error', (error) => end(failed(job.target, shared, error.stack ?? String(error))));
  });
}

function failed(target: string, shared: SharedArrayBuffer, what: string): TargetResult {
  const number = shownNumber(shared);
  const inputHex = Buffer.from(shownInput(shared)).toString('hex');
  return {
    ...{ target, inputs: number + 1, accepted: 0, refused: 0, slowestMs: 0, peakBytes: 0 },
    finding: { target, number, what, inputHex },
  };
}
