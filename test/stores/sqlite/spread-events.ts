import type { BatchReader, StoreRange } from '../../../src/core/event-store.ts';
import { type RawEvent, rawEvents, type TemporaryStore } from './temporary-store.ts';

export const SPREAD_EVENTS = 600;
const ROWID_STEP = 10_000;

/**
 * Events with large gaps between their rowids, as deletions leave them: an estimate takes the rowids for events, and so
 * the store for one that is worth several ranges.
 */
export async function seedSpread({ store, connect }: TemporaryStore): Promise<void> {
  await store.initialise();
  const db = connect();
  const insert = db.prepare(
    `INSERT INTO eventcore_events (rowid, event_id, stream_id, stream_version, event_type, event_data)
     VALUES (?, ?, 'spread', ?, 'Tested', ?)`,
  );
  db.exec('BEGIN');
  for (let i = 1; i <= SPREAD_EVENTS; i += 1) {
    const data = JSON.stringify('x'.repeat(i % 50 === 0 ? 100_000 : i));
    insert.run(i * ROWID_STEP, `spread-${i}`, i, data);
  }
  db.exec('COMMIT');
  db.close();
}

/** The events of ranges, one range after the other. */
export async function readRanges(reader: BatchReader, ranges: readonly StoreRange[]): Promise<RawEvent[]> {
  const events: RawEvent[] = [];
  for (const range of ranges) {
    for await (const batch of reader.readRange(range, { batchBytes: 65_536 })) {
      events.push(...rawEvents(batch));
    }
  }
  return events;
}
