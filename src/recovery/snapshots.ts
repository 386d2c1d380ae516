import type { CompanionRow } from '../core/event-store.ts';
import { nameBytes } from '../core/name-text.ts';
import { findStream, type StreamTable } from '../core/stream-table.ts';

/**
 * Whether a command snapshot knows of events that are not restored: one of its streams is further than the store. It would
 * then be taken for the state of what was never written. Rows that do not say how far they are are no hazard to tell.
 */
export function isSnapshotAhead(row: CompanionRow, restored: StreamTable): boolean {
  if (row.role !== 'snapshots') return false;
  const text = row.values.stream_versions;
  if (text == null) return false;
  let versions: unknown;
  try {
    versions = JSON.parse(text);
  } catch {
    return false;
  }
  if (typeof versions !== 'object' || versions === null) return false;
  return Object.entries(versions).some(([stream, version]) => {
    const isKnown = typeof version === 'number' || typeof version === 'string';
    return isKnown && Number(version) > headOf(restored, stream);
  });
}

function headOf(table: StreamTable, stream: string): number {
  const name = nameBytes(stream);
  const index = findStream(table, name, 0, name.length);
  return index === -1 ? -1 : table.headVersion[index]!;
}
