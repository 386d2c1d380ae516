import { BackupError } from '../core/errors.ts';

/**
 * Runs work that has so many milliseconds, and is left alone after that: what does not heed its signal must hold nobody up. Throws
 * `action_failed` when the time is over and `interrupted` when the outer signal fires.
 */
export async function withDeadline<Result>(
  what: string,
  ms: number,
  outer: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const own = new AbortController();
  const { promise: ended, reject } = Promise.withResolvers<never>();
  const stop = (error: BackupError): void => {
    own.abort(error);
    reject(error);
  };
  const onOuter = (): void => stop(interrupted(what));
  const timer = setTimeout(() => stop(tooLong(what, ms)), ms);
  outer?.addEventListener('abort', onOuter, { once: true });
  if (outer?.aborted === true) onOuter();
  try {
    return await Promise.race([ended, startUnlessAborted(own.signal, work)]);
  } finally {
    clearTimeout(timer);
    outer?.removeEventListener('abort', onOuter);
  }
}

/** What goes on after its time is not waited for, and what comes of it is of no use. */
function startUnlessAborted<Result>(
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  if (signal.aborted) return Promise.reject(signal.reason);
  return work(signal);
}

function interrupted(what: string): BackupError {
  return new BackupError('interrupted', `${what} was interrupted`);
}

function tooLong(what: string, ms: number): BackupError {
  return new BackupError('action_failed', `${what} took longer than ${ms} ms`, {
    hint: 'find out what holds it up; a longer time can be given in `disaster.steps` of the configuration',
  });
}
