import { ENDLESS_JOBS, STEADY_RUN_MS } from '../core/job.ts';
import type { Timing } from '../policy/agenda.ts';
import { greatestIntervalMs } from '../policy/schedule.ts';
import { type MetricFamily, seconds } from './metric-family.ts';
import type { JobView } from './registry.ts';

/** A gauge with one value for each job, by `job_name`: Prometheus itself puts a label `job` on all that it reads. */
function jobGauge(
  name: string,
  help: string,
  value: (view: JobView, nowMs: number) => number | null,
): MetricFamily {
  return {
    ...{ name, help, type: 'gauge', labels: ['store', 'job_name'] },
    samples: ({ jobs, now }) =>
      jobs().map((view) => ({
        labels: { store: view.store, job_name: view.job },
        value: value(view, now()),
      })),
  };
}

/** Counts of each job, by one more label: they begin at 0 with the daemon. */
function jobCounter(
  name: string,
  help: string,
  by: string,
  counts: (view: JobView) => Readonly<Record<string, number>>,
): MetricFamily {
  return {
    ...{ name, help, type: 'counter', labels: ['store', 'job_name', by] },
    samples: ({ jobs }) =>
      jobs().flatMap((view) =>
        Object.entries(counts(view)).map(([key, value]) => ({
          labels: { store: view.store, job_name: view.job, [by]: key },
          value,
        })),
      ),
  };
}

const periods = new WeakMap<Timing, number>();

/** To look through a year of a schedule takes a moment: once for each. */
function periodMs(timing: Timing, nowMs: number): number | null {
  if (timing.kind === 'interval') return timing.everyMs;
  if (timing.kind !== 'schedule') return null;
  const known = periods.get(timing) ?? greatestIntervalMs(timing.schedule, nowMs);
  periods.set(timing, known);
  return known;
}

/** What runs until it is stopped goes well while it runs for a while. */
function goesWell({ job, runningSinceMs }: JobView, nowMs: number): boolean {
  return ENDLESS_JOBS.has(job) && runningSinceMs !== null && nowMs - runningSinceMs >= STEADY_RUN_MS;
}

export const JOB_METRICS: readonly MetricFamily[] = [
  jobGauge('eventcore_job_running', '1 while this daemon runs the job', ({ runningSinceMs }) =>
    runningSinceMs === null ? 0 : 1,
  ),
  jobGauge(
    'eventcore_job_last_success_timestamp_seconds',
    'when the job last ended well, in whatever daemon, or, of one that never ends, last went well; absent when it never did',
    (view, nowMs) => seconds(goesWell(view, nowMs) ? nowMs : view.lastSuccessAtMs),
  ),
  jobGauge(
    'eventcore_job_last_failure_timestamp_seconds',
    'when the job last failed, in whatever daemon; absent when it never did',
    ({ lastFailureAtMs }) => seconds(lastFailureAtMs),
  ),
  jobGauge('eventcore_job_last_duration_seconds', 'how long the last run of the job took', ({ last }) =>
    seconds(last?.durationMs ?? null),
  ),
  jobGauge(
    'eventcore_job_next_timestamp_seconds',
    'when the job is looked at next; absent while it runs',
    ({ nextMs, runningSinceMs }) => (runningSinceMs === null ? seconds(nextMs) : null),
  ),
  {
    name: 'eventcore_job_period_seconds',
    help: 'the longest time between two runs of the job by its schedule; absent where it has none',
    ...{ type: 'gauge', labels: ['store', 'job_name'] },
    samples: ({ jobs, now }) =>
      jobs().map(({ store, job, timing }) => ({
        labels: { store, job_name: job },
        value: seconds(periodMs(timing, now())),
      })),
  },
  jobGauge(
    'eventcore_job_in_trouble',
    '1 while the job cannot be looked at, since the vault does not answer',
    ({ trouble }) => (trouble === null ? 0 : 1),
  ),
  jobGauge(
    'eventcore_job_last_events',
    'events of the last backup, as far as the job has such a number',
    ({ last }) => last?.facts.totalEvents ?? null,
  ),
  jobGauge(
    'eventcore_job_last_bytes',
    'bytes of the last backup, as far as the job has such a number',
    ({ last }) => last?.facts.sizeBytes ?? null,
  ),
  jobCounter(
    'eventcore_job_runs_total',
    'runs of the job in this daemon since it was started, by how they came out',
    'state',
    ({ counts }) => counts,
  ),
  jobCounter(
    'eventcore_job_failures_total',
    'failures of the job in this daemon since it was started, by error code',
    'code',
    ({ failures }) => failures,
  ),
];
