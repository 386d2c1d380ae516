import { type EventBatch, selectRows } from './event-batch.ts';
import { nameBytes } from './name-text.ts';
import { findOrAdd, findStream, makeStreamTable } from './stream-table.ts';

/** Streams that something is restricted to. Names are bytes: SQLite has some that are no UTF-8. */
export interface StreamSelection {
  readonly names: readonly Uint8Array[];
  /** Whether the name at this place in the bytes is one of them. */
  readonly has: (bytes: Uint8Array, start: number, length: number) => boolean;
}

/** Of names as text (`base64:` for those that are no UTF-8), each counted once. */
export function selectStreams(streamIds: Iterable<string>): StreamSelection {
  const names = Array.from(new Set(streamIds), nameBytes);
  const table = makeStreamTable(names.length);
  for (const name of names) findOrAdd(table, name, 0, name.length);
  return { names, has: (bytes, start, length) => findStream(table, bytes, start, length) !== -1 };
}

/** The events of a batch that belong to these streams, over the same bytes; null when there are none. */
export function pickStreams(batch: EventBatch, { has }: StreamSelection): EventBatch | null {
  const { starts, lengths } = batch.stream;
  const rows: number[] = [];
  for (let row = 0; row < batch.count; row += 1) {
    if (has(batch.bytes, starts[row]!, lengths[row]!)) rows.push(row);
  }
  return rows.length === 0 ? null : selectRows(batch, rows);
}
