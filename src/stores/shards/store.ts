import { BackupError } from '../../core/errors.ts';
import type { StreamAppend } from '../../core/event.ts';
import type { EventStore, StoreDescription } from '../../core/event-store.ts';
import type { Obstacle, StoreExamination } from '../../core/examination.ts';
import { nameBytes } from '../../core/name-text.ts';
import { bucketOf } from '../../core/stream-bucket.ts';
import { looksOf } from './looks.ts';
import { joinViews } from './reader.ts';
import { joinShardsPart, joinShardsRestore, openShardsRestore } from './restore.ts';
import { findShard, ofAll, type Shards, shardName, unsupported } from './shards.ts';
import { openShardsSnapshot } from './snapshot.ts';

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
    ...looksOf(shards),
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
