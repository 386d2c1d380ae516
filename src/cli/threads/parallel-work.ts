import type { FullBackupPorts } from '../../backup/full.ts';
import { hereFirst } from '../../core/concurrency.ts';
import type { Vault } from '../../core/vault.ts';
import type { Chain } from '../../format/chain.ts';
import type { VerifyPorts } from '../../integrity/verify/backup.ts';
import { verifyFile } from '../../integrity/verify/file.ts';
import type { RestorePorts } from '../../recovery/restore.ts';
import { storeScheme } from '../address.ts';
import { placeOf } from '../wire.ts';
import { prepareThreads, runInThread } from './threads.ts';

/** To start a thread takes about as long as to check or load this much. */
const WORTH_A_THREAD_BYTES = 16 << 20;

type RunFile = NonNullable<VerifyPorts['runFile']>;
type RunLoad = NonNullable<RestorePorts['runLoad']>;

/** Lets threads that will read ranges begin to load while the store is still being looked at. */
export function prepareRanges(store: string, parallel: number): void {
  // Other stores may turn out to be read by one thread, this one.
  if (['postgres', 'shards'].includes(storeScheme(store))) prepareThreads(parallel - 1, 'range', store);
}

/** How ranges are read: each in a thread of its own, or, one after the other, in this one. */
export function rangeRunner(
  store: string,
  vault: Vault,
  parallel: number,
): Pick<FullBackupPorts, 'runRange' | 'runKept'> {
  if (parallel === 1) return {};
  return {
    runRange: (token, job, hooks) =>
      runInThread('range', { store, vault: placeOf(vault), token, job }, hooks),
    runKept: (job, hooks) => runInThread('kept', { vault: placeOf(vault), job }, hooks),
  };
}

/** Lets threads that will check files begin to load while the vault is still being looked at. */
export function prepareFiles(parallel: number): void {
  prepareThreads(parallel - 1, 'verify', null);
}

/** How files are checked: a large one here, further large ones in threads meanwhile, and small ones here between. */
export function fileRunner(vault: Vault, parallel: number): { runFile?: RunFile } {
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
}

/** How chunks are loaded: in threads when there is much to load. */
export function loadRunner(
  store: string,
  vault: Vault,
  chain: Chain,
  parallel: number,
): { runLoad?: RunLoad } {
  const plainBytes = chain.reduce((sum, { manifest }) => sum + manifest.plainBytes, 0);
  if (parallel === 1 || plainBytes < WORTH_A_THREAD_BYTES) return {};
  return {
    runLoad: (token, job, hooks) => runInThread('load', { store, vault: placeOf(vault), token, job }, hooks),
  };
}
