import type { StreamSummary } from '../../core/event-store.ts';
import { compareUtf8 } from '../../core/text-order.ts';
import { mergeSorted } from './merge-sorted.ts';
import { isInSeveral, type Shards } from './shards.ts';

/** Of all shards, in byte order of the names. Throws `damaged` when two have one stream. */
export async function* mergeStreams<Item extends Pick<StreamSummary, 'streamId'>>(
  shards: Shards,
  lists: readonly AsyncIterable<Item>[],
): AsyncGenerator<Item> {
  let last = -1;
  let name: string | null = null;
  for await (const { shard, item } of mergeSorted(lists, (a, b) => compareUtf8(a.streamId, b.streamId))) {
    if (name === item.streamId) throw isInSeveral(shards, name, [last, shard]);
    last = shard;
    name = item.streamId;
    yield item;
  }
}
