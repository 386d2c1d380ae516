import type { JobView } from './registry.ts';
import type { StoreView } from './store-view.ts';

/** What metrics are made of: in memory only, asked anew whenever they are read. */
export interface MetricSources {
  readonly jobs: () => readonly JobView[];
  readonly stores: () => readonly StoreView[];
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** What waits for its turn: questions and operations of the console, jobs. */
  readonly queues: () => readonly QueueView[];
}

export interface QueueView {
  /** One of a few. */
  readonly name: string;
  readonly waiting: number;
}

/**
 * A metric: labels are bounded, being names of the configuration or words of this program. What is not known has no sample, and is never 0.
 * A counter only grows while the daemon runs.
 */
export interface MetricFamily {
  readonly name: string;
  readonly help: string;
  readonly type: 'gauge' | 'counter';
  readonly labels: readonly string[];
  readonly samples: (sources: MetricSources) => Iterable<Sample>;
}

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  /** Null: it is not known. */
  readonly value: number | null;
}

export function seconds(ms: number | null): number | null {
  return ms === null ? null : ms / 1000;
}

/** Seconds since 1970; null where there is no such time. */
export function timestamp(time: string | null | undefined): number | null {
  const ms = time == null ? Number.NaN : Date.parse(time);
  return Number.isFinite(ms) ? ms / 1000 : null;
}

export function oneOrZero(is: boolean | null | undefined): number | null {
  return is == null ? null : is ? 1 : 0;
}
