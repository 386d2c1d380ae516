import type { EventBatch } from '../core/event-batch.ts';
import { formatUuid, UUID_BYTES } from '../core/uuid-text.ts';

/** Keeps the greatest id of batches; ids that are no UUIDs have no order that a checkpoint could use. */
export interface GreatestId {
  readonly note: (batch: EventBatch) => void;
  /** As UUID text; null when there was none. */
  readonly text: () => string | null;
}

export function makeGreatestId(): GreatestId {
  let greatest: Uint8Array | null = null;
  return {
    note: (batch) => {
      if (batch.idKind !== 'uuid') return;
      const { bytes } = batch;
      let best = greatest ?? new Uint8Array(UUID_BYTES);
      let at = 0;
      for (let row = 0; row < batch.count; row += 1) {
        const start = batch.id.starts[row]!;
        if (!isGreater(bytes, start, best, at)) continue;
        best = bytes;
        at = start;
      }
      greatest = new Uint8Array(best.subarray(at, at + UUID_BYTES));
    },
    text: () => (greatest === null ? null : formatUuid(greatest, 0)),
  };
}

function isGreater(a: Uint8Array, startA: number, b: Uint8Array, startB: number): boolean {
  for (let i = 0; i < UUID_BYTES; i += 1) {
    const difference = a[startA + i]! - b[startB + i]!;
    if (difference !== 0) return difference > 0;
  }
  return false;
}

/** The greater of two ids as text; UUIDs in lower case sort as their bytes do. */
export function greaterId(a: string | null, b: string | null): string | null {
  if (a === null || b === null) return a ?? b;
  return a > b ? a : b;
}
