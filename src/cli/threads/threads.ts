import { Worker } from 'node:worker_threads';
import type { CustomMappings } from '../../core/custom-mapping.ts';
import { type ErrorRecord, reviveError } from '../../core/error-record.ts';
import { BackupError } from '../../core/errors.ts';
import type { ShardsSection } from '../config/shards-schema.ts';
import { layoutsInUse, shardsInUse } from '../wire.ts';
import type { ThreadHooks, ThreadJobKind, ThreadJobs } from './thread-jobs.ts';

/** What goes to a thread: a job that is to come, a job, or the wish that it ends the one it has. */
export type ThreadOrder =
  | (Known & { readonly kind: 'prepare'; readonly job: ThreadJobKind; readonly store: string | null })
  | (Known & { readonly kind: 'job'; readonly job: ThreadJobKind; readonly input: unknown })
  | { readonly kind: 'abort' };

/** Of the configuration. */
interface Known {
  readonly layouts: CustomMappings;
  readonly shards: ShardsSection;
}

function known(): Known {
  return { layouts: layoutsInUse(), shards: shardsInUse() };
}

/** What a thread sends home. Errors travel as plain data, since structured cloning loses their class. */
export type ThreadMessage =
  | { readonly kind: 'progress'; readonly events: number; readonly bytes: number }
  | { readonly kind: 'result'; readonly result: unknown }
  | { readonly kind: 'error'; readonly error: ErrorRecord };

/** An aborted thread has this long to clean up behind itself. */
const ABORT_GRACE_MS = 10_000;

/** A thread without work ends after this: its memory is wanted elsewhere. */
let idleMs = 1500;

/** For a process that lives of such work: how long threads wait for the next of it. */
export function keepThreadsFor(ms: number): void {
  idleMs = ms;
}

/**
 * A thread's garbage is mostly buffers outside of the heap, which only a collection gives back: with a small young
 * generation it comes often and cheaply (measured: 80 MiB less at the same speed).
 */
const YOUNG_GENERATION_MB = 2;

/** The same file before and after building: source runs as .ts, the published package as .js. */
const ENTRY = new URL(
  import.meta.url.endsWith('.ts') ? './thread-main.ts' : './thread-main.js',
  import.meta.url,
);

/** Threads that have ended their job and wait for the next one, with the memory they have. */
const idle: { readonly worker: Worker; readonly deadline: NodeJS.Timeout }[] = [];

/** Starts threads that load what jobs of a kind need, while this one still finds out what there is to do. */
export function prepareThreads(count: number, job: ThreadJobKind, store: string | null): void {
  for (let i = 0; i < count; i += 1) {
    const worker = startThread();
    worker.postMessage({ kind: 'prepare', job, store, ...known() } satisfies ThreadOrder);
    keepForNextJob(worker);
  }
}

/**
 * Runs one job in a thread: a waiting one, else a new one. How many run at once is the caller's limit. Waiting threads
 * do not keep the process alive.
 */
export async function runInThread<Kind extends ThreadJobKind>(
  kind: Kind,
  input: ThreadJobs[Kind]['input'],
  hooks: ThreadHooks = {},
  layouts: CustomMappings = layoutsInUse(),
): Promise<ThreadJobs[Kind]['result']> {
  const worker = takeIdle() ?? startThread();
  // When this throws, the thread has been ended: who knows what a failed job still holds.
  const result = await awaitJob(worker, { kind: 'job', job: kind, input, ...known(), layouts }, hooks);
  keepForNextJob(worker);
  return result as ThreadJobs[Kind]['result'];
}

function takeIdle(): Worker | undefined {
  const waiting = idle.pop();
  if (waiting === undefined) return undefined;
  clearTimeout(waiting.deadline);
  waiting.worker.ref();
  return waiting.worker;
}

function keepForNextJob(worker: Worker): void {
  worker.unref();
  const deadline = setTimeout(() => {
    forget(worker);
    void worker.terminate();
  }, idleMs).unref();
  idle.push({ worker, deadline });
}

function forget(worker: Worker): void {
  const at = idle.findIndex((waiting) => waiting.worker === worker);
  if (at === -1) return;
  clearTimeout(idle[at]!.deadline);
  idle.splice(at, 1);
}

function startThread(): Worker {
  const worker = new Worker(ENTRY, {
    name: 'eventcore',
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
  });
  // One that dies between two jobs must not end the process, nor be given a job, which would never end.
  const dead = (): void => forget(worker);
  return worker.on('error', dead).on('exit', dead);
}

function awaitJob(worker: Worker, order: ThreadOrder, hooks: ThreadHooks): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let deadline: NodeJS.Timeout | undefined;
    const abort = (): void => {
      worker.postMessage({ kind: 'abort' } satisfies ThreadOrder);
      deadline = setTimeout(() => void worker.terminate(), ABORT_GRACE_MS);
    };
    const settle = (): void => {
      clearTimeout(deadline);
      hooks.signal?.removeEventListener('abort', abort);
      worker.off('message', onMessage).off('messageerror', fail).off('error', fail).off('exit', onExit);
    };
    const fail = (error: Error): void => {
      settle();
      void worker.terminate();
      reject(error);
    };
    const onMessage = (message: ThreadMessage): void => {
      if (message.kind === 'progress') {
        hooks.onProgress?.(message.events, message.bytes);
      } else if (message.kind === 'result') {
        settle();
        resolve(message.result);
      } else {
        fail(reviveError(message.error));
      }
    };
    const onExit = (): void => fail(new BackupError('interrupted', 'a thread ended before its job'));
    worker.on('message', onMessage).on('messageerror', fail).on('error', fail).on('exit', onExit);
    worker.postMessage(order);
    if (hooks.signal?.aborted) abort();
    else hooks.signal?.addEventListener('abort', abort, { once: true });
  });
}
