import { type EventBatch, NULL_LENGTH } from '../core/event-batch.ts';

const ROW_BYTES = 24;

/** About what a store reads for a batch: its fields, and some bytes for each event. */
export function eventBytes({ count, id, stream, type, data, metadata }: EventBatch): number {
  let bytes = count * ROW_BYTES;
  for (const { lengths } of [id, stream, type, data, metadata]) {
    for (let row = 0; row < count; row += 1) if (lengths[row] !== NULL_LENGTH) bytes += lengths[row]!;
  }
  return bytes;
}
