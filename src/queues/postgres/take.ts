import { setTimeout as sleep } from 'node:timers/promises';
import type { Job, JobResult, WorkOptions } from 'pg-boss';
import type { JobEnd, TakenJob, TakeOptions, Taking } from '../../core/work-queue.ts';
import { groupLimits } from './claims.ts';
import type { Opened } from './queue.ts';
import { tellNews } from './results.ts';
import type { JobOutput } from './standings.ts';

interface JobData {
  readonly runId: string;
  readonly kind: string;
  readonly sealed: string;
}

/** Words of new jobs hardly ever get lost; it is looked so often all the same. */
const POLL_SECONDS = 2;

/** Takes jobs until it is stopped. What ends a job is told to pg-boss with the attempt it is of: a later one does not mind. */
export async function takeJobs(
  { boss, database, names }: Opened,
  { lanes, onTrouble, ...limits }: TakeOptions,
  work: (job: TakenJob) => Promise<JobEnd>,
): Promise<Taking> {
  const stop = new AbortController();
  const busy = new Set<Promise<unknown>>();
  boss.on('error', onTrouble);
  const groupConcurrency = groupLimits(limits);
  const options = {
    ...{ perJobResults: true, heartbeatRefreshSeconds: 3 },
    ...{ pollingIntervalSeconds: POLL_SECONDS, notifyPollingIntervalSeconds: POLL_SECONDS },
    ...(groupConcurrency === null ? {} : { groupConcurrency }),
  } as const satisfies WorkOptions;
  const openLane = async (): Promise<void> => {
    let lane = '';
    lane = await boss.work<JobData>(names.jobs, options, async ([taken]) => {
      const job = jobOf(taken!, stop.signal);
      const working = work(job);
      busy.add(working);
      try {
        return [resultOf(job, await working)];
      } finally {
        busy.delete(working);
        // Where one job was there are mostly more: it looks again at once.
        boss.notifyWorker(lane);
        // Behind the answer of this, which pg-boss writes.
        void tellNews(database, job.runId).catch(onTrouble);
      }
    });
  };
  await Promise.all(Array.from({ length: lanes }, openLane));
  return {
    stop: async (graceMs) => {
      const leaving = boss.offWork(names.jobs, { wait: false });
      const over = new AbortController();
      const grace = sleep(graceMs, undefined, { signal: over.signal }).catch(() => undefined);
      await Promise.race([Promise.allSettled([...busy]), grace]);
      over.abort();
      stop.abort();
      await Promise.allSettled([...busy, leaving]);
      // pg-boss writes what became of the last ones.
      await boss.stop({ graceful: true, timeout: 5000, close: false });
    },
  };
}

function jobOf(job: Job<JobData>, stopped: AbortSignal): TakenJob {
  const { runId, kind, sealed } = job.data;
  return {
    ...{ id: job.id, runId, kind, attempt: job.retryCount, payload: Buffer.from(sealed, 'base64') },
    signal: AbortSignal.any([job.signal, stopped]),
  };
}

function resultOf({ id, attempt }: TakenJob, end: JobEnd): JobResult<JobOutput> {
  if (end.kind === 'abandoned') return { id, status: 'completed', output: { kind: 'abandoned' } };
  if (end.kind === 'done') {
    const { jobId: _, ...result } = end.result;
    return { id, status: 'completed', output: { kind: 'done', result } };
  }
  const sealed = Buffer.from(end.sealed).toString('base64');
  // What no other try can mend is not tried again.
  return { id, status: end.again ? 'failed' : 'deadletter', output: { kind: 'failed', attempt, sealed } };
}
