import { ERROR_CODES } from '../core/errors.ts';
import type { JobEnd, JobName, JobProgress } from '../core/job.ts';
import type { Timing } from '../policy/agenda.ts';
import type { Asked } from './demand.ts';

/** What a daemon knows of its jobs: for health and metrics, in memory only. What must outlive it is in the vault. */

export interface JobView {
  readonly store: string;
  readonly job: JobName;
  /** When it is wanted; of the kind `asked`: it is on no schedule. */
  readonly timing: Timing;
  /** Who asked for a run that did not begin yet, and when; null: nobody. */
  readonly asked: Asked | null;
  /** Since when it runs here; null while it does not. */
  readonly runningSinceMs: number | null;
  /** How far it is, where it runs here and says so. */
  readonly progress: JobProgress | null;
  /** When it is looked at again; null: when it is asked for, or not known yet. */
  readonly nextMs: number | null;
  /** Why not before; of one that runs, why it does. */
  readonly reason: string | null;
  readonly last: JobEnd | null;
  /** What the last run said here when it failed, with the way out, and as it may be told to anybody; null: nothing, or elsewhere. */
  readonly lastTrouble: string | null;
  readonly lastSuccessAtMs: number | null;
  readonly lastFailureAtMs: number | null;
  /** Why it could not be looked at, the last time; null when it could. */
  readonly trouble: string | null;
  /** By how they came out, since the daemon was started. */
  readonly counts: Readonly<Record<JobEnd['state'], number>>;
  /** Of those that failed, how many with which code; `unknown` where it gave none. */
  readonly failures: Readonly<Record<string, number>>;
}

export interface Registry {
  add(store: string, job: JobName, timing: Timing): void;
  remove(store: string, job: JobName): void;
  change(
    store: string,
    job: JobName,
    changes: Partial<Omit<JobView, 'store' | 'job' | 'counts' | 'failures'>>,
  ): void;
  ended(store: string, end: JobEnd, atMs: number): void;
  /** Undefined where there is no such job. */
  view(store: string, job: JobName): JobView | undefined;
  views(): readonly JobView[];
  /** Of all stores. */
  size(): number;
}

export function makeRegistry(): Registry {
  const views = new Map<string, JobView>();
  const keyOf = (store: string, job: JobName): string => `${job} ${store}`;
  const change: Registry['change'] = (store, job, changes) => {
    const view = views.get(keyOf(store, job));
    if (view !== undefined) views.set(keyOf(store, job), { ...view, ...changes });
  };
  return {
    add: (store, job, timing) => {
      const known = views.get(keyOf(store, job)) ?? emptyView(store, job);
      views.set(keyOf(store, job), { ...known, timing });
    },
    remove: (store, job) => {
      views.delete(keyOf(store, job));
    },
    change,
    ended: (store, end, atMs) => {
      const view = views.get(keyOf(store, end.job));
      if (view === undefined) return;
      const counts = { ...view.counts, [end.state]: view.counts[end.state] + 1 };
      const when =
        end.state === 'succeeded'
          ? { lastSuccessAtMs: atMs }
          : end.state === 'failed'
            ? { lastFailureAtMs: atMs }
            : {};
      views.set(keyOf(store, end.job), {
        ...view,
        ...when,
        ...{
          counts,
          failures: countFailure(view.failures, end),
          last: end,
          lastTrouble: null,
          runningSinceMs: null,
          progress: null,
          trouble: null,
        },
      });
    },
    view: (store, job) => views.get(keyOf(store, job)),
    views: () => [...views.values()],
    size: () => views.size,
  };
}

function emptyView(store: string, job: JobName): Omit<JobView, 'timing'> {
  return {
    ...{
      store,
      job,
      asked: null,
      runningSinceMs: null,
      progress: null,
      nextMs: null,
      reason: null,
      last: null,
      lastTrouble: null,
    },
    ...{ lastSuccessAtMs: null, lastFailureAtMs: null, trouble: null },
    counts: { succeeded: 0, failed: 0, interrupted: 0 },
    failures: {},
  };
}

/** Only codes of this program are told apart: what a record says may be anything. */
function countFailure(failures: JobView['failures'], { state, code }: JobEnd): JobView['failures'] {
  if (state !== 'failed') return failures;
  const known = code !== null && Object.hasOwn(ERROR_CODES, code) ? code : 'unknown';
  return { ...failures, [known]: (failures[known] ?? 0) + 1 };
}
