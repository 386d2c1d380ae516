import { BackupError } from '../../core/errors.ts';
import type { EventStore, StreamSummary } from '../../core/event-store.ts';

/** A store whose streams lie in several others, each stream in one of them. */
export interface Shards {
  /** To show to people. */
  readonly address: string;
  /** In an order that stays. */
  readonly stores: readonly EventStore[];
  /** Where a stream belongs of which there is nothing yet; null: only whoever writes the store knows. */
  readonly place: ((stream: Uint8Array) => number) | null;
}

/** `shard 2 of 3`. */
export function shardName(shard: number, { length }: readonly unknown[]): string {
  return `shard ${shard + 1} of ${length}`;
}

/** Of all shards at the same time; where one fails, its failure, once all are done. */
export async function ofAll<Result>(
  stores: readonly EventStore[],
  work: (store: EventStore, shard: number) => Promise<Result>,
): Promise<Result[]> {
  const settled = await Promise.allSettled(stores.map(work));
  const failed = settled.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return settled.map((outcome) => (outcome as PromiseFulfilledResult<Result>).value);
}

export interface FoundStream {
  readonly shard: number;
  readonly summary: StreamSummary;
}

/** The shard that has a stream; null when none has. Throws `damaged` when several have. */
export async function findShard(shards: Shards, streamId: string): Promise<FoundStream | null> {
  const summaries = await ofAll(shards.stores, (store) => store.findStream(streamId));
  const found = summaries.flatMap((summary, shard) => (summary === null ? [] : [{ shard, summary }]));
  if (found.length > 1)
    throw isInSeveral(
      shards,
      streamId,
      found.map(({ shard }) => shard),
    );
  return found[0] ?? null;
}

export function isInSeveral(
  { address, stores }: Shards,
  streamId: string,
  found: readonly number[],
): BackupError {
  const where = found.map((shard) => `${shard + 1} (${stores[shard]!.address})`).join(' and in shard ');
  return new BackupError('damaged', `${address}: stream ${JSON.stringify(streamId)} lies in shard ${where}`, {
    hint: 'a stream lies in one shard: find out which one it belongs to, and whether it was being moved; back up again when the other has none of it',
    facts: { streamId },
  });
}

/** For what cannot be done to several stores at once. */
export function unsupported({ address, stores }: Shards, what: string, hint?: string): BackupError {
  return new BackupError('store_unsupported', `${address}: ${what}`, {
    hint:
      hint ??
      `work on one shard by itself, by its own address: ${stores.map((store) => store.address).join(', ')}`,
  });
}
