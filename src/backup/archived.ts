import type { DifferenceReport } from '../core/differences.ts';
import { nameBytes } from '../core/name-text.ts';
import { findStream, type StreamTable } from '../core/stream-table.ts';

/**
 * Why a store that archives events has other ones than a chain where it had those, in words: it archived as many of each stream as differ.
 * Null when that does not explain all differences. `own`: what is new to the chain.
 */
export function whyArchived(
  { events, streams, streamsOmitted }: DifferenceReport,
  own: StreamTable,
  archivedAs: (streamId: string) => string,
): string | null {
  if (events.changed > 0 || streamsOmitted > 0) return null;
  const missing = new Map<string, number>();
  for (const { streamId, events: count } of streams) {
    missing.set(streamId, (missing.get(streamId) ?? 0) + count);
  }
  for (const [streamId, count] of missing) {
    if (eventsOf(own, archivedAs(streamId)) < count) return null;
  }
  const others = missing.size === 1 ? '' : ` and ${missing.size - 1} more`;
  const [first] = missing.keys();
  return `the store has archived events that the chain has as active, of stream ${JSON.stringify(first)}${others}`;
}

function eventsOf(table: StreamTable, streamId: string): number {
  const name = nameBytes(streamId);
  const index = findStream(table, name, 0, name.length);
  return index === -1 ? 0 : table.events[index]!;
}
