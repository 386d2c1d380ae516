import type { Context, Hono } from 'hono';
import type { Metrics } from './metrics.ts';
import type { JobView } from './registry.ts';

export interface HealthPorts {
  readonly views: () => readonly JobView[];
  readonly metrics: Metrics;
  /** Whether whoever asks may read what is wrong; others are told no more than whether the daemon is well. */
  readonly isLocal: (context: Context) => boolean;
  readonly mayReadMetrics: (context: Context) => boolean;
}

/** Health for whoever watches processes, which is always answered, and metrics. */
export function addHealth(app: Hono, { views, metrics, isLocal, mayReadMetrics }: HealthPorts): void {
  app.get('/livez', (context) => context.text('ok\n'));
  app.get('/readyz', (context) => {
    const troubled = views().filter(({ trouble }) => trouble !== null);
    if (troubled.length === 0) return context.text('ok\n');
    const lines = isLocal(context)
      ? troubled.map(({ store, job, trouble }) => `${store}: ${job}: ${trouble}`)
      : ['not ready'];
    return context.text(`${lines.join('\n')}\n`, 503);
  });
  app.get('/metrics', async (context) => {
    if (!mayReadMetrics(context)) return context.text('not found\n', 404);
    return context.text(await metrics.render(), 200, { 'content-type': metrics.contentType });
  });
}
