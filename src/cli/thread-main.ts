import { parentPort, workerData } from 'node:worker_threads';
import { isBackupError } from '../core/errors.ts';
import { type ThreadJobKind, type ThreadJobs, threadJobs } from './thread-jobs.ts';
import type { ThreadError, ThreadMessage } from './threads.ts';

/** The other end of `runInThread`: runs the one job that it was started for. */

const PROGRESS_EVERY_MS = 100;

const port = parentPort;
if (port === null) throw new Error('thread-main is started by runInThread only');
const send = (message: ThreadMessage): void => port.postMessage(message);

const aborter = new AbortController();
port.once('message', () => aborter.abort());
port.unref();

const pending = { events: 0, bytes: 0, sentAt: 0 };
function onProgress(events: number, bytes: number): void {
  pending.events += events;
  pending.bytes += bytes;
  const now = performance.now();
  if (now - pending.sentAt < PROGRESS_EVERY_MS) return;
  flushProgress(now);
}

function flushProgress(now: number): void {
  send({ kind: 'progress', events: pending.events, bytes: pending.bytes });
  Object.assign(pending, { events: 0, bytes: 0, sentAt: now });
}

async function run<Kind extends ThreadJobKind>(kind: Kind, input: ThreadJobs[Kind]['input']): Promise<void> {
  try {
    const result = await threadJobs[kind](input, { onProgress, signal: aborter.signal });
    flushProgress(performance.now());
    send({ kind: 'result', result });
  } catch (error) {
    send({ kind: 'error', error: describeError(error) });
  }
}

function describeError(error: unknown): ThreadError {
  if (isBackupError(error)) {
    const { code, message, hint, facts } = error;
    return { code, message, hint, facts, stack: error.stack ?? null };
  }
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  return { code: null, message, hint: null, facts: {}, stack: stack ?? null };
}

const { kind, input } = workerData as { kind: ThreadJobKind; input: never };
await run(kind, input);
