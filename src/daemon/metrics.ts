import { Gauge, Registry as MetricRegistry } from 'prom-client';
import type { JobView } from './registry.ts';

/** What is exposed at `/metrics`. Labels are bounded: stores and jobs of the configuration, and error codes. */

export interface Metrics {
  readonly contentType: string;
  /** In the text format of Prometheus. */
  render(): Promise<string>;
}

interface JobMetric {
  readonly name: string;
  readonly help: string;
  /** Null: nothing is exposed. */
  readonly value: (view: JobView) => number | null;
}

const JOB_METRICS: readonly JobMetric[] = [
  {
    name: 'eventcore_job_running',
    help: '1 while this daemon runs the job',
    value: ({ runningSinceMs }) => (runningSinceMs === null ? 0 : 1),
  },
  {
    name: 'eventcore_job_last_success_timestamp_seconds',
    help: 'when the job last ended well, in whatever daemon; absent when it never did, and of one on no schedule',
    // Nothing is late of what only runs when it is asked for.
    value: ({ timing, lastSuccessAtMs }) => (timing.kind === 'asked' ? null : seconds(lastSuccessAtMs)),
  },
  {
    name: 'eventcore_job_last_failure_timestamp_seconds',
    help: 'when the job last failed, in whatever daemon; absent when it never did',
    value: ({ lastFailureAtMs }) => seconds(lastFailureAtMs),
  },
  {
    name: 'eventcore_job_last_duration_seconds',
    help: 'how long the last run of the job took',
    value: ({ last }) => seconds(last?.durationMs ?? null),
  },
  {
    name: 'eventcore_job_next_timestamp_seconds',
    help: 'when the job is looked at next; absent while it runs',
    value: ({ nextMs, runningSinceMs }) => (runningSinceMs === null ? seconds(nextMs) : null),
  },
  {
    name: 'eventcore_job_in_trouble',
    help: '1 while the job cannot be looked at, since the vault does not answer',
    value: ({ trouble }) => (trouble === null ? 0 : 1),
  },
  {
    name: 'eventcore_job_last_events',
    help: 'events of the last backup, as far as the job has such a number',
    value: ({ last }) => last?.facts.totalEvents ?? null,
  },
  {
    name: 'eventcore_job_last_bytes',
    help: 'bytes of the last backup, as far as the job has such a number',
    value: ({ last }) => last?.facts.sizeBytes ?? null,
  },
];

/** Names of all that is exposed: dashboards and alert rules are held against them. */
export const METRIC_NAMES: readonly string[] = [
  ...JOB_METRICS.map(({ name }) => name),
  'eventcore_job_runs',
  'eventcore_up',
];

export function makeMetrics(views: () => readonly JobView[]): Metrics {
  const registry = new MetricRegistry();
  for (const { name, help, value } of JOB_METRICS) {
    const gauge = new Gauge({
      ...{ name, help, labelNames: ['store', 'job'] as const, registers: [registry] },
      collect() {
        gauge.reset();
        for (const view of views()) {
          const number = value(view);
          if (number !== null) gauge.set({ store: view.store, job: view.job }, number);
        }
      },
    });
  }
  addRuns(registry, views);
  new Gauge({ name: 'eventcore_up', help: '1 while the daemon answers', registers: [registry] }).set(1);
  return { contentType: registry.contentType, render: () => registry.metrics() };
}

/** A gauge, though it counts: what counts is kept elsewhere, and begins at 0 with the daemon. */
function addRuns(registry: MetricRegistry, views: () => readonly JobView[]): void {
  const gauge = new Gauge({
    name: 'eventcore_job_runs',
    help: 'runs of the job in this daemon since it was started, by how they came out',
    labelNames: ['store', 'job', 'state'] as const,
    registers: [registry],
    collect() {
      gauge.reset();
      for (const { store, job, counts } of views()) {
        for (const [state, count] of Object.entries(counts)) gauge.set({ store, job, state }, count);
      }
    },
  });
}

function seconds(ms: number | null): number | null {
  return ms === null ? null : ms / 1000;
}
