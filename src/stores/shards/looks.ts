import type { StoredEvent } from '../../core/event.ts';
import type { EventStore } from '../../core/event-store.ts';
import { compareUtf8 } from '../../core/text-order.ts';
import { mergeSorted } from './merge-sorted.ts';
import { findShard, ofAll, type Shards } from './shards.ts';
import { mergeStreams } from './summaries.ts';

type Looks = 'listStreams' | 'readStream' | 'findStream' | 'readSince' | 'sampleEvents' | 'count';

/** What looks at single events and streams, of whichever shard. */
export function looksOf(shards: Shards): Pick<EventStore, Looks> {
  const { stores } = shards;
  return {
    listStreams: async function* ({ after, limit = Number.POSITIVE_INFINITY } = {}) {
      const options = {
        ...(after === undefined ? {} : { after }),
        ...(limit === Number.POSITIVE_INFINITY ? {} : { limit }),
      };
      const heads = mergeStreams(
        shards,
        stores.map((store) => store.listStreams(options)),
      );
      yield* firstOf(heads, limit);
    },
    readStream: async (streamId, options) => {
      const found = await findShard(shards, streamId);
      return found === null ? [] : stores[found.shard]!.readStream(streamId, options);
    },
    findStream: async (streamId) => (await findShard(shards, streamId))?.summary ?? null,
    readSince: async function* (since, { limit = Number.POSITIVE_INFINITY } = {}) {
      const options = limit === Number.POSITIVE_INFINITY ? {} : { limit };
      yield* firstOf(
        itemsOf(
          mergeSorted(
            stores.map((store) => store.readSince(since, options)),
            byTime,
          ),
        ),
        limit,
      );
    },
    sampleEvents: (size) => sampleEvents(shards, size),
    count: async () => {
      const counts = await ofAll(stores, (store) => store.count());
      return {
        events: counts.reduce((sum, { events }) => sum + events, 0),
        streams: counts.reduce((sum, { streams }) => sum + streams, 0),
      };
    },
  };
}

/** As many of each shard as a draw out of all of them would give. */
async function sampleEvents({ stores }: Shards, size: number): Promise<StoredEvent[]> {
  const left = (await ofAll(stores, (store) => store.count())).map(({ events }) => events);
  const sizes = left.map(() => 0);
  let all = left.reduce((sum, events) => sum + events, 0);
  for (let drawn = 0; drawn < size && all > 0; drawn += 1, all -= 1) {
    let at = Math.floor(Math.random() * all);
    const shard = left.findIndex((events) => {
      at -= events;
      return at < 0;
    });
    left[shard]! -= 1;
    sizes[shard]! += 1;
  }
  return (await ofAll(stores, (store, shard) => store.sampleEvents(sizes[shard]!))).flat();
}

function byTime(a: StoredEvent, b: StoredEvent): number {
  return compareUtf8(a.recordedAt, b.recordedAt) || compareUtf8(a.id, b.id);
}

async function* itemsOf<Item>(merged: AsyncIterable<{ readonly item: Item }>): AsyncGenerator<Item> {
  for await (const { item } of merged) yield item;
}

async function* firstOf<Item>(items: AsyncIterable<Item>, limit: number): AsyncGenerator<Item> {
  if (limit <= 0) return;
  let given = 0;
  for await (const item of items) {
    yield item;
    given += 1;
    if (given >= limit) return;
  }
}
