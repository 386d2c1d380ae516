import type { EventBatch } from '../core/event-batch.ts';
import type { PastStore } from '../core/past-store.ts';
import { holdsVersion } from '../core/stream-entry.ts';
import { findStream } from '../core/stream-table.ts';
import { shortDigest } from '../format/content-digest.ts';

/**
 * For each stream of a past, by its place in the table: the digests of the store's events less those of the past's. Where it is
 * 0, both have the same events at the versions that the past holds, whatever the order in which they came.
 */
export type StreamSums = Float64Array;

/** Sums of up to a few digests stay exact, and of more they wrap around alike on both sides. */
const MODULUS = 2 ** 48;

/** A sum with the digest of one more event added, or taken off. */
export function addDigest(sum: number, batch: EventBatch, row: number, sign: 1 | -1): number {
  return (sum + sign * shortDigest(batch, row)) % MODULUS;
}

/** Takes off what the past holds. */
export async function takeOffPast(
  sums: StreamSums,
  past: PastStore,
  names: readonly Uint8Array[] | 'all',
): Promise<void> {
  const { table } = past;
  await past.read(names, (batch) => {
    const { starts, lengths } = batch.stream;
    for (let row = 0; row < batch.count; row += 1) {
      const place = findStream(table, batch.bytes, starts[row]!, lengths[row]!);
      if (place === -1 || !holdsVersion(table, place, batch.versions[row]!)) continue;
      sums[place] = addDigest(sums[place]!, batch, row, -1);
    }
  });
}
