import type { Removal } from '../core/change-feed.ts';
import { BackupError } from '../core/errors.ts';

/**
 * Events that a store removed after they were written. Events of a log are numbered from its first block on; those of the
 * base come before all of them. An event is gone when something removed it after it was written, and may be written anew.
 */
export interface RemovedEvents {
  /** By event id, the number of the first event that was written after the last removal of it. */
  readonly ids: Map<string, number>;
  /** All events before this number are gone; 0: the store was never emptied. */
  emptiedAt: number;
  /** Something was removed; `emptiedAt` may be 0 all the same, when nothing but the base went. */
  isEmptied: boolean;
}

/** To know a million ids takes about 150 MB. */
const MAX_REMOVED = 1_000_000;

export function noRemovals(): RemovedEvents {
  return { ids: new Map(), emptiedAt: 0, isEmptied: false };
}

export function hasRemovals({ ids, isEmptied }: RemovedEvents): boolean {
  return isEmptied || ids.size > 0;
}

/** `before`: number of the next event when this was removed. Throws `store_unsupported` for more than can be known. */
export function noteRemoval(
  removed: RemovedEvents,
  { eventId }: Pick<Removal, 'eventId'>,
  before: number,
  limit = MAX_REMOVED,
): void {
  if (eventId === null) {
    removed.isEmptied = true;
    removed.emptiedAt = before;
    // Whatever was removed one by one before that is gone with all the rest.
    removed.ids.clear();
    return;
  }
  removed.ids.set(eventId, before);
  if (removed.ids.size <= limit) return;
  throw new BackupError(
    'store_unsupported',
    `more than ${limit} events were removed one by one up to there`,
    {
      hint: 'take a full backup after such a removal, and recover from that; or recover to a point before it',
      facts: { limit },
    },
  );
}

/** Whether an event of the log, by its number, was removed later on. */
export function isRemoved(removed: RemovedEvents, eventId: string, number: number): boolean {
  if (removed.isEmptied && number < removed.emptiedAt) return true;
  const before = removed.ids.get(eventId);
  return before !== undefined && number < before;
}

/** Whether an event of the base was removed later on. */
export function isRemovedFromBase(removed: RemovedEvents, eventId: string): boolean {
  return removed.isEmptied || removed.ids.has(eventId);
}
