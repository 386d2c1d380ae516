import type { Attributes, Span, Tracer } from '@opentelemetry/api';
import { isBackupError } from '../core/errors.ts';
import type { JobBegin } from '../core/job.ts';
import type { CommandResult } from './run-job.ts';

/**
 * Spans of OpenTelemetry, where the process was started with an SDK (`node --import`). Its API is loaded only then: that is 8 MiB and a
 * twentieth of a second. No span holds a message of a failure, which may name streams.
 */

type Api = typeof import('@opentelemetry/api');

export interface Tracing {
  readonly api: Api;
  readonly tracer: Tracer;
}

/** Under which an SDK of API 1.x registers itself. */
const REGISTERED = Symbol.for('opentelemetry.js.api.1');

/** Null: no SDK is there. `software`: name and version. */
export async function openTracing(software: string): Promise<Tracing | null> {
  if ((globalThis as Record<symbol, unknown>)[REGISTERED] === undefined) return null;
  const api = await import('@opentelemetry/api');
  const [name = software, version] = software.split(' ');
  return { api, tracer: api.trace.getTracer(name, version) };
}

/** What a command is told of the trace that it belongs to: variables of its environment. */
export type TraceVariables = Readonly<Record<string, string>>;

export interface TracedJob {
  readonly store: string;
  readonly begin: JobBegin;
  /** How the run came out. */
  readonly stateOf: (result: CommandResult) => string;
}

/** A span around a run of a job. */
export async function traceJob(
  tracing: Tracing | null,
  { store, begin, stateOf }: TracedJob,
  work: (variables: TraceVariables) => Promise<CommandResult>,
): Promise<CommandResult> {
  if (tracing === null) return work({});
  const { job, attempt, wantedAt, reason } = begin;
  const attributes: Attributes = {
    ...{ 'eventcore.store': store, 'eventcore.job': job, 'eventcore.attempt': attempt },
    ...{ 'eventcore.wanted_at': wantedAt, 'eventcore.reason': reason },
  };
  return inSpan(tracing, `eventcore.job ${job}`, { attributes }, async (span) => {
    const result = await work(variablesOf(tracing, span));
    const state = stateOf(result);
    span.setAttributes({ 'eventcore.state': state, ...factsOf(result) });
    endWith(tracing, span, { isFailed: state === 'failed', ...result });
    return result;
  });
}

function factsOf({ facts }: CommandResult): Attributes {
  const { totalEvents, sizeBytes } = facts;
  return {
    ...(totalEvents === undefined ? {} : { 'eventcore.events': totalEvents }),
    ...(sizeBytes === undefined ? {} : { 'eventcore.bytes': sizeBytes }),
  };
}

export interface CommandEnd {
  readonly isFailed: boolean;
  readonly exitCode: number | null;
  readonly code: string | null;
}

/** Names of attributes as OpenTelemetry has them. */
function endWith({ api }: Tracing, span: Span, { isFailed, exitCode, code }: CommandEnd): void {
  if (exitCode !== null) span.setAttribute('process.exit.code', exitCode);
  if (code !== null) span.setAttribute('error.type', code);
  if (isFailed)
    span.setStatus({ code: api.SpanStatusCode.ERROR, ...(code === null ? {} : { message: code }) });
}

/** A span around a command, within the one that the environment names, if it does. */
export async function traceCommand(
  tracing: Tracing | null,
  { name, env }: { readonly name: string; readonly env: Readonly<Record<string, string | undefined>> },
  work: () => Promise<CommandEnd>,
): Promise<void> {
  if (tracing === null) return void (await work());
  const { propagation, ROOT_CONTEXT } = tracing.api;
  const carrier = { traceparent: env.TRACEPARENT, tracestate: env.TRACESTATE };
  const parent = propagation.extract(ROOT_CONTEXT, carrier);
  await inSpan(tracing, name, { attributes: {}, parent }, async (span) =>
    endWith(tracing, span, await work()),
  );
}

interface SpanOptions {
  readonly attributes: Attributes;
  readonly parent?: ReturnType<Api['context']['active']>;
}

async function inSpan<Result>(
  { api, tracer }: Tracing,
  name: string,
  { attributes, parent = api.context.active() }: SpanOptions,
  work: (span: Span) => Promise<Result>,
): Promise<Result> {
  const span = tracer.startSpan(name, { attributes }, parent);
  try {
    return await api.context.with(api.trace.setSpan(parent, span), () => work(span));
  } catch (error) {
    if (isBackupError(error)) span.setAttribute('error.type', error.code);
    span.setStatus({ code: api.SpanStatusCode.ERROR });
    throw error;
  } finally {
    span.end();
  }
}

/** As OpenTelemetry names them; none where the SDK has no propagator. */
function variablesOf({ api }: Tracing, span: Span): TraceVariables {
  const carrier: Record<string, string> = {};
  api.propagation.inject(api.trace.setSpan(api.context.active(), span), carrier);
  return Object.fromEntries(
    Object.entries(carrier).map(([name, value]) => [name.toUpperCase().replaceAll('-', '_'), value]),
  );
}
