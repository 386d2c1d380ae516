import type { StoreStatus } from '../core/status.ts';
import { plural } from '../core/units.ts';
import type { Tone } from './parts/badge.ts';
import type { ConsoleStore } from './ports.ts';

/** How a store is, at a glance. */
export interface StoreHealth {
  readonly tone: Tone;
  /** As `protected`. */
  readonly word: string;
  /** One sentence; null where nothing has to be done. */
  readonly reason: string | null;
}

/** The worst of what is known. What is not known is never well. */
export function storeHealth({ status, objectives, jobs, trouble }: ConsoleStore): StoreHealth {
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
