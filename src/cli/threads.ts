import { Worker } from 'node:worker_threads';
import { BackupError, type ErrorCode } from '../core/errors.ts';
import type { ThreadHooks, ThreadJobKind, ThreadJobs } from './thread-jobs.ts';

/** What a thread sends home. Errors travel as plain data, since structured cloning loses their class. */
export type ThreadMessage =
  | { readonly kind: 'progress'; readonly events: number; readonly bytes: number }
  | { readonly kind: 'result'; readonly result: unknown }
  | { readonly kind: 'error'; readonly error: ThreadError };

export interface ThreadError {
  readonly code: ErrorCode | null;
  readonly message: string;
  readonly hint: string | null;
  readonly facts: BackupError['facts'];
  readonly stack: string | null;
}

/** An aborted thread has this long to clean up behind itself. */
const ABORT_GRACE_MS = 10_000;

/** The same file before and after building: source runs as .ts, the published package as .js. */
const ENTRY = new URL(
  import.meta.url.endsWith('.ts') ? './thread-main.ts' : './thread-main.js',
  import.meta.url,
);

/** The `run…` ports of backup, verify and restore, each job in a thread of its own. */
export function threadedBackup(store: string, vault: string) {
  return {
    runRange: (token: string, job: ThreadJobs['range']['input']['job'], hooks: ThreadHooks) =>
      runInThread('range', { store, vault, token, job }, hooks),
    runFile: (job: ThreadJobs['verify']['input']['job'], hooks: ThreadHooks) =>
      runInThread('verify', { vault, job }, hooks),
    runLoad: (token: string, job: ThreadJobs['load']['input']['job'], hooks: ThreadHooks) =>
      runInThread('load', { store, vault, token, job }, hooks),
  };
}

/** Runs one job in a thread of its own and ends the thread with it. */
export function runInThread<Kind extends ThreadJobKind>(
  kind: Kind,
  input: ThreadJobs[Kind]['input'],
  hooks: ThreadHooks = {},
): Promise<ThreadJobs[Kind]['result']> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(ENTRY, { workerData: { kind, input }, name: `eventcore-${kind}` });
    let deadline: NodeJS.Timeout | undefined;
    const abort = (): void => {
      worker.postMessage('abort');
      deadline = setTimeout(() => void worker.terminate(), ABORT_GRACE_MS);
    };
    const settle = (done: () => void): void => {
      clearTimeout(deadline);
      hooks.signal?.removeEventListener('abort', abort);
      void worker.terminate();
      done();
    };
    worker.on('message', (message: ThreadMessage) => {
      if (message.kind === 'progress') hooks.onProgress?.(message.events, message.bytes);
      else if (message.kind === 'result') settle(() => resolve(message.result as ThreadJobs[Kind]['result']));
      else settle(() => reject(reviveError(message.error)));
    });
    worker.on('error', (cause) => settle(() => reject(cause)));
    worker.on('exit', () =>
      settle(() => reject(new BackupError('interrupted', `a ${kind} thread ended early`))),
    );
    if (hooks.signal?.aborted) abort();
    else hooks.signal?.addEventListener('abort', abort, { once: true });
  });
}

function reviveError(error: ThreadError): Error {
  if (error.code === null) {
    const revived = new Error(error.message);
    if (error.stack !== null) revived.stack = error.stack;
    return revived;
  }
  const { hint, facts } = error;
  return new BackupError(error.code, error.message, hint === null ? { facts } : { hint, facts });
}
