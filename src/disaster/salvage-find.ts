import { throwIfAborted } from '../core/errors.ts';
import { type EventBatch, spanBytes } from '../core/event-batch.ts';
import { idText } from '../core/event-id.ts';
import type { EventStore, StoreSnapshot } from '../core/event-store.ts';
import { copyEvent, type GatheredEvent, packEvents } from '../core/gathered-batch.ts';
import { nameText } from '../core/name-text.ts';
import type { EventLookup, FoundEvent } from './salvage-lookup.ts';
import { askFork, findFork, pairStreams, type StreamPair } from './salvage-pairs.ts';
import {
  closeAccount,
  noteLost,
  openAccount,
  type SalvagedStream,
  type StreamAccount,
} from './salvage-table.ts';

/** The store that is given up, and the one that is gone on with. */
export interface SalvageSides {
  readonly old: SalvageSide;
  readonly fresh: SalvageSide;
}

export interface SalvageSide {
  readonly store: EventStore;
  readonly snapshot: StoreSnapshot;
  readonly lookup: EventLookup;
}

/** Versions of a stream that a former run of this salvage found, inclusive: the new store may have them by now, from its merge. */
export type KnownVersions = ReadonlyMap<string, { readonly first: number; readonly last: number }>;

export interface FindOptions {
  readonly known: KnownVersions;
  /** Takes what only the old store has, and what both have with other content; valid until it resolves. */
  readonly take: (batch: EventBatch) => Promise<void>;
  readonly signal: AbortSignal;
}

/** Streams and events that are looked at together: their places are in memory. */
const MOST_STREAMS = 500;
const MOST_EVENTS = 20_000;
/** Events in memory at a time. */
const MOST_GATHERED = 2000;
const MOST_GATHERED_BYTES = 16 << 20;
const BATCH_BYTES = 1 << 20;
const FIRST_OF_ALL = Number.MIN_SAFE_INTEGER;
/** A stream of so many events is read with others sooner than its fork is searched. */
const MOST_READ_WHOLE = 1000;

/** What is to be read of the old store's stream. */
interface Tail {
  readonly pair: StreamPair;
  readonly from: number;
}

/**
 * Every event of the old store that the new one does not have, told by its id: stream by stream in byte order of their names. Streams that
 * are the same by their summaries are not read, and of others only what lies behind the fork.
 */
export async function findLost(sides: SalvageSides, options: FindOptions): Promise<SalvagedStream[]> {
  const { old, fresh } = sides;
  const streams: SalvagedStream[] = [];
  const pairs = pairStreams(old.snapshot.readSummaries(), fresh.snapshot.readSummaries(), (streamId) =>
    options.known.has(streamId),
  );
  const look = async (group: readonly StreamPair[]): Promise<void> => {
    const tails = await findTails(sides, group, options);
    for (const some of inParts(tails)) streams.push(...(await readTails(sides, some, options)));
  };
  let group: StreamPair[] = [];
  for await (const pair of pairs) {
    throwIfAborted(options.signal);
    group.push(pair);
    if (group.length < MOST_STREAMS) continue;
    await look(group);
    group = [];
  }
  await look(group);
  return streams;
}

/** A large tail stands alone: what it has is gone through piece by piece. */
function* inParts(tails: readonly Tail[]): Generator<Tail[]> {
  let part: Tail[] = [];
  let events = 0;
  for (const tail of tails) {
    const { events: all, lastVersion } = tail.pair.here;
    const size = tail.from === FIRST_OF_ALL ? all : lastVersion - tail.from + 1;
    if (part.length > 0 && events + size > MOST_EVENTS) {
      yield part;
      part = [];
      events = 0;
    }
    part.push(tail);
    events += size;
  }
  if (part.length > 0) yield part;
}

async function findTails(
  { old, fresh }: SalvageSides,
  group: readonly StreamPair[],
  { known, signal }: FindOptions,
): Promise<Tail[]> {
  const questions = group.map(askFork);
  const idsOf = (wanted: 'has_ours' | 'has_theirs'): string[] =>
    questions.flatMap((question) => (question.kind === wanted ? [question.eventId] : []));
  const ours = await fresh.lookup.find(idsOf('has_ours'), 'places', signal);
  const theirs = await old.lookup.find(idsOf('has_theirs'), 'places', signal);
  const tails: Tail[] = [];
  for (const [i, pair] of group.entries()) {
    const question = questions[i]!;
    const { streamId } = pair.here;
    let from = FIRST_OF_ALL;
    if (question.kind !== 'read_all') {
      const found = (question.kind === 'has_ours' ? ours : theirs).get(question.eventId.toLowerCase());
      const isThere = found?.streamId === streamId && found.version === question.version;
      if (isThere) from = question.version + 1;
      else if (pair.here.events > MOST_READ_WHOLE) from = await searchFork({ old, fresh }, pair, signal);
    }
    from = Math.min(from, known.get(streamId)?.first ?? from);
    if (from <= pair.here.lastVersion) tails.push({ pair, from });
  }
  return tails;
}

/** Both have gone on. */
function searchFork(
  { old, fresh }: SalvageSides,
  { here, there }: StreamPair,
  signal: AbortSignal,
): Promise<number> {
  const idAt = async ({ store }: SalvageSide, version: number): Promise<string | undefined> => {
    const [event] = await store.readStream(here.streamId, { fromVersion: BigInt(version), limit: 1 });
    return event?.version === BigInt(version) ? event.id.toLowerCase() : undefined;
  };
  const last = Math.min(here.lastVersion, there?.lastVersion ?? here.lastVersion);
  return findFork(here.firstVersion, last, async (version) => {
    throwIfAborted(signal);
    const [ours, theirs] = [await idAt(old, version), await idAt(fresh, version)];
    return ours !== undefined && ours === theirs;
  });
}

interface Gathered {
  readonly event: GatheredEvent;
  readonly streamId: string;
  readonly id: string;
}

interface Reading {
  readonly sides: SalvageSides;
  readonly options: FindOptions;
  readonly accounts: ReadonlyMap<string, StreamAccount>;
  /** What events of the old store look like. */
  kind: Pick<EventBatch, 'idKind' | 'jsonIsCompact'> | null;
  gathered: Gathered[];
  bytes: number;
}

async function readTails(
  sides: SalvageSides,
  tails: readonly Tail[],
  options: FindOptions,
): Promise<SalvagedStream[]> {
  const accounts = new Map(
    tails.map(({ pair: { here, there } }) => [
      here.streamId,
      openAccount(here.streamId, here.firstVersion, there?.lastVersion ?? null),
    ]),
  );
  const froms = new Map(tails.map(({ pair, from }) => [pair.here.streamId, from]));
  const reading: Reading = { sides, options, accounts, kind: null, gathered: [], bytes: 0 };
  const { snapshot } = sides.old;
  const wanted = tails.map(({ pair, from }) => ({ streamId: pair.here.streamId, fromVersion: from }));
  for (const range of await snapshot.planTails(wanted)) {
    for await (const batch of snapshot.readRange(range, {
      batchBytes: BATCH_BYTES,
      signal: options.signal,
    })) {
      await gather(reading, batch, froms);
    }
  }
  await settle(reading);
  return [...accounts.values()].map(closeAccount).filter(isWorthTelling);
}

function isWorthTelling({ events, differing, retried }: SalvagedStream): boolean {
  return events + differing + retried > 0;
}

async function gather(
  reading: Reading,
  batch: EventBatch,
  froms: ReadonlyMap<string, number>,
): Promise<void> {
  const { idKind, jsonIsCompact } = batch;
  reading.kind = { idKind: reading.kind?.idKind ?? idKind, jsonIsCompact };
  for (let row = 0; row < batch.count; row += 1) {
    const streamId = nameText(spanBytes(batch, batch.stream, row)!);
    const from = froms.get(streamId);
    if (from === undefined || batch.versions[row]! < from) continue;
    const event = copyEvent(batch, row, reading.kind.idKind);
    reading.gathered.push({ event, streamId, id: idText(batch, row).toLowerCase() });
    reading.bytes += event.fields.reduce((sum, field) => sum + (field?.length ?? 0), 0);
    if (reading.gathered.length >= MOST_GATHERED || reading.bytes >= MOST_GATHERED_BYTES)
      await settle(reading);
  }
}

/** Asks the new store for what was gathered, and gives on what it does not have. */
async function settle(reading: Reading): Promise<void> {
  const { sides, options, accounts, gathered, kind } = reading;
  if (gathered.length === 0 || kind === null) return;
  reading.gathered = [];
  reading.bytes = 0;
  const ids = gathered.map(({ id }) => id);
  const found = await sides.fresh.lookup.find(ids, 'content', options.signal);
  const lost = gathered.filter((one) =>
    isToTake(one, found.get(one.id), accounts.get(one.streamId)!, options.known),
  );
  if (lost.length === 0) return;
  lost.sort((a, b) => compareText(a.streamId, b.streamId) || a.event.version - b.event.version);
  await options.take(
    packEvents(
      lost.map(({ event }) => event),
      kind,
    ),
  );
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

/** Notes what became of an event; true where it is to be written down. */
function isToTake(
  { event, streamId }: Gathered,
  found: FoundEvent | undefined,
  account: StreamAccount,
  known: KnownVersions,
): boolean {
  const { version } = event;
  if (found === undefined) {
    noteLost(account, event, false);
    return true;
  }
  if (found.streamId !== streamId || !hasContent(event, found)) {
    account.differing += 1;
    return true;
  }
  if (found.version !== version) {
    account.retried += 1;
    return false;
  }
  const former = known.get(streamId);
  const isMerged = former !== undefined && version >= former.first && version <= former.last;
  if (isMerged) noteLost(account, event, true);
  return isMerged;
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

function hasContent({ fields: [, , type, data, metadata] }: GatheredEvent, found: FoundEvent): boolean {
  const text = (bytes: Uint8Array | null | undefined): string | null =>
    bytes == null ? null : decoder.decode(bytes);
  return text(type) === found.type && text(data) === found.data && text(metadata) === found.metadata;
}
