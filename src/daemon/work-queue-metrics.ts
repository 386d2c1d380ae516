import type { MetricFamily, Sample } from './metric-family.ts';

/** A queue of workers that stores of the daemon name. */
export interface WorkQueueView {
  /** Its address, without a password. */
  readonly queue: string;
  /** Null: it could not be asked. */
  readonly seen: SeenWorkQueue | null;
}

export interface SeenWorkQueue {
  readonly waiting: number;
  readonly active: number;
  /** That failed for good within a week. */
  readonly dead: number;
  /** Those that are heard, and how many jobs they take at once. */
  readonly workers: number;
  readonly lanes: number;
}

const STATES = ['waiting', 'active', 'dead'] as const;

export const WORK_QUEUE_METRICS: readonly MetricFamily[] = [
  {
    name: 'eventcore_work_queue_jobs',
    help: 'jobs for workers by state: waiting, active; dead: failed for good within a week',
    ...{ type: 'gauge', labels: ['queue', 'state'] },
    samples: ({ workQueues }) =>
      workQueues().flatMap(({ queue, seen }) =>
        STATES.map((state) => ({ labels: { queue, state }, value: seen?.[state] ?? null })),
      ),
  },
  gauge('eventcore_work_queue_workers', 'workers that are heard', ({ seen }) => seen?.workers ?? null),
  gauge('eventcore_work_queue_lanes', 'jobs that they take at once', ({ seen }) => seen?.lanes ?? null),
  gauge('eventcore_work_queue_in_trouble', '1 while the queue cannot be asked', ({ seen }) =>
    seen === null ? 1 : 0,
  ),
];

function gauge(name: string, help: string, value: (view: WorkQueueView) => number | null): MetricFamily {
  const sample = (view: WorkQueueView): Sample => ({ labels: { queue: view.queue }, value: value(view) });
  return {
    ...{ name, help, type: 'gauge', labels: ['queue'] },
    samples: ({ workQueues }) => workQueues().map(sample),
  };
}
