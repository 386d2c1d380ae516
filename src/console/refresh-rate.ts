import { ENDLESS_JOBS } from '../core/job.ts';
import type { ConsoleStore } from './ports.ts';

/**
 * When pages that are looked at come again: soon where something runs, later where nothing does, and all together never more often than the
 * daemon can answer by the way. Each page is given a slot of time that has room; how many are open need not be known.
 */
export interface RefreshRate {
  /** In how many ms a page that is answered now may be asked for again. */
  after(nowMs: number, isBusy: boolean): number;
}

const SLOT_MS = 250;
/** 20 in a second. */
const PAGES_A_SLOT = 5;
/** No page waits longer: beyond 12,000 of them the last slot takes what comes. */
const HORIZON_MS = 600_000;
const BUSY_MS = 2000;
const QUIET_MS = 15_000;

/** `random` gives numbers from 0 to 1: pages of one slot do not all come at its beginning. */
export function makeRefreshRate(random: () => number): RefreshRate {
  const taken = new Map<number, number>();
  let forgottenTo = 0;
  const forget = (nowMs: number): void => {
    const slot = Math.floor(nowMs / SLOT_MS);
    // The clock was set: what was given out means nothing any more.
    if (slot < forgottenTo || slot - forgottenTo > (2 * HORIZON_MS) / SLOT_MS) taken.clear();
    else for (let old = forgottenTo; old < slot; old += 1) taken.delete(old);
    forgottenTo = slot;
  };
  return {
    after: (nowMs, isBusy) => {
      forget(nowMs);
      const last = Math.floor((nowMs + HORIZON_MS) / SLOT_MS);
      let slot = Math.ceil((nowMs + (isBusy ? BUSY_MS : QUIET_MS)) / SLOT_MS);
      while (slot < last && (taken.get(slot) ?? 0) >= PAGES_A_SLOT) slot += 1;
      taken.set(slot, (taken.get(slot) ?? 0) + 1);
      return Math.round((slot + random()) * SLOT_MS - nowMs);
    },
  };
}

/** Something runs that ends, or somebody asked for it, in any of the stores. */
export function isBusy(stores: readonly ConsoleStore[]): boolean {
  return stores.some(({ jobs }) =>
    jobs.some(
      ({ job, runningSinceMs, asked }) =>
        (runningSinceMs !== null || asked !== null) && !ENDLESS_JOBS.has(job),
    ),
  );
}
