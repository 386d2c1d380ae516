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
