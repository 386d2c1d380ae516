import type { BlockPlan, StoreCursor, StoreRange, StoreSnapshot } from '../../core/event-store.ts';
import { tagCompanions } from './companions.ts';
import { joinCursors, type ShardView, splitCursor } from './cursor.ts';
import { inTurn, joinParts, joinRanges, type Part, partsOf } from './parts.ts';
import { formatTokens, readerOver } from './reader.ts';
import { findShard, type Shards, shardName } from './shards.ts';
import { mergeStreams } from './summaries.ts';

/** Views of the shards, and when each was taken. */
interface Views {
  readonly shards: Shards;
  readonly views: readonly StoreSnapshot[];
  readonly openedAt: readonly string[];
}

/** One view of each shard, taken as near to one another as can be: all are asked for at once. */
export async function openShardsSnapshot(shards: Shards): Promise<StoreSnapshot> {
  const settled = await Promise.allSettled(
    shards.stores.map(async (store) => ({
      view: await store.openSnapshot(),
      openedAt: new Date().toISOString(),
    })),
  );
  const opened = settled.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  const failed = settled.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) {
    await Promise.allSettled(opened.map(({ view }) => view.close()));
    throw failed.reason;
  }
  return over({
    shards,
    views: opened.map(({ view }) => view),
    openedAt: opened.map((one) => one.openedAt),
  });
}

function over(all: Views): StoreSnapshot {
  const { shards, views } = all;
  return {
    token: formatTokens(views.map(({ token }) => token)),
    servesJoined: views.some(({ servesJoined }) => servesJoined),
    cursor: cursorOf(
      all,
      views.map(({ cursor }) => cursor),
    ),
    showsRewritten: views.every(({ showsRewritten }) => showsRewritten),
    archivedAs: views[0]!.archivedAs,
    versionsMayShift: views.some(({ versionsMayShift }) => versionsMayShift === true),
    settledCursor: async () => cursorOf(all, await Promise.all(views.map((view) => view.settledCursor()))),
    ...readerOver(views.length, (shard) => views[shard]!),
    estimate: async () => {
      const estimates = await Promise.all(views.map((view) => view.estimate()));
      return {
        events: sum(estimates.map(({ events }) => events)),
        bytes: sum(estimates.map(({ bytes }) => bytes)),
      };
    },
    ...plansOf(all),
    countEvents: async () =>
      (await Promise.all(views.map((view) => view.countEvents()))).reduce((a, b) => a + b),
    readSummaries: (options) =>
      mergeStreams(
        shards,
        views.map((view) => view.readSummaries(options)),
      ),
    readCompanions: () => tagCompanions(views),
    judgeDoubled: async (streamIds) => {
      for (const streamId of streamIds) await findShard(shards, streamId);
    },
    close: async () => {
      await Promise.all(views.map((view) => view.close()));
    },
  };
}

function cursorOf({ openedAt }: Views, cursors: readonly StoreCursor[]): StoreCursor {
  return joinCursors(cursors.map((cursor, shard): ShardView => ({ cursor, openedAt: openedAt[shard]! })));
}

/** Null where one is not known. */
function sum(numbers: readonly (number | null)[]): number | null {
  return numbers.reduce((all, one) => (all === null || one === null ? null : all + one), 0);
}

type Plans = 'planRanges' | 'planPasses' | 'planChanges' | 'planChangesIn' | 'planTails' | 'planBlocks';

function plansOf({ views }: Views): Required<Pick<StoreSnapshot, Plans>> {
  const shareOf = (parallel: number): number => Math.max(1, Math.floor(parallel / views.length));
  const each = <Result>(work: (view: StoreSnapshot, shard: number) => Promise<Result>): Promise<Result[]> =>
    Promise.all(views.map(work));
  const changes = async (
    since: StoreCursor,
    plan: (view: StoreSnapshot, cursor: StoreCursor, shard: number) => Promise<StoreRange[] | string>,
    most?: number,
  ): Promise<StoreRange[] | string> => {
    const cursors = splitCursor(since, views.length);
    if (typeof cursors === 'string') return cursors;
    const planned = await each((view, shard) => plan(view, cursors[shard]!, shard));
    const reason = planned.findIndex((one) => typeof one === 'string');
    if (reason !== -1) return `${shardName(reason, views)}: ${String(planned[reason])}`;
    return joinRanges(planned as StoreRange[][], most);
  };
  return {
    planRanges: async (parallel, rangeBytes) => {
      const ranges = await each((view) => view.planRanges(shareOf(parallel), rangeBytes));
      return joinRanges(ranges, rangeBytes === undefined ? parallel : undefined);
    },
    planPasses: (ranges, parallel) => planPasses(views, ranges, shareOf(parallel)),
    planChanges: (since, parallel) =>
      changes(since, (view, cursor) => view.planChanges(cursor, shareOf(parallel)), parallel),
    planChangesIn: (since, ranges) => {
      const parts = ranges.flatMap((range) => partsOf(range, views.length));
      const own = (shard: number): StoreRange[] =>
        parts.filter((part) => part.shard === shard).map(({ range }) => range);
      return changes(since, (view, cursor, shard) => view.planChangesIn(cursor, own(shard)));
    },
    planTails: async (tails) =>
      // Each is asked for all: where a stream lies is known to nobody, and what is not there costs a look at an index.
      tails.length === 0 ? [] : joinRanges(await each((view) => view.planTails(tails))),
    planBlocks: async () => joinBlocks(await each((view) => view.planBlocks())),
  };
}

/** Passes of each shard by itself; null where no shard wants any. Ranges of one that wants none are passes of their own. */
async function planPasses(
  views: readonly StoreSnapshot[],
  ranges: readonly StoreRange[],
  share: number,
): Promise<StoreRange[][] | null> {
  const parts = ranges.map((range) => partsOf(range, views.length));
  if (parts.some(({ length }) => length !== 1)) return null;
  let isWanted = false;
  const planned = await Promise.all(
    views.map(async (view, shard) => {
      const own = parts.flatMap(([part], index): Part[] =>
        part!.shard === shard ? [{ shard, range: { index, spec: part!.range.spec } }] : [],
      );
      const passes =
        (await view.planPasses?.(
          own.map(({ range }) => range),
          share,
        )) ?? null;
      if (passes !== null) isWanted = true;
      return (passes ?? own.map(({ range }) => [range])).map((pass) =>
        pass.map(({ index }) => ranges[index]!),
      );
    }),
  );
  return isWanted ? inTurn(planned) : null;
}

/** A block is that of this number of each shard: so it stays where it is, whatever is appended to which of them. */
function joinBlocks(plans: readonly BlockPlan[]): BlockPlan {
  return {
    blocks: Math.max(...plans.map(({ blocks }) => blocks)),
    range: (block) => {
      const parts = plans.flatMap(({ blocks, range }, shard): Part[] =>
        block < blocks ? [{ shard, range: range(block) }] : [],
      );
      return joinParts(parts, block);
    },
  };
}
