/** Runs one target in a thread of its own. */
import { parentPort, workerData } from 'node:worker_threads';
import { type FuzzJob, showInput } from './job.ts';
import { runTarget } from './run-target.ts';
import type { FuzzTarget } from './target.ts';

const { module, target: name, inputs, seed, limits, endAtMs, shared } = workerData as FuzzJob;
const { TARGETS } = (await import(module)) as { TARGETS: readonly FuzzTarget[] };
const target = TARGETS.find((candidate) => candidate.name === name);
if (target === undefined) throw new Error(`no target ${name} in ${module}`);
const result = await runTarget(target, {
  ...{ inputs, seed, limits },
  until: () => endAtMs !== null && Date.now() > endAtMs,
  onInput: (number, input) => showInput(shared, number, input),
});
parentPort!.postMessage(result);
