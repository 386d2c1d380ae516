import type { StoreRange, StreamTail } from '../../core/event-store.ts';
import { nameBytes } from '../../core/name-text.ts';
import { column, type EventRows } from './event-rows.ts';
import { quoted } from './sql.ts';

/**
 * The rows from the first to the last of the tails, which are found by the index on stream and version: what was appended
 * lately lies together, so there is little between them. A table without rowids is read whole.
 */
export function planTails(rows: EventRows, tails: readonly StreamTail[]): StoreRange[] {
  if (tails.length === 0) return [];
  if (rows.rowKey === 'id') return [{ index: 0, spec: '..' }];
  const find = rows.prepare(
    `SELECT min(_rowid_), max(_rowid_) FROM ${quoted(rows.table.table)}
      WHERE ${column(rows, 'stream')} = CAST(? AS TEXT) AND ${column(rows, 'version')} >= ?`,
  );
  let least: bigint | null = null;
  let greatest: bigint | null = null;
  for (const { streamId, fromVersion } of tails) {
    const [first, last] = find.get(nameBytes(streamId), fromVersion) as unknown as (bigint | null)[];
    if (first == null || last == null) continue;
    if (least === null || first < least) least = first;
    if (greatest === null || last > greatest) greatest = last;
  }
  return least === null ? [] : [{ index: 0, spec: `${least - 1n}..${greatest}` }];
}
