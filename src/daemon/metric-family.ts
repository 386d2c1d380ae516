import type { JobView } from './registry.ts';
import type { MetricView } from './shown-stores.ts';
import type { StoreView } from './store-view.ts';
import type { WorkQueueView } from './work-queue-metrics.ts';

/** What metrics are made of: in memory only, asked anew whenever they are read. */
export interface MetricSources {
  readonly jobs: () => readonly JobView[];
  readonly stores: () => readonly StoreView[];
  /** Of more stores, those have metrics of their own that are not well. */
  readonly mostShown: () => number;
  /** Those of a fleet that are not served. */
  readonly missing: () => readonly MissingView[];
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** What waits for its turn: questions and operations of the console, jobs. */
  readonly queues: () => readonly QueueView[];
  /** Those of workers, as far as they were asked. */
  readonly workQueues: () => readonly WorkQueueView[];
}

/** A store of a fleet that is not served. */
export interface MissingView {
  readonly name: string;
  /** `unreadable`: its configuration cannot be served; `gone`: it was served, and its configuration is there no more. */
  readonly state: 'unreadable' | 'gone';
  readonly reason: string;
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
  readonly samples: (sources: FamilySources) => Iterable<Sample>;
}

/** As `MetricSources`, of the stores that are shown. */
export interface FamilySources extends MetricSources {
  /** Of those that are not, too. */
  readonly all: () => MetricView['all'];
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
