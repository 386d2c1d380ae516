import { hereFirst } from '../../core/concurrency.ts';
import { verifyFile } from '../../integrity/verify/file.ts';
import { storeScheme } from '../address.ts';
import { placeOf } from '../wire.ts';
import type { Hands, RunFile } from './hands.ts';
import { prepareThreads, runInThread } from './threads.ts';

/** To start a thread takes about as long as to check or load this much. */
const WORTH_A_THREAD_BYTES = 16 << 20;

/** Lets threads that will read ranges begin to load while the store is still being looked at. */
export function prepareRanges(store: string, parallel: number): void {
  // Other stores may turn out to be read by one thread, this one.
  if (['postgres', 'shards'].includes(storeScheme(store))) prepareThreads(parallel - 1, 'range', store);
}

/** Lets threads that will check files begin to load while the vault is still being looked at. */
export function prepareFiles(parallel: number): void {
  prepareThreads(parallel - 1, 'verify', null);
}

/** Parts of a work are done by threads of this process, and by the one that asks for them. */
export function threadHands(parallel: number): Hands {
  return {
    parallel,
    ranges: rangeRunner(parallel),
    files: fileRunner(parallel),
    loads: loadRunner(parallel),
    // To copy is to wait: a thread more does not hasten it.
    copies: () => ({}),
  };
}

/** Ranges are read each in a thread of its own, or, one after the other, in this one. */
function rangeRunner(parallel: number): Hands['ranges'] {
  return (store, vault) => {
    if (parallel === 1) return {};
    return {
      runRange: (token, job, hooks) =>
        runInThread('range', { store, vault: placeOf(vault), token, job }, hooks),
      runKept: (job, hooks) => runInThread('kept', { vault: placeOf(vault), job }, hooks),
    };
  };
}

/** A large file is checked here, further large ones in threads meanwhile, and small ones here between. */
function fileRunner(parallel: number): Hands['files'] {
  return (vault) => {
    if (parallel === 1) return {};
    const runHere: RunFile = (job, hooks) => verifyFile(vault, job, hooks);
    const runLarge = hereFirst(runHere, (job, hooks) =>
      runInThread('verify', { vault: placeOf(vault), job }, hooks),
    );
    return {
      runFile: (job, hooks) => {
        const isSmall = job.quick || job.file.plainBytes < WORTH_A_THREAD_BYTES;
        return isSmall ? runHere(job, hooks) : runLarge(job, hooks);
      },
    };
  };
}

/** Chunks are loaded in threads when there is much to load. */
function loadRunner(parallel: number): Hands['loads'] {
  return (store, vault, chain) => {
    const plainBytes = chain.reduce((sum, { manifest }) => sum + manifest.plainBytes, 0);
    if (parallel === 1 || plainBytes < WORTH_A_THREAD_BYTES) return {};
    return {
      runLoad: (token, job, hooks) =>
        runInThread('load', { store, vault: placeOf(vault), token, job }, hooks),
    };
  };
}
