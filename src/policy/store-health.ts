import type { JobEnd, JobName } from '../core/job.ts';
import type { Objective, StoreStatus } from '../core/status.ts';
import { plural } from '../core/units.ts';

/** What is known of a store and of its jobs. */
export interface HealthFacts {
  readonly status: StoreStatus | null;
  readonly objectives: readonly Objective[];
  readonly jobs: readonly HealthOfJob[];
  readonly trouble: string | null;
}

export interface HealthOfJob {
  readonly job: JobName;
  /** Why it could not be looked at, the last time; null when it could. */
  readonly trouble: string | null;
  readonly last: JobEnd | null;
}

export type HealthTone = 'bad' | 'warning' | 'faint' | 'good';

/** The worst first. */
export const HEALTH_TONES: readonly HealthTone[] = ['bad', 'warning', 'faint', 'good'];

/** How a store is, at a glance. */
export interface StoreHealth {
  readonly tone: HealthTone;
  /** As `protected`. */
  readonly word: string;
  /** One sentence; null where nothing has to be done. */
  readonly reason: string | null;
}

/** The worst of what is known. What is not known is never well. */
export function storeHealth({ status, objectives, jobs, trouble }: HealthFacts): StoreHealth {
  const breached = objectives.find(({ state }) => state === 'breached');
  if (breached !== undefined) return { tone: 'bad', word: 'objective breached', reason: breached.reason };
  if (trouble !== null) return { tone: 'bad', word: 'cannot be asked', reason: trouble };
  if (status === null) return { tone: 'faint', word: 'not known yet', reason: null };
  const damage = damageOf(status);
  if (damage !== null) return { tone: 'bad', word: 'damage', reason: damage };
  if (status.newestPoint === null)
    return { tone: 'warning', word: 'no backup yet', reason: 'Nothing of it can be brought back.' };
  const troubled = jobs.find((job) => job.trouble !== null);
  if (troubled !== undefined)
    return { tone: 'bad', word: 'job in trouble', reason: `${troubled.job}: ${troubled.trouble}` };
  const failed = jobs.find(({ last }) => last?.state === 'failed');
  if (failed !== undefined)
    return { tone: 'warning', word: 'job failed', reason: `${failed.job} failed the last time.` };
  const [problem] = status.problems;
  if (problem !== undefined)
    return { tone: 'warning', word: 'partly known', reason: `${problem.of}: ${problem.message}` };
  const unknown = objectives.find(({ state }) => state === 'unknown');
  if (unknown !== undefined) return { tone: 'warning', word: 'partly known', reason: unknown.reason };
  return { tone: 'good', word: 'protected', reason: null };
}

/** Whether or not anything is promised. */
function damageOf({ monitor, verification }: StoreStatus): string | null {
  const open = monitor?.openCritical ?? 0;
  if (open > 0) return `the monitor has ${plural(open, 'critical finding')} open in the store`;
  const unsound = verification?.unsound ?? 0;
  return unsound > 0 ? `${plural(unsound, 'part')} of the vault: unsound when verified last` : null;
}
