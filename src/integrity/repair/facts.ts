import { BackupError, isBackupError, throwIfAborted } from '../../core/errors.ts';
import type { EventBatch } from '../../core/event-batch.ts';
import { idText } from '../../core/event-id.ts';
import type { EventStore, StoreSnapshot } from '../../core/event-store.ts';
import { nameText } from '../../core/name-text.ts';
import { type Likeness, planPutBack, type TouchedRow } from '../../core/put-back.ts';
import { pickStreams, type StreamSelection, selectStreams } from '../../core/stream-selection.ts';
import type { Vault } from '../../core/vault.ts';
import type { Chain } from '../../format/chain.ts';
import { searchStreams } from '../../format/chain-events.ts';
import { eventDigest, payloadDigest } from '../../format/content-digest.ts';

/** What a live store has of one stream, held against a chain. Versions ascend. */
export interface StreamFacts {
  readonly streamId: string;
  /** Events that the chain holds. */
  readonly held: number;
  /** Of events that the store has, with other content, at another place or under another id. */
  readonly changed: readonly number[];
  /** Of events that the store has more than once. */
  readonly copied: readonly number[];
  /** Of events that the store has nowhere in the streams that were looked at. */
  readonly absent: readonly number[];
  /** Where another event stands. */
  readonly diverged: readonly number[];
  /** That the chain itself holds more than once: it had them so from the store. */
  readonly doubled: readonly number[];
  /** Events that only the store has. */
  readonly onlyLive: number;
  /** The store cannot read it for damage: then `changed` is all that the chain holds. */
  readonly isUnreadable: boolean;
}

export interface FactsSearch {
  readonly vault: Vault;
  readonly chain: Chain;
  readonly streamIds: readonly string[];
  /** The store's indexes may be damaged: all of the table is read. */
  readonly withoutIndexes: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** More than these are a restore. Each costs some hundred bytes. */
const MOST_EVENTS = 500_000;
const BATCH_BYTES = 1 << 20;

interface SeenEvent {
  readonly stream: string;
  readonly version: number;
  readonly id: string;
  /** Over all of it; over type, data and metadata; its time. */
  readonly digest: string;
  readonly payload: string;
  readonly time: string;
}

/** Holds streams of a live store against a chain, event by event. Throws `usage` where they are too many. */
export async function gatherFacts(store: EventStore, search: FactsSearch): Promise<StreamFacts[]> {
  const streamIds = [...new Set(search.streamIds)];
  if (streamIds.length === 0) return [];
  const held = await readChain(search, selectStreams(streamIds));
  const live: SeenEvent[] = [];
  const unreadable = new Set<string>();
  const snapshot = await store.openSnapshot();
  try {
    await readLive(snapshot, search, streamIds, live, unreadable);
  } finally {
    await snapshot.close();
  }
  return compare(streamIds, held, live, unreadable);
}

async function readChain({ vault, chain, signal }: FactsSearch, selection: StreamSelection) {
  const events: SeenEvent[] = [];
  const take = (batch: EventBatch): void => addEvents(events, pickStreams(batch, selection));
  await searchStreams(vault, chain, { names: () => selection.names, take, signal });
  return events;
}

/** Streams that cannot be read together are read one by one, to know which of them it is. */
async function readLive(
  snapshot: StoreSnapshot,
  search: FactsSearch,
  streamIds: readonly string[],
  into: SeenEvent[],
  unreadable: Set<string>,
): Promise<void> {
  const found: SeenEvent[] = [];
  try {
    await readStreams(snapshot, search, streamIds, found);
  } catch (error) {
    if (!isDamage(error)) throw error;
    if (streamIds.length === 1 || search.withoutIndexes) {
      for (const streamId of streamIds) unreadable.add(streamId);
      return;
    }
    for (const streamId of streamIds) await readLive(snapshot, search, [streamId], into, unreadable);
    return;
  }
  for (const event of found) into.push(event);
}

/** The server found its own data damaged (SQLSTATE class XX), or what was read cannot be an event, as a version beyond 2^53. */
function isDamage(error: unknown): boolean {
  if (!isBackupError(error)) return false;
  return (
    ['damaged', 'store_unsupported'].includes(error.code) || String(error.facts.sqlState).startsWith('XX')
  );
}

async function readStreams(
  snapshot: StoreSnapshot,
  { withoutIndexes, signal }: FactsSearch,
  streamIds: readonly string[],
  into: SeenEvent[],
): Promise<void> {
  const selection = selectStreams(streamIds);
  const tails = streamIds.map((streamId) => ({ streamId, fromVersion: Number.MIN_SAFE_INTEGER }));
  const ranges = await (withoutIndexes ? snapshot.planRanges(1) : snapshot.planTails(tails));
  const options = { batchBytes: BATCH_BYTES, ...(signal === undefined ? {} : { signal }) };
  for (const range of ranges) {
    for await (const batch of snapshot.readRange(range, options)) {
      throwIfAborted(signal);
      addEvents(into, pickStreams(batch, selection));
    }
  }
}

function addEvents(events: SeenEvent[], batch: EventBatch | null): void {
  if (batch === null) return;
  if (events.length + batch.count > MOST_EVENTS) {
    throw new BackupError('usage', `the streams to repair have more than ${MOST_EVENTS} events`, {
      hint: 'repair fewer streams at a time, or restore: `eventcore restore --stream`, with --merge for what is missing',
    });
  }
  for (let row = 0; row < batch.count; row += 1) {
    const { stream } = batch;
    const start = stream.starts[row]!;
    const timeText = batch.timeTexts?.get(row);
    events.push({
      stream: nameText(batch.bytes.subarray(start, start + stream.lengths[row]!)),
      version: batch.versions[row]!,
      id: idText(batch, row).toLowerCase(),
      digest: eventDigest(batch, row).toString('latin1'),
      payload: payloadDigest(batch, row).toString('latin1'),
      time: timeText === undefined ? String(batch.times[row]!) : Buffer.from(timeText).toString('latin1'),
    });
  }
}

function compare(
  streamIds: readonly string[],
  chain: readonly SeenEvent[],
  live: readonly SeenEvent[],
  unreadable: ReadonlySet<string>,
): StreamFacts[] {
  const byPlace = Map.groupBy(chain, placeOf);
  const doubled = chain.filter((event) => byPlace.get(placeOf(event))!.length > 1);
  const held = chain.filter(
    (event) => byPlace.get(placeOf(event))!.length === 1 && !unreadable.has(event.stream),
  );
  const rows = matchRows(held, live);
  const plan = planPutBack(held.length, rows.touched);
  const at = (events: readonly number[]) => byStream(events.map((event) => held[event]!));
  const changed = at(plan.changes.filter(({ isEqual }) => !isEqual).map(({ event }) => event));
  const copied = at([...new Set(plan.removals.map(({ event }) => event))]);
  const [absent, diverged] = [at(plan.absent), at(plan.diverged)];
  const [doubledIn, all] = [byStream(doubled), byStream(chain)];
  const onlyLive = Map.groupBy(rows.others, ({ stream }) => stream);
  return streamIds.map((streamId) => {
    const isUnreadable = unreadable.has(streamId);
    const own = new Set(all.get(streamId));
    const twice = new Set(doubledIn.get(streamId));
    return {
      ...{ streamId, held: own.size, isUnreadable },
      changed: isUnreadable
        ? [...own].filter((version) => !twice.has(version))
        : (changed.get(streamId) ?? []),
      copied: copied.get(streamId) ?? [],
      absent: absent.get(streamId) ?? [],
      diverged: diverged.get(streamId) ?? [],
      doubled: [...twice],
      onlyLive: (onlyLive.get(streamId) ?? []).filter((row) => !byPlace.has(placeOf(row))).length,
    };
  });
}

/** Rows as they stand to the events of the chain, and those that the chain knows nothing of. */
function matchRows(held: readonly SeenEvent[], live: readonly SeenEvent[]) {
  const ids = new Map(held.map(({ id }, event) => [id, event]));
  const places = new Map(held.map((event, at) => [placeOf(event), at]));
  const touched: TouchedRow<number>[] = [];
  const others: SeenEvent[] = [];
  for (const [key, row] of live.entries()) {
    const byId = ids.get(row.id) ?? null;
    const byPlace = places.get(placeOf(row)) ?? null;
    if (byId === null && byPlace === null) others.push(row);
    const isEqual = byId !== null && held[byId]!.digest === row.digest;
    const likeness = byPlace === null ? 'none' : likenessOf(row, held[byPlace]!);
    touched.push({ key, byId, byPlace, isEqual, likeness });
  }
  return { touched, others };
}

function likenessOf(a: SeenEvent, b: SeenEvent): Likeness {
  if (a.payload !== b.payload) return 'none';
  return a.time === b.time ? 'all' : 'content';
}

function placeOf({ stream, version }: SeenEvent): string {
  return `${version} ${stream}`;
}

function byStream(events: readonly SeenEvent[]): Map<string, number[]> {
  const versions = new Map<string, number[]>();
  for (const { stream, version } of events) {
    const own = versions.get(stream);
    if (own === undefined) versions.set(stream, [version]);
    else own.push(version);
  }
  for (const own of versions.values()) own.sort((a, b) => a - b);
  return versions;
}
