import type { StreamSummary } from '../../core/event-store.ts';
import { nameText } from '../../core/name-text.ts';
import type { MemoryEvent } from './state.ts';

export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b);
}

/** What the events hold of each stream, in the byte order of the streams' names. */
export function summarise(events: readonly MemoryEvent[]): StreamSummary[] {
  const streams = new Map<string, MemoryEvent[]>();
  for (const event of events) {
    const key = Buffer.from(event.stream).toString('latin1');
    const own = streams.get(key);
    if (own === undefined) streams.set(key, [event]);
    else own.push(event);
  }
  return [...streams.values()].sort((a, b) => compareBytes(a[0]!.stream, b[0]!.stream)).map(summariseStream);
}

function summariseStream(events: readonly MemoryEvent[]): StreamSummary {
  const last = events.reduce((best, event) => (event.version >= best.version ? event : best));
  return {
    streamId: nameText(last.stream),
    events: events.length,
    firstVersion: events.reduce((least, { version }) => Math.min(least, version), last.version),
    lastVersion: last.version,
    lastEventId: Buffer.from(last.id).toString(),
  };
}
