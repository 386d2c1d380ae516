import { BackupError } from '../../core/errors.ts';
import type { TakenJob } from '../../core/work-queue.ts';
import type { RateBudget } from '../../vaults/wrappers/rate.ts';
import type { JobHooks } from '../../workers/do-job.ts';
import type { JobOrder } from '../../workers/protocol.ts';
import { THREAD_JOB_KINDS, type ThreadJobKind, type ThreadJobs } from '../threads/thread-jobs.ts';
import { type Known, runInThread } from '../threads/threads.ts';

/**
 * Does what a coordinator would have had done in a thread of its own, in a thread of this worker. The vaults are opened with the rights
 * and within the rate of this machine.
 */
export function runQueuedJob(budget: RateBudget | null) {
  return (job: TakenJob, { input, names }: JobOrder, hooks: JobHooks): Promise<unknown> => {
    const kind = kindOf(job);
    const own = { ...ownVaults(input as Record<string, unknown>, budget), ...marked(kind, input, job) };
    return runInThread(kind, own as ThreadJobs[typeof kind]['input'], hooks, names as Known);
  };
}

function kindOf({ kind }: TakenJob): ThreadJobKind {
  const known = THREAD_JOB_KINDS.find((name) => name === kind);
  if (known !== undefined) return known;
  throw new BackupError('queue_refused', `no job of the kind ${JSON.stringify(kind)} is known here`, {
    hint: 'run the same version on all machines',
  });
}

const VAULT_KEYS = ['vault', 'from', 'to'];

function ownVaults(input: Record<string, unknown>, budget: RateBudget | null): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(input).map(([name, value]) => [
      name,
      VAULT_KEYS.includes(name) ? { ...(value as object), budget } : value,
    ]),
  );
}

/** Another try writes other files: whoever had the job before may still be writing. */
function marked(kind: ThreadJobKind, input: unknown, { id, attempt }: TakenJob): object {
  if (kind !== 'range') return {};
  const { job } = input as ThreadJobs['range']['input'];
  const mark = id.slice(0, 8) + attempt.toString(16).padStart(2, '0');
  return { job: { ...job, mark } };
}
