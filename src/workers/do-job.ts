import { describeError } from '../core/error-record.ts';
import { isBackupError } from '../core/errors.ts';
import { pause } from '../core/pause.ts';
import type { JobEnd, JobProgress, TakenJob, WorkQueue } from '../core/work-queue.ts';
import type { JobOrder } from './protocol.ts';
import { openData, type QueueKey, sealData } from './sealed.ts';

export interface JobHooks {
  /** Events and bytes since the last call. */
  readonly onProgress: (events: number, bytes: number) => void;
  readonly signal: AbortSignal;
}

export interface DoJobPorts {
  readonly queue: WorkQueue;
  readonly key: QueueKey;
  /** For people. */
  readonly worker: string;
  /** Does what the order says. What it gives is plain data. */
  readonly run: (job: TakenJob, order: JobOrder, hooks: JobHooks) => Promise<unknown>;
  /** Words for the log. */
  readonly onEnd?: (job: TakenJob, how: 'done' | 'failed' | 'given up', error: unknown) => void;
}

/** How far a job is, is told so often; and so often it is asked whether anybody still waits for it. */
const TELL_EVERY_MS = 1000;
const ASK_EVERY_MS = 10_000;
/** Each of them waits for a server that restarts. */
const MOST_TRIES = 4;
const ASK_AGAIN_MS = 500;

/** Does one job and says how it ended. Never throws: what goes wrong is the job's end. */
export async function doJob(ports: DoJobPorts, job: TakenJob): Promise<JobEnd> {
  const done = { events: 0, bytes: 0 };
  const watch = watchOver(ports, job, done);
  try {
    const order = await openOrder(ports, job);
    const result = await ports.run(job, order, {
      onProgress: (events, bytes) => {
        done.events += events;
        done.bytes += bytes;
      },
      signal: watch.signal,
    });
    const place = await writeResult(ports, job, result);
    ports.onEnd?.(job, 'done', null);
    return { kind: 'done', result: { ...place, ...done } };
  } catch (error) {
    return await failed(ports, job, error, watch);
  } finally {
    watch.end();
  }
}

async function openOrder({ queue, key }: DoJobPorts, job: TakenJob): Promise<JobOrder> {
  const order = await openData(key, { what: 'job', jobId: job.id, attempt: -1 }, job.payload);
  // Nobody waits for it: to begin with it would be in vain.
  if (!(await patiently(job, () => queue.isAlive(job.runId)))) throw new Abandoned();
  return order as JobOrder;
}

async function writeResult({ queue, key }: DoJobPorts, job: TakenJob, result: unknown) {
  const bound = { what: 'result', jobId: job.id, attempt: job.attempt } as const;
  const sealed = await sealData(key, bound, result);
  return patiently(job, () => queue.writeResult(job, sealed));
}

/** A connection that breaks just then is no reason to have read a range in vain. */
async function patiently<Result>({ signal }: TakenJob, ask: () => Promise<Result>): Promise<Result> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await ask();
    } catch (error) {
      if (!isBackupError(error, 'queue_unreachable') || tries === MOST_TRIES || signal.aborted) throw error;
    }
    await pause(ASK_AGAIN_MS, signal);
  }
}

/** The coordinator is not there any more. */
class Abandoned extends Error {}

async function failed(
  { key, onEnd }: DoJobPorts,
  job: TakenJob,
  error: unknown,
  { isAbandoned }: Watch,
): Promise<JobEnd> {
  if (error instanceof Abandoned || isAbandoned()) {
    onEnd?.(job, 'given up', error);
    return { kind: 'abandoned' };
  }
  const isOver = job.signal.aborted;
  onEnd?.(job, isOver ? 'given up' : 'failed', error);
  const bound = { what: 'failure', jobId: job.id, attempt: job.attempt } as const;
  const again = isOver || (isBackupError(error) && error.retryable);
  return { kind: 'failed', again, sealed: await sealData(key, bound, describeError(error)) };
}

interface Watch {
  /** Fires with the job's, and when nobody waits for it. */
  readonly signal: AbortSignal;
  readonly isAbandoned: () => boolean;
  readonly end: () => void;
}

/** Tells how far it is, and gives it up when its coordinator is gone. What the queue does not answer changes nothing. */
function watchOver({ queue, worker }: DoJobPorts, job: TakenJob, done: JobProgress): Watch {
  const abandoned = new AbortController();
  let told = 0;
  const tell = setInterval(() => {
    if (done.bytes === told) return;
    told = done.bytes;
    queue.noteProgress(job, worker, { ...done }).catch(() => undefined);
  }, TELL_EVERY_MS);
  const ask = setInterval(() => {
    queue.isAlive(job.runId).then(
      (isAlive) => isAlive || abandoned.abort(),
      () => undefined,
    );
  }, ASK_EVERY_MS);
  return {
    signal: AbortSignal.any([job.signal, abandoned.signal]),
    isAbandoned: () => abandoned.signal.aborted,
    end: () => {
      clearInterval(tell);
      clearInterval(ask);
    },
  };
}
