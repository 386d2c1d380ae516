import { BackupError } from '../../core/errors.ts';
import type { StoredEvent, StreamAppend } from '../../core/event.ts';
import type { EventStore, StoreDescription } from '../../core/event-store.ts';
import type { Obstacle, StoreExamination } from '../../core/examination.ts';
import { nameBytes } from '../../core/name-text.ts';
import { bucketOf } from '../../core/stream-bucket.ts';
import { compareUtf8 } from '../../core/text-order.ts';
import { mergeSorted } from './merge-sorted.ts';
import { joinViews } from './reader.ts';
import { joinShardsPart, joinShardsRestore, openShardsRestore } from './restore.ts';
import { findShard, ofAll, type Shards, shardName, unsupported } from './shards.ts';
import { openShardsSnapshot } from './snapshot.ts';
import { mergeStreams } from './summaries.ts';

/**
 * How streams are placed: `hash` as PostgreSQL reckons `(hashtextextended(stream_id, 0) & 2147483647) % n`, so that servers and applications can do it
 * too; null: nobody here knows.
 */
export type Placement = 'hash' | null;

/**
 * A store whose streams lie in several others of one layout, each stream whole in one of them. Nothing is asked before the first call. There is no
 * one cut over all: each is read in a view of its own, taken as near to the others as can be.
 */
export function openShardsStore(
  address: string,
  stores: readonly EventStore[],
  placement: Placement,
): EventStore {
  const place = (stream: Uint8Array): number => bucketOf({ seed: 0, of: stores.length }, stream);
  const shards: Shards = { address, stores, place: placement === null ? null : place };
  return {
    address,
    inspect: () => inspect(shards),
    examine: () => examine(shards),
    initialise: async () => {
      for (const store of stores) await store.initialise();
    },
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
    append: (appends) => append(shards, appends),
    clear: async () => {
      for (const store of stores) await store.clear();
    },
    openSnapshot: () => openShardsSnapshot(shards),
    joinSnapshot: async (token) => joinViews(stores, token),
    openRestore: (options) => openShardsRestore(shards, options),
    joinRestore: (token) => joinShardsRestore(shards, token),
    joinPart: (token, part) => joinShardsPart(shards, token, part),
    openMerge: () => refuse(shards, 'nothing is merged into several stores at once'),
    openRepair: () => refuse(shards, 'nothing is repaired in several stores at once'),
    openInspection: async () => {
      await requireAll(shards);
      return null;
    },
    openFeed: () => refuse(shards, NO_FEED),
    feedState: async () => null,
    countAhead: async () => null,
    dropFeed: async () => {},
    close: async () => {
      await ofAll(stores, (store) => store.close());
    },
  };
}

const NO_FEED = 'there is no one order of the commits of several stores';

/** Throws `store_unsupported` where they are not of one layout. */
async function inspect(shards: Shards): Promise<StoreDescription> {
  const found = await ofAll(shards.stores, (store) => store.inspect());
  const [first] = found as [StoreDescription];
  for (const [shard, one] of found.entries()) {
    if (one.layout === first.layout && one.versionBase === first.versionBase) continue;
    const name = shardName(shard, shards.stores);
    throw unsupported(shards, `${name} is of layout ${one.layout}, the first of ${first.layout}`);
  }
  const states = found.map(({ state }) => state);
  const common = states.every((state) => state === states[0]) ? states[0]! : 'empty';
  const { columns, neededColumns, made, table, adopts } = first;
  return {
    ...{ kind: 'shards', layout: first.layout, versionBase: first.versionBase },
    serverVersion: [...new Set(found.map(({ serverVersion }) => serverVersion))].join(', '),
    state: states.includes('filled') ? 'filled' : common,
    ...Object.fromEntries(
      Object.entries({ columns, neededColumns, made, table, adopts }).filter(
        ([, value]) => value !== undefined,
      ),
    ),
  };
}

async function examine(shards: Shards): Promise<StoreExamination> {
  const { address, stores } = shards;
  const found = await ofAll(stores, (store) => store.examine());
  const named = (shard: number, text: string): string => `${shardName(shard, stores)}: ${text}`;
  const clocks = found.flatMap(({ clockAheadMs }) => (clockAheadMs === null ? [] : [clockAheadMs]));
  return {
    clockAheadMs: clocks.toSorted((a, b) => Math.abs(b) - Math.abs(a))[0] ?? null,
    backupObstacles: found.flatMap(({ backupObstacles }, shard) =>
      backupObstacles.map((one): Obstacle => ({ ...one, message: named(shard, one.message) })),
    ),
    feedObstacles: [
      {
        message: `${address}: ${NO_FEED}`,
        hint: 'take incremental backups often: they are exact in each shard',
      },
    ],
    leftovers: found.flatMap(({ leftovers }, shard) => leftovers.map((text) => named(shard, text))),
  };
}

/** Throws `not_an_event_store`. */
async function requireAll({ stores }: Shards): Promise<void> {
  const found = await ofAll(stores, (store) => store.inspect());
  const missing = found.findIndex(({ state }) => state === 'missing');
  if (missing === -1) return;
  const where = `${shardName(missing, stores)} (${stores[missing]!.address})`;
  throw new BackupError('not_an_event_store', `${where} has no tables of events`, {
    hint: 'check the addresses of the shards in the configuration',
  });
}

async function refuse(shards: Shards, what: string): Promise<never> {
  await requireAll(shards);
  throw unsupported(shards, what);
}

/** To one shard: several have no transaction in common. */
async function append(shards: Shards, appends: readonly StreamAppend[]) {
  const { stores, place } = shards;
  const wanted = new Set<number>();
  for (const streamId of new Set(appends.map((one) => one.streamId))) {
    const found = await findShard(shards, streamId);
    if (found === null && place === null)
      throw unsupported(
        shards,
        `nothing says which shard the new stream ${JSON.stringify(streamId)} belongs to`,
      );
    wanted.add(found?.shard ?? place!(nameBytes(streamId)));
  }
  const [shard, ...others] = wanted;
  if (others.length > 0) throw unsupported(shards, 'streams of several shards cannot be appended to at once');
  return shard === undefined ? { heads: new Map<string, bigint>() } : stores[shard]!.append(appends);
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
