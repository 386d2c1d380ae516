import { type EventBatch, spanBytes } from './event-batch.ts';
import { formatUuid } from './uuid-text.ts';

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** The id of an event as text: UUIDs in canonical lower case, other ids as the store has them. */
export function idText(batch: EventBatch, row: number): string {
  if (batch.idKind === 'uuid') return formatUuid(batch.bytes, batch.id.starts[row]!);
  return decoder.decode(spanBytes(batch, batch.id, row) ?? undefined);
}
