import type { StreamSummary, StreamTail } from '../core/event-store.ts';
import { nameBytes, nameText } from '../core/name-text.ts';
import { findStream, headId, type StreamTable, streamName } from '../core/stream-table.ts';
import type { Differences } from './differences.ts';

/** What follows from comparing a store's streams with what a chain holds of them. */
export interface HeadsDiff {
  /** What is behind the chain's last versions, each from the last one that the chain has, so that it can be compared. */
  readonly tails: readonly StreamTail[];
  /** Streams with a tail, and how many events the store has of each. */
  readonly growing: readonly { readonly streamId: string; readonly events: number }[];
  /** Places in the chain's table of the streams that have a tail. */
  readonly grown: ReadonlySet<number>;
  /** Why versions alone do not tell what is new; null when they do. */
  readonly inexact: string | null;
}

/**
 * Exact where version n + 1 of a stream is committed after version n, as the layouts here see to: then all that is new in
 * a stream lies behind the last version that the chain has.
 */
export async function diffHeads(
  summaries: AsyncIterable<StreamSummary>,
  table: StreamTable,
  differences: Differences,
): Promise<HeadsDiff> {
  const tails: StreamTail[] = [];
  const growing: { streamId: string; events: number }[] = [];
  const grown = new Set<number>();
  const isSeen = new Uint8Array(table.count);
  let inexact: string | null = null;
  for await (const live of summaries) {
    const name = nameBytes(live.streamId);
    const index = findStream(table, name, 0, name.length);
    if (index !== -1) isSeen[index] = 1;
    const last = index === -1 ? null : table.headVersion[index]!;
    if (last === null || live.lastVersion > last) {
      tails.push({ streamId: live.streamId, fromVersion: last ?? live.firstVersion });
      growing.push({ streamId: live.streamId, events: live.events });
      grown.add(index);
    } else {
      inexact ??= compareStill(live, table, index, differences);
    }
  }
  for (let index = 0; index < table.count; index += 1) {
    if (isSeen[index] === 1) continue;
    differences.note(
      nameText(streamName(table, index)),
      'lost',
      table.events[index]!,
      table.runFirst[index]!,
    );
  }
  return { tails, growing, grown, inexact };
}

/** A stream that has not grown. */
function compareStill(
  live: StreamSummary,
  table: StreamTable,
  index: number,
  differences: Differences,
): string | null {
  const held = table.events[index]!;
  const last = table.headVersion[index]!;
  if (live.lastVersion < last) {
    differences.note(live.streamId, 'lost', Math.max(1, held - live.events), live.lastVersion + 1);
    return null;
  }
  if (live.lastEventId.toLowerCase() !== headId(table, index).toLowerCase()) {
    differences.note(live.streamId, 'diverged', 1, last);
    return null;
  }
  if (live.events < held) differences.note(live.streamId, 'lost', held - live.events, null);
  return live.events > held ? appeared(live.streamId) : null;
}

/** After the tails were read: each growing stream must have what the chain has and what was read, no more and no less. */
export function compareGrown(
  { growing }: HeadsDiff,
  table: StreamTable,
  own: StreamTable,
  differences: Differences,
): string | null {
  const eventsIn = (streams: StreamTable, name: Uint8Array): number => {
    const index = findStream(streams, name, 0, name.length);
    return index === -1 ? 0 : streams.events[index]!;
  };
  for (const { streamId, events } of growing) {
    const name = nameBytes(streamId);
    const expected = eventsIn(table, name) + eventsIn(own, name);
    if (events < expected) differences.note(streamId, 'lost', expected - events, null);
    if (events > expected) return appeared(streamId);
  }
  return null;
}

function appeared(streamId: string): string {
  return `in stream ${JSON.stringify(streamId)} events appeared below the last version that was backed up`;
}
