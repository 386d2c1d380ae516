import { awaitedLater } from '../core/concurrency.ts';
import { type EventBatch, selectRows } from '../core/event-batch.ts';
import type { BatchReader, StoreRange } from '../core/event-store.ts';
import { holdsVersion } from '../core/stream-entry.ts';
import { findStream, type StreamTable } from '../core/stream-table.ts';

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
  const readings = ranges.map((range) => reader.readRange(range, options)[Symbol.asyncIterator]());
  const firsts = readings.map((reading) => awaitedLater(reading.next()));
  return {
    batches: async function* () {
      for (const [i, reading] of readings.entries()) {
        for (let step = await firsts[i]!; step.done !== true; step = await reading.next()) yield step.value;
      }
    },
    stop: async () => {
      await Promise.all(readings.map((reading) => reading.return?.()));
    },
  };
}

/** What is done with events that the chain has already. */
export interface KnownRows {
  /** `index` is the place of the event's stream in the table of the chain. */
  readonly note: (batch: EventBatch, row: number, index: number) => void;
  /** Called behind each batch, while the store may be kept waiting. */
  readonly afterBatch: () => Promise<void>;
}

/** The batches without the events that the chain has already. */
export async function* dropKnown(
  batches: AsyncIterable<EventBatch>,
  table: StreamTable,
  known: KnownRows,
): AsyncGenerator<EventBatch> {
  for await (const batch of batches) {
    const rows = freshRows(batch, table, known);
    if (rows.length > 0) yield selectRows(batch, rows);
    await known.afterBatch();
  }
}

function freshRows(batch: EventBatch, table: StreamTable, known: KnownRows): number[] {
  const { starts, lengths } = batch.stream;
  const rows: number[] = [];
  for (let row = 0; row < batch.count; row += 1) {
    const index = findStream(table, batch.bytes, starts[row]!, lengths[row]!);
    if (index === -1 || !holdsVersion(table, index, batch.versions[row]!)) rows.push(row);
    else known.note(batch, row, index);
  }
  return rows;
}
