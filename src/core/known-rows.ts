import { awaitedLater } from './concurrency.ts';
import { type EventBatch, selectRows } from './event-batch.ts';
import type { BatchReader, StoreRange } from './event-store.ts';
import { holdsVersion } from './stream-entry.ts';
import { findStream, type StreamTable } from './stream-table.ts';

/** Ranges that are being read. */
export interface Reading {
  /** The batches of all ranges, one range after the other; each is valid until the next one is asked for. */
  readonly batches: () => AsyncGenerator<EventBatch>;
  /** Gives up what was not read. */
  readonly stop: () => Promise<void>;
}

type ReadOptions = Parameters<BatchReader['readRange']>[1];

/**
 * Begins to read all ranges at once: a store that has to look through much to find little does so for each of them at the
 * same time, and while something else is done here.
 */
export function startReading(
  reader: BatchReader,
  ranges: readonly StoreRange[],
  options: ReadOptions,
): Reading {
  const stopped = new AbortController();
  const outer = options.signal;
  const signal = outer === undefined ? stopped.signal : AbortSignal.any([outer, stopped.signal]);
  const readings = ranges.map((range) =>
    reader.readRange(range, { ...options, signal })[Symbol.asyncIterator](),
  );
  const firsts = readings.map((reading) => awaitedLater(reading.next()));
  return {
    batches: async function* () {
      for (const [i, reading] of readings.entries()) {
        for (let step = await firsts[i]!; step.done !== true; step = await reading.next()) yield step.value;
      }
    },
    stop: async () => {
      // A store that is still looking would otherwise be waited for.
      stopped.abort();
      await Promise.all(readings.map((reading) => reading.return?.()));
    },
  };
}

/** Takes the events of a batch that the chain has already; the batch may be reused after that. */
export type TakeKnown = (batch: EventBatch, rows: readonly number[]) => void;

/** The batches without the events that the chain has already. */
export async function* dropKnown(
  batches: AsyncIterable<EventBatch>,
  table: StreamTable,
  takeKnown: TakeKnown,
): AsyncGenerator<EventBatch> {
  for await (const batch of batches) {
    const { known, fresh } = partRows(batch, table);
    if (known.length > 0) takeKnown(batch, known);
    if (fresh.length > 0) yield selectRows(batch, fresh);
  }
}

/** The rows of a batch that a table has events for, and the others. */
export function partRows(batch: EventBatch, table: StreamTable): { known: number[]; fresh: number[] } {
  const { starts, lengths } = batch.stream;
  const known: number[] = [];
  const fresh: number[] = [];
  for (let row = 0; row < batch.count; row += 1) {
    const index = findStream(table, batch.bytes, starts[row]!, lengths[row]!);
    const isKnown = index !== -1 && holdsVersion(table, index, batch.versions[row]!);
    (isKnown ? known : fresh).push(row);
  }
  return { known, fresh };
}
