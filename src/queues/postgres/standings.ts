import type { JobStanding, ResultPlace } from '../../core/work-queue.ts';
import type { QueueDatabase } from './database.ts';

/** What a worker leaves with a job: read by `readStandings`, written by `takeJobs`. */
export type JobOutput =
  | { readonly kind: 'done'; readonly result: Omit<ResultPlace, 'jobId'> }
  | { readonly kind: 'failed'; readonly attempt: number; readonly sealed: string }
  | { readonly kind: 'abandoned' };

const STATES: Readonly<Record<string, JobStanding['state']>> = {
  created: 'waiting',
  retry: 'waiting',
  active: 'active',
  completed: 'done',
  cancelled: 'cancelled',
  failed: 'failed',
};

/** What pg-boss has of these jobs. Its own calls give one job at a time. */
export async function readStandings(
  { schema, executeSql }: QueueDatabase,
  queue: string,
  jobIds: readonly string[],
): Promise<JobStanding[]> {
  const { rows } = await executeSql(
    `SELECT j.id, j.state::text, j.output, p.attempt, p.worker, p.events, p.bytes
       FROM ${schema}.job j LEFT JOIN ${schema}.progress p ON p.job = j.id
      WHERE j.name = $1 AND j.id = ANY ($2::uuid[])`,
    [queue, [...jobIds]],
  );
  return rows.map((row) => standingOf(row as unknown as Row));
}

interface Row {
  readonly id: string;
  readonly state: string;
  /** Of a lost worker: what pg-boss itself says. */
  readonly output: Partial<JobOutput> | null;
  readonly attempt: number | null;
  readonly worker: string | null;
  readonly events: string | null;
  readonly bytes: string | null;
}

function standingOf({ id, state, output, attempt, worker, events, bytes }: Row): JobStanding {
  const left = output?.kind === undefined ? null : (output as JobOutput);
  return {
    id,
    state: STATES[state] ?? 'active',
    progress:
      attempt === null
        ? null
        : { attempt, worker: worker ?? '', events: Number(events), bytes: Number(bytes) },
    result: left?.kind === 'done' ? { jobId: id, ...left.result } : null,
    failure:
      left?.kind === 'failed' ? { attempt: left.attempt, sealed: Buffer.from(left.sealed, 'base64') } : null,
  };
}
