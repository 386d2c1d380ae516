import { Counter, Gauge, Registry as MetricRegistry } from 'prom-client';
import { FLEET_METRICS } from './fleet-metrics.ts';
import { JOB_METRICS } from './job-metrics.ts';
import type { FamilySources, MetricFamily, MetricSources } from './metric-family.ts';
import { viewMetrics } from './shown-stores.ts';
import { STORE_METRICS } from './store-metrics.ts';
import { WORK_QUEUE_METRICS } from './work-queue-metrics.ts';

/** What is exposed at `/metrics`. */
export interface Metrics {
  readonly contentType: string;
  /** In the text format of Prometheus. */
  render(): Promise<string>;
}

/** All that is exposed: dashboards, alert rules and docs/metrics.md are held against it. */
export const METRICS: readonly MetricFamily[] = [
  {
    ...{ name: 'eventcore_up', help: '1 while the daemon answers', type: 'gauge', labels: [] },
    samples: () => [{ labels: {}, value: 1 }],
  },
  ...JOB_METRICS,
  ...STORE_METRICS,
  ...FLEET_METRICS,
  {
    name: 'eventcore_queue_waiting',
    help: 'what waits for its turn in the daemon, by queue',
    ...{ type: 'gauge', labels: ['queue'] },
    samples: ({ queues }) =>
      queues().map(({ name, waiting }) => ({ labels: { queue: name }, value: waiting })),
  },
  ...WORK_QUEUE_METRICS,
];

export const METRIC_NAMES: readonly string[] = METRICS.map(({ name }) => name);

export function makeMetrics(sources: MetricSources): Metrics {
  const registry = new MetricRegistry();
  let current: FamilySources = look(sources);
  for (const family of METRICS) expose(registry, family, () => current);
  return {
    contentType: registry.contentType,
    render: () => {
      current = look(sources);
      return registry.metrics();
    },
  };
}

/** To judge a thousand stores takes a moment: once for all families. */
function look(sources: MetricSources): FamilySources {
  const { all, shown } = viewMetrics(sources);
  return { ...sources, ...shown, all: () => all };
}

/** Values are kept elsewhere and set anew whenever they are read. */
function expose(registry: MetricRegistry, family: MetricFamily, sources: () => FamilySources): void {
  const { name, help, labels, samples, type } = family;
  const options = { name, help, labelNames: labels, registers: [registry] };
  const metric =
    type === 'counter' ? new Counter({ ...options, collect }) : new Gauge({ ...options, collect });
  function collect(): void {
    metric.reset();
    for (const sample of samples(sources()))
      if (sample.value !== null) metric.inc({ ...sample.labels }, sample.value);
  }
}
