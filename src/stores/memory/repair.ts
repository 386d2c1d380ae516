import { BackupError } from '../../core/errors.ts';
import type { EventBatch } from '../../core/event-batch.ts';
import {
  assertNotDiverged,
  countPutBack,
  type Likeness,
  planPutBack,
  type TouchedRow,
} from '../../core/put-back.ts';
import type { PutBackCounts, RepairSession } from '../../core/repair.ts';
import { unpackBatch } from './batches.ts';
import type { MemoryEvent, MemoryState } from './state.ts';
import { compareBytes } from './summaries.ts';

/** Works on a copy of the list, which takes the place of the store's at once. Nothing is kept aside: it would be gone with the process. */
export function openMemoryRepair(state: MemoryState): RepairSession {
  if (state.repairing) throw new BackupError('lease_held', 'another repair of memory: is under way');
  state.repairing = true;
  const before = state.events;
  let events = before;
  let open = true;
  const end = (): void => {
    if (open) state.repairing = false;
    open = false;
  };
  return {
    putBack: async (batch) => {
      const { counts, result } = putBack(events, batch);
      events = result;
      return counts;
    },
    execute: async () => {
      throw new BackupError('store_unsupported', 'memory: knows no SQL');
    },
    publish: async () => {
      if (state.events !== before) {
        throw new BackupError('version_conflict', 'memory: has other events than were looked at', {
          hint: 'try again',
        });
      }
      if (events !== before) {
        Object.assign(state, { events, commits: [] });
        state.timeline += 1;
      }
      end();
    },
    discard: async () => end(),
  };
}

function putBack(
  held: readonly MemoryEvent[],
  batch: EventBatch,
): { counts: PutBackCounts; result: readonly MemoryEvent[] } {
  const wanted = unpackBatch(batch);
  const plan = planPutBack(wanted.length, findTouched(held, wanted));
  assertNotDiverged(batch, plan);
  const { changes, removals } = plan;
  const counts = countPutBack(plan);
  if (changes.length + removals.length === 0) return { counts, result: held };
  const removed = new Set(removals.map(({ key }) => key));
  const changed = new Map(changes.map(({ key, event }) => [key, wanted[event]!]));
  const result = held.map((event, key) => changed.get(key) ?? event).filter((_, key) => !removed.has(key));
  return { counts, result };
}

function findTouched(held: readonly MemoryEvent[], wanted: readonly MemoryEvent[]): TouchedRow<number>[] {
  const byId = new Map(wanted.map(({ id }, event) => [textOf(id), event]));
  const byPlace = new Map(wanted.map((event, at) => [placeOf(event), at]));
  return held.flatMap((row, key) => {
    const own = byId.get(textOf(row.id)) ?? null;
    const place = byPlace.get(placeOf(row)) ?? null;
    if (own === null && place === null) return [];
    const isEqual =
      own !== null && placeOf(row) === placeOf(wanted[own]!) && likeness(row, wanted[own]!) === 'all';
    return [
      {
        key,
        byId: own,
        byPlace: place,
        isEqual,
        likeness: place === null ? 'none' : likeness(row, wanted[place]!),
      },
    ];
  });
}

function likeness(a: MemoryEvent, b: MemoryEvent): Likeness {
  const isContent =
    compareBytes(a.type, b.type) === 0 && isSame(a.data, b.data) && isSame(a.metadata, b.metadata);
  if (!isContent) return 'none';
  return a.time === b.time && isSame(a.timeText, b.timeText) ? 'all' : 'content';
}

function isSame(a: Uint8Array | null, b: Uint8Array | null): boolean {
  return a === null || b === null ? a === b : compareBytes(a, b) === 0;
}

function placeOf({ stream, version }: MemoryEvent): string {
  return `${version} ${textOf(stream)}`;
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}
