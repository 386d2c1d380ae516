import { Hono } from 'hono';
import type { Metrics } from './metrics.ts';
import type { JobView } from './registry.ts';

export interface HttpPorts {
  readonly views: () => readonly JobView[];
  readonly metrics: Metrics;
  /** Whether a request comes from this host; others are told no more than whether the daemon is well. */
  readonly isLocal: (request: unknown) => boolean;
}

/** Health for whoever watches processes, and metrics. */
export function makeHttp({ views, metrics, isLocal }: HttpPorts): Hono {
  const app = new Hono();
  app.use(async (context, next) => {
    await next();
    context.header('cache-control', 'no-store');
    context.header('x-content-type-options', 'nosniff');
  });
  app.get('/livez', (context) => context.text('ok\n'));
  app.get('/readyz', (context) => {
    const troubled = views().filter(({ trouble }) => trouble !== null);
    if (troubled.length === 0) return context.text('ok\n');
    // What is wrong is for who may read it.
    const lines = isLocal(context.env)
      ? troubled.map(({ store, job, trouble }) => `${store}: ${job}: ${trouble}`)
      : ['not ready'];
    return context.text(`${lines.join('\n')}\n`, 503);
  });
  app.get('/metrics', async (context) => {
    if (!isLocal(context.env)) return context.text('not found\n', 404);
    return context.text(await metrics.render(), 200, { 'content-type': metrics.contentType });
  });
  app.notFound((context) => context.text('not found\n', 404));
  return app;
}
