import { type EventBatch, makeSpans, NULL_LENGTH, type Spans, spanBytes } from '../../core/event-batch.ts';
import { formatUuid } from '../../core/uuid-text.ts';
import type { MemoryEvent } from './state.ts';

/** Cuts events into batches of at most `batchBytes` of event bytes; a larger event has one of its own. */
export function* packBatches(events: readonly MemoryEvent[], batchBytes: number): Generator<EventBatch> {
  let first = 0;
  let sizeBytes = 0;
  for (const [i, event] of events.entries()) {
    const eventSize = eventBytes(event);
    if (i > first && sizeBytes + eventSize > batchBytes) {
      yield packBatch(events.slice(first, i));
      first = i;
      sizeBytes = 0;
    }
    sizeBytes += eventSize;
  }
  if (first < events.length) yield packBatch(events.slice(first));
}

export function eventBytes(event: MemoryEvent): number {
  return fieldsOf(event).reduce((sum, field) => sum + (field?.length ?? 0), 0);
}

function fieldsOf(event: MemoryEvent): (Uint8Array | null)[] {
  return [event.id, event.stream, event.type, event.data, event.metadata];
}

export function packBatch(events: readonly MemoryEvent[]): EventBatch {
  const rows = events.map(fieldsOf);
  const parts: Uint8Array[] = [];
  const spans = Array.from({ length: 5 }, () => makeSpans(events.length));
  let at = 0;
  for (const [row, fields] of rows.entries()) {
    for (const [column, field] of fields.entries()) {
      spans[column]!.starts[row] = at;
      spans[column]!.lengths[row] = field?.length ?? NULL_LENGTH;
      if (field === null) continue;
      parts.push(field);
      at += field.length;
    }
  }
  const [id, stream, type, data, metadata] = spans as [Spans, Spans, Spans, Spans, Spans];
  const timeTexts = new Map<number, Uint8Array>();
  for (const [row, { timeText }] of events.entries()) if (timeText !== null) timeTexts.set(row, timeText);
  return {
    count: events.length,
    bytes: Buffer.concat(parts),
    idKind: 'text',
    ...{ id, stream, type, data, metadata },
    versions: Float64Array.from(events, (event) => event.version),
    times: BigInt64Array.from(events, (event) => event.time),
    timeTexts: timeTexts.size === 0 ? null : timeTexts,
    jsonIsCompact: false,
  };
}

/** Copies the events out of a borrowed batch. */
export function unpackBatch(batch: EventBatch): MemoryEvent[] {
  const copy = (spans: Spans, row: number): Uint8Array | null => copyBytes(spanBytes(batch, spans, row));
  return Array.from({ length: batch.count }, (_, row) => ({
    id:
      batch.idKind === 'uuid'
        ? Buffer.from(formatUuid(batch.bytes, batch.id.starts[row]!))
        : copy(batch.id, row)!,
    stream: copy(batch.stream, row)!,
    version: batch.versions[row]!,
    type: copy(batch.type, row)!,
    data: copy(batch.data, row),
    metadata: copy(batch.metadata, row),
    time: batch.times[row]!,
    timeText: copyBytes(batch.timeTexts?.get(row) ?? null),
  }));
}

/** Not bytes.slice(): of a Buffer that is a view, and a batch is only borrowed. */
function copyBytes(bytes: Uint8Array | null): Uint8Array | null {
  return bytes === null ? null : new Uint8Array(bytes);
}
