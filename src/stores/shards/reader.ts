import { BackupError } from '../../core/errors.ts';
import type { EventBatch } from '../../core/event-batch.ts';
import type { BatchReader, EventStore, RangeBatch, StoreRange } from '../../core/event-store.ts';
import { partsOf } from './parts.ts';

type ReadOptions = Parameters<BatchReader['readRange']>[1];

/** Reads ranges with the reader of the shard that they are of. */
export function readerOver(
  shards: number,
  readerOf: (shard: number) => Promise<BatchReader> | BatchReader,
): Required<Pick<BatchReader, 'readRange' | 'readPass'>> {
  async function* readRange(range: StoreRange, options: ReadOptions): AsyncGenerator<EventBatch> {
    for (const part of partsOf(range, shards))
      yield* (await readerOf(part.shard)).readRange(part.range, options);
  }
  async function* readPass(ranges: readonly StoreRange[], options: ReadOptions): AsyncGenerator<RangeBatch> {
    const parts = ranges.map((range) => partsOf(range, shards));
    const [first] = parts[0] ?? [];
    const reader = first === undefined ? null : await readerOf(first.shard);
    const isOne = parts.every((own) => own.length === 1 && own[0]!.shard === first?.shard);
    if (isOne && reader?.readPass !== undefined) {
      yield* reader.readPass(
        parts.map(([own]) => own!.range),
        options,
      );
      return;
    }
    for (const [place, range] of ranges.entries()) {
      for await (const batch of readRange(range, options)) yield { place, batch };
    }
  }
  return { readRange, readPass };
}

/** A view of each shard, joined when the first range of it is read: a thread asks only the servers that it reads. */
export function joinViews(stores: readonly EventStore[], token: string): BatchReader {
  const tokens = parseTokens(token, stores.length);
  const joined = new Map<number, Promise<BatchReader>>();
  const join = (shard: number): Promise<BatchReader> => {
    const reader = joined.get(shard) ?? stores[shard]!.joinSnapshot(tokens[shard]!);
    joined.set(shard, reader);
    return reader;
  };
  return {
    ...readerOver(stores.length, join),
    close: async () => {
      const readers = await Promise.allSettled(joined.values());
      for (const reader of readers) if (reader.status === 'fulfilled') await reader.value.close();
    },
  };
}

/** Null where one shard has none. */
export function formatTokens(tokens: readonly (string | null)[]): string | null {
  return tokens.includes(null) ? null : JSON.stringify(tokens);
}

/** Throws `usage`. */
export function parseTokens(token: string, shards: number): string[] {
  try {
    const tokens = JSON.parse(token) as unknown;
    const isOurs = Array.isArray(tokens) && tokens.length === shards;
    if (isOurs && tokens.every((one) => typeof one === 'string')) return tokens;
  } catch {
    // Said below.
  }
  throw new BackupError('usage', `${JSON.stringify(token)} is no token of a store of ${shards} shards`);
}
