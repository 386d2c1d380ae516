import { appendFileSync } from 'node:fs';
import {
  type Context,
  propagation,
  type TextMapGetter,
  type TextMapPropagator,
  type TextMapSetter,
  trace,
} from '@opentelemetry/api';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';

/** An SDK of OpenTelemetry, as somebody loads one before the program: with `node --import`, spans go to the file that SPANS names. */

const propagator: TextMapPropagator = {
  fields: () => ['traceparent'],
  inject: (context: Context, carrier: unknown, setter: TextMapSetter) => {
    const span = trace.getSpanContext(context);
    if (span !== undefined) setter.set(carrier, 'traceparent', `00-${span.traceId}-${span.spanId}-01`);
  },
  extract: (context: Context, carrier: unknown, getter: TextMapGetter) => {
    const [, traceId, spanId] = String(getter.get(carrier, 'traceparent') ?? '').split('-');
    if (traceId === undefined || spanId === undefined) return context;
    return trace.setSpanContext(context, { traceId, spanId, traceFlags: 1, isRemote: true });
  },
};

export interface SeenSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string | null;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly status: { readonly code: number; readonly message?: string };
}

export function seen(span: ReadableSpan): SeenSpan {
  const { traceId, spanId } = span.spanContext();
  const { name, attributes, status } = span;
  return { name, traceId, spanId, parentId: span.parentSpanContext?.spanId ?? null, attributes, status };
}

class FileExporter extends InMemorySpanExporter {
  override export(...[spans, done]: Parameters<InMemorySpanExporter['export']>): void {
    const lines = spans.map((span) => `${JSON.stringify(seen(span))}\n`).join('');
    if (process.env.SPANS !== undefined) appendFileSync(process.env.SPANS, lines);
    super.export(spans, done);
  }
}

export const exporter = new FileExporter();
trace.setGlobalTracerProvider(
  new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }),
);
propagation.setGlobalPropagator(propagator);
