import { type DifferenceReport, makeDifferences } from '../../core/differences.ts';
import type { EventStore, StoreRange, StoreSnapshot, StreamTail } from '../../core/event-store.ts';
import { dropKnown, type TakeKnown } from '../../core/known-rows.ts';
import { nameText } from '../../core/name-text.ts';
import type { Problem } from '../../core/report.ts';
import { findStream, type StreamTable, streamName } from '../../core/stream-table.ts';
import type { Vault } from '../../core/vault.ts';
import type { Chain } from '../../format/chain.ts';
import { pastOfChain } from '../../format/chain-past.ts';
import { makeKnownEvents } from '../../format/known-events.ts';
import { addDigest, type StreamSums, takeOffPast } from '../stream-sums.ts';

const BATCH_BYTES = 1 << 20;

export interface ChangedSearch {
  readonly vault: Vault;
  readonly chain: Chain;
  /** What the chain holds. */
  readonly table: StreamTable;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Events of a live store that are not as the chain has them: of those that both have. A store that tells what was written
 * since the newest backup is asked for that; of another one all events are read.
 */
export async function findChangedEvents(store: EventStore, search: ChangedSearch): Promise<Problem[]> {
  const snapshot = await store.openSnapshot();
  try {
    const differences = makeDifferences();
    const ranges = await planRewritten(snapshot, search);
    const known = makeKnownEvents(search.vault, search.chain, differences, { signal: search.signal });
    await readKnown(snapshot, ranges, search, known.take);
    const inexact = await known.compare();
    return [...describe(differences.report()), ...(inexact === null ? [] : [problem(null, null, inexact)])];
  } finally {
    await snapshot.close();
  }
}

/** Ranges that hold every event that was written over since the newest backup, and perhaps others. */
async function planRewritten(snapshot: StoreSnapshot, search: ChangedSearch): Promise<StoreRange[]> {
  if (!snapshot.showsRewritten) return planSuspects(snapshot, search);
  const changes = await snapshot.planChanges(search.chain.at(-1)!.manifest.cursor, 1);
  return typeof changes === 'string' ? planSuspects(snapshot, search) : changes;
}

async function readKnown(
  snapshot: StoreSnapshot,
  ranges: readonly StoreRange[],
  { table, signal }: ChangedSearch,
  take: TakeKnown,
): Promise<void> {
  const options = { batchBytes: BATCH_BYTES, ...(signal === undefined ? {} : { signal }) };
  for (const range of ranges) {
    for await (const _ of dropKnown(snapshot.readRange(range, options), table, take));
  }
}

/**
 * Adds up the digests of each stream's events, of the store and of the chain, and gives the ranges of the streams whose sums
 * differ.
 */
async function planSuspects(snapshot: StoreSnapshot, search: ChangedSearch): Promise<StoreRange[]> {
  const { vault, chain, table, signal } = search;
  const sums: StreamSums = new Float64Array(table.count);
  await readKnown(snapshot, await snapshot.planRanges(1), search, (batch, rows) => {
    const { starts, lengths } = batch.stream;
    for (const row of rows) {
      const place = findStream(table, batch.bytes, starts[row]!, lengths[row]!);
      sums[place] = addDigest(sums[place]!, batch, row, 1);
    }
  });
  await takeOffPast(sums, pastOfChain(vault, chain, table, signal), 'all');
  const suspects: StreamTail[] = [];
  for (let index = 0; index < table.count; index += 1) {
    if (sums[index] === 0) continue;
    suspects.push({ streamId: nameText(streamName(table, index)), fromVersion: table.runFirst[index]! });
  }
  return suspects.length === 0 ? [] : snapshot.planTails(suspects);
}

const WORDS = { changed: 'other content', diverged: 'another id', lost: 'no events' } as const;

function describe({ streams, streamsOmitted }: DifferenceReport): Problem[] {
  const named = streams.map(({ streamId, kind, events, version }) => {
    const first = version === null ? '' : `, from version ${version} on`;
    const counted = `${events} ${events === 1 ? 'event' : 'events'} of the backup`;
    return problem(streamId, version, `has ${WORDS[kind]} for ${counted}${first}`);
  });
  if (streamsOmitted === 0) return named;
  return [...named, problem(null, null, `${streamsOmitted} more streams are not as they were backed up`)];
}

function problem(streamId: string | null, version: number | null, text: string): Problem {
  const message = streamId === null ? text : `stream ${JSON.stringify(streamId)} in the store ${text}`;
  const place = { file: null, chunk: null, version: version === null ? null : String(version) };
  return { ...place, code: 'store_differs', streamId, message };
}
