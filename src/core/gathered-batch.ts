import { type EventBatch, makeSpans, NULL_LENGTH, type Spans, spanBytes } from './event-batch.ts';
import { idText } from './event-id.ts';

/** An event out of a batch, in memory of its own: for the few that are put together anew, not for the bulk path. */
export interface GatheredEvent {
  /** Id, stream, type, data, metadata. */
  readonly fields: readonly (Uint8Array | null)[];
  readonly version: number;
  readonly time: bigint;
  readonly timeText: Uint8Array | null;
}

/** With its id as the batch has it, or as text: another batch may have another kind. */
export function copyEvent(batch: EventBatch, row: number, idKind: EventBatch['idKind']): GatheredEvent {
  const copy = (bytes: Uint8Array | null | undefined): Uint8Array | null =>
    bytes === null || bytes === undefined ? null : new Uint8Array(bytes);
  const texts = [batch.stream, batch.type, batch.data, batch.metadata];
  return {
    fields: [idBytes(batch, row, idKind), ...texts.map((spans) => copy(spanBytes(batch, spans, row)))],
    version: batch.versions[row]!,
    time: batch.times[row]!,
    timeText: copy(batch.timeTexts?.get(row)),
  };
}

const encoder = new TextEncoder();

function idBytes(batch: EventBatch, row: number, idKind: EventBatch['idKind']): Uint8Array | null {
  if (idKind === 'text' && batch.idKind === 'uuid') return encoder.encode(idText(batch, row));
  const bytes = spanBytes(batch, batch.id, row);
  return bytes === null ? null : new Uint8Array(bytes);
}

export function packEvents(
  events: readonly GatheredEvent[],
  kind: Pick<EventBatch, 'idKind' | 'jsonIsCompact'>,
): EventBatch {
  const spans = Array.from({ length: 5 }, () => makeSpans(events.length)) as [
    Spans,
    Spans,
    Spans,
    Spans,
    Spans,
  ];
  const parts: Uint8Array[] = [];
  const timeTexts = new Map<number, Uint8Array>();
  let at = 0;
  for (const [row, { fields, timeText }] of events.entries()) {
    for (const [column, field] of fields.entries()) {
      spans[column]!.starts[row] = at;
      spans[column]!.lengths[row] = field?.length ?? NULL_LENGTH;
      if (field === null) continue;
      parts.push(field);
      at += field.length;
    }
    if (timeText !== null) timeTexts.set(row, timeText);
  }
  const [id, stream, type, data, metadata] = spans;
  return {
    count: events.length,
    bytes: concat(parts, at),
    ...kind,
    ...{ id, stream, type, data, metadata },
    versions: Float64Array.from(events, ({ version }) => version),
    times: BigInt64Array.from(events, ({ time }) => time),
    timeTexts: timeTexts.size === 0 ? null : timeTexts,
  };
}

function concat(parts: readonly Uint8Array[], sizeBytes: number): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
