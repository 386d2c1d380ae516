import type { EventBatch } from '../../core/event-batch.ts';
import type { CompanionRow, EventStore, RestoreSession } from '../../core/event-store.ts';
import { compareUtf8 } from '../../core/text-order.ts';
import { batchRows, type TestEvent } from '../batches.ts';

/** Loads batches with one writer and finishes the load; what follows is `publish` or `discard`. */
export async function load(
  session: RestoreSession,
  batches: readonly EventBatch[],
  companions: readonly CompanionRow[] = [],
): Promise<void> {
  const writer = await session.openWriter();
  for (const batch of batches) await writer.write(batch);
  await writer.end();
  for (const row of companions) {
    if (!(await session.writeCompanion(row))) throw new Error(`no place for a row of ${row.table}`);
  }
  await session.finishLoad();
}

/** Restores batches into a store, which is initialised first. */
export async function restoreInto(
  store: EventStore,
  batches: readonly EventBatch[],
  companions: readonly CompanionRow[] = [],
): Promise<void> {
  await store.initialise();
  const session = await store.openRestore({ attemptId: crypto.randomUUID(), replace: true });
  try {
    await load(session, batches, companions);
    await session.publish();
  } finally {
    await session.discard();
  }
}

/** All events of a store through a snapshot of its own, by stream, then version. */
export async function readAll(store: EventStore): Promise<Required<TestEvent>[]> {
  const snapshot = await store.openSnapshot();
  const rows: Required<TestEvent>[] = [];
  for (const range of await snapshot.planRanges(2)) {
    for await (const batch of snapshot.readRange(range, { batchBytes: 1 << 16 }))
      rows.push(...batchRows(batch));
  }
  await snapshot.close();
  return inOrder(rows);
}

export function inOrder<Event extends TestEvent>(rows: readonly Event[]): Event[] {
  return [...rows].sort(
    (a, b) => compareUtf8(String(a.streamId), String(b.streamId)) || a.version - b.version,
  );
}

/** All rows that belong to the events. */
export async function readCompanions(store: EventStore): Promise<CompanionRow[]> {
  const snapshot = await store.openSnapshot();
  const rows: CompanionRow[] = [];
  for await (const row of snapshot.readCompanions()) rows.push(row);
  await snapshot.close();
  return rows;
}
