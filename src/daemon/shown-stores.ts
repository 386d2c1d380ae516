import { HEALTH_TONES, type HealthTone, storeHealth } from '../policy/store-health.ts';
import type { MetricSources } from './metric-family.ts';
import type { JobView } from './registry.ts';
import type { StoreView } from './store-view.ts';

/** What is read once whenever metrics are: all families are made of the same. */
export interface MetricView {
  /** Of all stores. */
  readonly all: { readonly jobs: readonly JobView[]; readonly stores: readonly JudgedStore[] };
  /** Of those that have metrics of their own. */
  readonly shown: Pick<MetricSources, 'jobs' | 'stores'>;
}

export interface JudgedStore extends StoreView {
  readonly tone: HealthTone;
  /** A job of it should have begun long ago. */
  readonly isLate: boolean;
}

/** A job that waits for its turn is late by this before anybody looks. */
const LATE_MS = 15 * 60_000;

/**
 * Each store has some hundred series. Of up to `mostShown` stores there are all; of more, those of the stores that are not well, the worst first and no
 * more than that: so their number is bounded, and what alerts are raised for is there.
 */
export function viewMetrics(
  sources: Pick<MetricSources, 'jobs' | 'stores' | 'now' | 'mostShown'>,
): MetricView {
  const jobs = sources.jobs();
  const byStore = Map.groupBy(jobs, ({ store }) => store);
  const nowMs = sources.now();
  const stores = sources.stores().map((view): JudgedStore => {
    const own = byStore.get(view.store) ?? [];
    const { tone } = storeHealth({ ...view, jobs: own });
    return { ...view, tone, isLate: own.some((job) => isLate(job, nowMs)) };
  });
  const most = sources.mostShown();
  if (stores.length <= most)
    return { all: { jobs, stores }, shown: { jobs: () => jobs, stores: () => stores } };
  const rank = ({ tone, isLate: late }: JudgedStore): number => HEALTH_TONES.indexOf(tone) - (late ? 0.5 : 0);
  const worst = stores
    .filter(({ tone, isLate: late }) => tone !== 'good' || late)
    .sort((a, b) => rank(a) - rank(b) || (a.store < b.store ? -1 : 1))
    .slice(0, most);
  const names = new Set(worst.map(({ store }) => store));
  const shownJobs = jobs.filter(({ store }) => names.has(store));
  return { all: { jobs, stores }, shown: { jobs: () => shownJobs, stores: () => worst } };
}

function isLate({ runningSinceMs, nextMs }: JobView, nowMs: number): boolean {
  return runningSinceMs === null && nextMs !== null && nowMs - nextMs > LATE_MS;
}
