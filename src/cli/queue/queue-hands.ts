import { hostname } from 'node:os';
import { atMost, awaitedLater } from '../../core/concurrency.ts';
import { BackupError, isBackupError } from '../../core/errors.ts';
import type { ManifestFile } from '../../core/manifest.ts';
import { pause } from '../../core/pause.ts';
import type { Vault } from '../../core/vault.ts';
import type { JobGroup } from '../../core/work-queue.ts';
import { type JobOffers, openOffers } from '../../workers/offer-jobs.ts';
import { PROTOCOL, type Purpose, SILENCE_MS } from '../../workers/protocol.ts';
import { queueKey } from '../../workers/sealed.ts';
import { redactAddress } from '../address.ts';
import { chooseParallel, PARALLEL } from '../arguments.ts';
import type { Settings } from '../config/config.ts';
import type { CommandContext } from '../context.ts';
import type { Hands } from '../threads/hands.ts';
import { threadHands } from '../threads/parallel-work.ts';
import type { ThreadHooks, ThreadJobKind, ThreadJobs } from '../threads/thread-jobs.ts';
import { known, runInThread } from '../threads/threads.ts';
import { loadQueuesRoom, placeOf, systemClock } from '../wire.ts';
import { type ChosenQueue, chooseQueue, type QueueFlags } from './settings.ts';

export interface HandsOptions {
  readonly purpose: Purpose;
  /** For people who look at the queue. */
  readonly what: string;
  /** `--parallel`: parts at once. */
  readonly parallel: number | undefined;
}

/**
 * Gives the work its hands: workers where a queue is named, else threads. Where the queue does not answer, or nobody works for it, threads
 * too, and people are told: a backup that takes longer is better than none.
 */
export async function withHands<Result>(
  context: CommandContext,
  { flags, settings }: { readonly flags: QueueFlags; readonly settings: Settings },
  options: HandsOptions,
  work: (hands: Hands) => Promise<Result>,
): Promise<Result> {
  const chosen = await chooseQueue(context, flags, settings);
  const threads = chooseParallel(options.parallel, settings);
  if (chosen === null) return work(threadHands(threads));
  const opening = openAtOnce(context, chosen, options);
  try {
    return await work(queueHands(opening.offers, { parallel: options.parallel ?? PARALLEL.max, threads }));
  } finally {
    await opening.close();
  }
}

interface Opening {
  /** Null: nobody is there to do it, which people have been told. */
  readonly offers: () => Promise<JobOffers | null>;
  readonly close: () => Promise<void>;
}

/** While the work still looks at what there is to do. Some has no job that is worth it: then nobody hears of it. */
function openAtOnce(context: CommandContext, chosen: ChosenQueue, options: HandsOptions): Opening {
  const opening = awaitedLater(open(context, chosen, options));
  let isTold = false;
  return {
    offers: async () => {
      const { offers, why } = await opening;
      if (offers === null && !isTold) context.log.warn(`${why}: the work is done on this machine`);
      isTold = true;
      return offers;
    },
    close: async () => {
      const opened = await opening.catch(() => null);
      await opened?.close();
    },
  };
}

interface OpenQueue {
  readonly offers: JobOffers | null;
  /** Why there are none. */
  readonly why: string;
  readonly close: () => Promise<void>;
}

/** A server that restarts, or a connection that breaks just then, is no reason for one machine to do the work of many. */
const OPEN_AGAIN = { forMs: 5000, afterMs: 1000 };

async function open(context: CommandContext, chosen: ChosenQueue, options: HandsOptions): Promise<OpenQueue> {
  for (
    const untilMs = systemClock.now() + OPEN_AGAIN.forMs;
    ;
    await pause(OPEN_AGAIN.afterMs, context.signal)
  ) {
    try {
      return await openOnce(context, chosen, options);
    } catch (error) {
      if (!isBackupError(error, 'queue_unreachable')) throw error;
      if (systemClock.now() < untilMs && !context.signal.aborted) continue;
      return { offers: null, why: error.message, close: async () => {} };
    }
  }
}

/** Throws `queue_unreachable`, with nothing left open. */
async function openOnce(
  { log }: CommandContext,
  { address, secret }: ChosenQueue,
  { purpose, what }: HandsOptions,
): Promise<OpenQueue> {
  const { openPostgresQueue } = await loadQueuesRoom();
  const key = queueKey(secret);
  const queue = openPostgresQueue(address, { protocol: PROTOCOL, silenceMs: SILENCE_MS });
  const close = (): Promise<void> => queue.close();
  try {
    await queue.open(key.check);
    const workers = await queue.workers();
    if (!workers.some(({ isAlive }) => isAlive))
      return { offers: null, why: `no worker takes jobs from ${queue.address}`, close };
    const ports = { queue, key, clock: systemClock, onWord: (word: string) => log.warn(word) };
    const holder = `process ${process.pid} on ${hostname()}`;
    const offers = await openOffers(ports, { purpose, what, holder, names: known() });
    return { offers, why: '', close: () => offers.close().finally(close) };
  } catch (error) {
    await close();
    throw error;
  }
}

type Offer = <Kind extends ThreadJobKind>(
  kind: Kind,
  group: JobGroup,
  input: ThreadJobs[Kind]['input'],
  hooks: ThreadHooks,
) => Promise<ThreadJobs[Kind]['result']>;

function queueHands(
  offers: Opening['offers'],
  { parallel, threads }: { readonly parallel: number; readonly threads: number },
): Hands {
  const runHere = atMost(threads, runInThread) as typeof runInThread;
  const offer: Offer = async (kind, group, input, hooks) => {
    const open = await offers();
    if (open === null) return runHere(kind, input, hooks);
    return (await open.have({ kind, input, group }, hooks)) as ThreadJobs[typeof kind]['result'];
  };
  return {
    parallel,
    ranges: (store, vault) => ({
      readsHere: false,
      runRange: async (token, job, hooks) => {
        const input = { store, vault: portable(vault), token, job };
        const result = await offer('range', ofStore(store), input, hooks);
        await requireHere(vault, job.folder, result.files);
        return result;
      },
      runKept: (job, hooks) => offer('kept', ofVault(vault), { vault: portable(vault), job }, hooks),
    }),
    files: (vault) => ({
      runFile: (job, hooks) => {
        // It costs more to have it done than to do it.
        if (job.quick || job.file.plainBytes < WORTH_A_JOB_BYTES) return here(vault, job, hooks);
        return offer('verify', ofVault(vault), { vault: portable(vault), job }, hooks);
      },
    }),
    copies: (from, to) => ({
      parallel,
      runCopy: (job, hooks) => {
        const isSmall = job.proof.kind !== 'digest' || job.proof.sizeBytes < WORTH_A_JOB_BYTES;
        if (isSmall) return copyHere(from, to, job, hooks);
        return offer('copy', ofVault(to), { from: portable(from), to: portable(to), job }, hooks);
      },
    }),
    loads: (store, vault) => ({
      runPart: (token, job, hooks) =>
        offer('part', ofStore(store), { store, vault: portable(vault), token, job }, hooks),
    }),
  };
}

/** Read in less time than it takes to seal it, wait for a worker and open what he found. */
const WORTH_A_JOB_BYTES = 8 << 20;

/** A limit of this machine is none of the workers': each has its own. */
function portable(vault: Vault): { address: string; budget: null } {
  return { address: placeOf(vault).address, budget: null };
}

function ofStore(address: string): JobGroup {
  return { tier: 'store', id: redactAddress(address) };
}

function ofVault({ address }: Vault): JobGroup {
  return { tier: 'vault', id: address };
}

async function here(
  vault: Vault,
  job: ThreadJobs['verify']['input']['job'],
  hooks: ThreadHooks,
): Promise<ThreadJobs['verify']['result']> {
  const { verifyFile } = await import('../../integrity/verify/file.ts');
  return verifyFile(vault, job, hooks);
}

async function copyHere(
  from: Vault,
  to: Vault,
  job: ThreadJobs['copy']['input']['job'],
  hooks: ThreadHooks,
): Promise<ThreadJobs['copy']['result']> {
  const { copyObject } = await import('../../upkeep/copy-object.ts');
  return copyObject(from, to, job, hooks);
}

/** A worker for which the address leads somewhere else would have written there. */
async function requireHere(vault: Vault, folder: string, files: readonly ManifestFile[]): Promise<void> {
  for (const { name, sizeBytes } of files) {
    const found = await vault.stat(folder + name);
    if (found?.sizeBytes === sizeBytes) continue;
    throw new BackupError('vault_refused', `a worker wrote ${name}, and ${vault.address} does not have it`, {
      hint: 'for all workers the address of the vault must lead to the same place: mount the directory there, or use a bucket',
    });
  }
}
