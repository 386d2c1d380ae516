import type { EventBatch } from '../../core/event-batch.ts';
import type { StoreRange, StoreSnapshot, StreamTail } from '../../core/event-store.ts';
import { nameText } from '../../core/name-text.ts';
import { type StreamTable, streamName } from '../../core/stream-table.ts';

const BATCH_BYTES = 1 << 20;

/** Reads ranges of a view, one after the other; a batch is valid until `take` has returned. */
export async function readLive(
  snapshot: StoreSnapshot,
  ranges: readonly StoreRange[],
  signal: AbortSignal | undefined,
  take: (batch: EventBatch) => void,
): Promise<void> {
  const options = { batchBytes: BATCH_BYTES, ...(signal === undefined ? {} : { signal }) };
  for (const range of ranges) for await (const batch of snapshot.readRange(range, options)) take(batch);
}

/** From the first event on, wherever a stream begins. */
export const FIRST_OF_ALL = Number.MIN_SAFE_INTEGER;

/** To look up more than this share of all events by their streams takes longer than to read all, and more memory. */
const LARGE_SHARE = 1 / 8;

/** Ranges that hold all events of some tails, and perhaps others. Both numbers of events need not be exact. */
export function planLive(
  snapshot: StoreSnapshot,
  tails: readonly StreamTail[],
  { events, totalEvents }: { readonly events: number; readonly totalEvents: number },
): Promise<StoreRange[]> {
  return events > totalEvents * LARGE_SHARE ? snapshot.planRanges(1) : snapshot.planTails(tails);
}

export function tailsOf(table: StreamTable, places: readonly number[], fromVersion: number): StreamTail[] {
  return places.map((place) => ({ streamId: nameText(streamName(table, place)), fromVersion }));
}
