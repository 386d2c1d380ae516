import { plural } from '../core/units.ts';
import type { KnownWorker, QueueCounts } from '../core/work-queue.ts';
import { type Check, good, warn } from './check.ts';

export const QUEUE_CHECK = 'queue';

export interface QueueFacts {
  readonly address: string;
  readonly counts: Pick<QueueCounts, 'waiting' | 'active' | 'dead'>;
  readonly workers: readonly KnownWorker[];
}

/** A queue that answers, with the key that is here, and for which somebody works. Where nobody does, commands work alone. */
export function checkQueue({ address, counts, workers }: QueueFacts): Check[] {
  const alive = workers.filter(({ isAlive }) => isAlive);
  const lanes = alive.reduce((sum, worker) => sum + (worker.lanes ?? 0), 0);
  const found =
    alive.length === 0
      ? warn(
          QUEUE_CHECK,
          `no worker takes jobs from ${address}: commands do all the work on their own machine`,
          'start `eventcore worker`',
        )
      : good(
          QUEUE_CHECK,
          `${address}: ${plural(alive.length, 'worker')} for ${plural(lanes, 'job')} at once; ${counts.waiting} waiting, ${counts.active} under way`,
        );
  if (counts.dead === 0) return [found];
  const hint = '`eventcore queue` shows who works; why a job failed stands in the logs of the workers';
  return [found, warn(QUEUE_CHECK, `${plural(counts.dead, 'job')} failed for good within a week`, hint)];
}
