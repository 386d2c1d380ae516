import { randomBytes } from 'node:crypto';
import { BackupError, throwIfAborted } from '../../core/errors.ts';
import type { AppendResult, StoredEvent, StreamAppend } from '../../core/event.ts';
import type {
  BlockPlan,
  CompanionRow,
  EventStore,
  RestoreSessionOptions,
  StoreDescription,
  StoreSnapshot,
  StreamHead,
  StreamSummary,
} from '../../core/event-store.ts';
import type { StoreExamination } from '../../core/examination.ts';
import { nameBytes } from '../../core/name-text.ts';
import { assertAppends } from '../../core/new-event.ts';
import { bucketFilter } from '../../core/stream-bucket.ts';
import { formatTime, parseTime, timeFromUnixMs } from '../../core/time.ts';
import { uuidV7Source } from '../../core/uuid-v7.ts';
import { packBatches } from './batches.ts';
import { memoryFeedState, newIdentity, type OpenFeed, openMemoryFeed } from './feed.ts';
import { openMemoryMerge } from './merge.ts';
import { openMemoryRepair } from './repair.ts';
import { openMemoryRestore } from './restore.ts';
import type { MemoryEvent, MemoryState } from './state.ts';
import { compareBytes, summarise } from './summaries.ts';

export interface MemoryStoreOptions {
  /** Milliseconds since 1970, for ids and times of appended events. */
  readonly now?: () => number;
}

const VERSION_BASE = 1;
const SOUND: StoreExamination = {
  clockAheadMs: null,
  ...{ backupObstacles: [], feedObstacles: [], leftovers: [] },
};
const encode = (text: string): Uint8Array => Buffer.from(text);
const decode = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

/**
 * An event store that lives as long as this process, for tests and demonstrations. Every handle on it is the one
 * returned here; closing it ends its feeds and nothing else.
 */
export function memoryStore(options: MemoryStoreOptions = {}): EventStore {
  const state = emptyState();
  const feeds = new Set<OpenFeed>();
  const now = options.now ?? Date.now;
  const nextId = uuidV7Source(now, randomBytes);
  const events = (): readonly MemoryEvent[] => {
    if (state.initialised) return state.events;
    throw new BackupError('not_an_event_store', 'memory: holds no event store', {
      hint: 'initialise it first',
    });
  };
  const ring = (): void => {
    for (const feed of feeds) feed.ring();
  };
  return {
    address: 'memory:',
    inspect: async () => describe(state),
    examine: async () => {
      events();
      return SOUND;
    },
    initialise: async () => {
      state.initialised = true;
    },
    listStreams: (page) => listStreams(events, page),
    readStream: async (streamId, page) => readStream(events(), streamId, page),
    findStream: async (streamId) => summariesOf(events(), streamId)[0] ?? null,
    readSince: (since, page) => readSince(events, since, page),
    sampleEvents: async (size) => sample(events(), size).map(toStored),
    count: async () => ({ events: events().length, streams: summarise(events()).length }),
    append: async (appends) => {
      const result = append(state, events(), appends, { now, nextId });
      ring();
      return result;
    },
    clear: async () => {
      events();
      Object.assign(state, { events: [], commits: [], companions: [] });
      state.timeline += 1;
    },
    openSnapshot: async () => openSnapshot(events(), state.companions),
    joinSnapshot: notShared,
    openMerge: async () => {
      events();
      return openMemoryMerge(state, { now, onCommit: ring });
    },
    openRepair: async () => events() && openMemoryRepair(state),
    openRestore: async (restore: RestoreSessionOptions) => openMemoryRestore(state, restore),
    joinRestore: notShared,
    joinPart: notShared,
    // There is no SQL here to ask in.
    openInspection: async () => events() && null,
    openFeed: async (feed) => {
      events();
      return openMemoryFeed(state, feed, { now, feeds });
    },
    feedState: async () => memoryFeedState(events().length, feeds),
    countAhead: async ({ source: { systemIdentifier }, from }) => {
      if (systemIdentifier !== state.identity) return null;
      return Math.max(0, events().length + 1 - Number(from));
    },
    // Nothing is kept for a feed.
    dropFeed: async () => {},
    close: async () => {
      for (const feed of [...feeds]) await feed.close();
    },
  };
}

function emptyState(): MemoryState {
  return {
    ...{ initialised: false, restoring: false, repairing: false, events: [], commits: [], companions: [] },
    ...{ identity: newIdentity(), timeline: 1 },
  };
}

async function notShared(): Promise<never> {
  throw new BackupError('internal', 'memory: has no views or restores that another thread could join');
}

function describe(state: MemoryState): StoreDescription {
  const filled = state.events.length > 0 ? 'filled' : 'empty';
  return {
    kind: 'memory',
    layout: 'eventcore',
    versionBase: VERSION_BASE,
    serverVersion: process.version,
    state: state.initialised ? filled : 'missing',
  };
}

async function* listStreams(
  events: () => readonly MemoryEvent[],
  { after, limit = Number.POSITIVE_INFINITY }: { after?: string; limit?: number } = {},
): AsyncGenerator<StreamHead> {
  const start = after === undefined ? null : encode(after);
  const isBehind = ({ streamId }: StreamSummary) =>
    start === null || compareBytes(encode(streamId), start) > 0;
  for (const { streamId, lastVersion, events: count } of summarise(events())
    .filter(isBehind)
    .slice(0, limit)) {
    yield { streamId, version: BigInt(lastVersion), events: count };
  }
}

function readStream(
  events: readonly MemoryEvent[],
  streamId: string,
  { fromVersion, limit = 1000 }: { fromVersion?: bigint; limit?: number } = {},
): StoredEvent[] {
  const name = encode(streamId);
  return events
    .filter((event) => compareBytes(event.stream, name) === 0)
    .filter((event) => fromVersion === undefined || BigInt(event.version) >= fromVersion)
    .sort((a, b) => a.version - b.version)
    .slice(0, limit)
    .map(toStored);
}

function summariesOf(events: readonly MemoryEvent[], streamId: string): StreamSummary[] {
  const name = Buffer.from(nameBytes(streamId));
  return summarise(events.filter(({ stream }) => name.equals(stream)));
}

async function* readSince(
  events: () => readonly MemoryEvent[],
  since: string,
  { limit = Number.POSITIVE_INFINITY }: { limit?: number } = {},
): AsyncGenerator<StoredEvent> {
  const from = parseTime(since);
  if (from === null) throw new BackupError('usage', `not a time: ${JSON.stringify(since)}`);
  const later = events().filter((event) => event.time >= from);
  later.sort((a, b) => (a.time === b.time ? compareBytes(a.id, b.id) : a.time < b.time ? -1 : 1));
  yield* later.slice(0, limit).map(toStored);
}

/** Floyd's way: draws among the first n − size + 1, then one more, and so on, each draw from a wider part. */
function sample<Item>(items: readonly Item[], size: number): Item[] {
  const chosen = new Set<number>();
  for (let end = Math.max(0, items.length - size); end < items.length; end += 1) {
    const drawn = Math.floor(Math.random() * (end + 1));
    chosen.add(chosen.has(drawn) ? end : drawn);
  }
  return [...chosen].map((index) => items[index]!);
}

function toStored(event: MemoryEvent): StoredEvent {
  return {
    id: decode(event.id),
    streamId: decode(event.stream),
    version: BigInt(event.version),
    type: decode(event.type),
    data: event.data === null ? 'null' : decode(event.data),
    metadata: event.metadata === null ? null : decode(event.metadata),
    recordedAt: event.timeText === null ? formatTime(event.time) : decode(event.timeText),
  };
}

function append(
  state: MemoryState,
  before: readonly MemoryEvent[],
  appends: readonly StreamAppend[],
  source: { now: () => number; nextId: () => string },
): AppendResult {
  assertAppends(appends);
  const known = new Map(summarise(before).map(({ streamId, lastVersion }) => [streamId, lastVersion]));
  const ids = new Set(before.map((event) => decode(event.id)));
  const added: MemoryEvent[] = [];
  const heads = new Map<string, bigint>();
  const time = timeFromUnixMs(source.now());
  for (const { streamId, expectedVersion, events } of appends) {
    let head = known.get(streamId) ?? VERSION_BASE - 1;
    if (expectedVersion !== undefined && BigInt(head) !== expectedVersion) {
      throw new BackupError(
        'version_conflict',
        `stream ${JSON.stringify(streamId)} is at version ${head}, not ${expectedVersion}`,
      );
    }
    for (const { id = source.nextId(), type, data, metadata = '{}' } of events) {
      if (ids.has(id)) throw new BackupError('event_invalid', `there is already an event ${id}`);
      ids.add(id);
      head += 1;
      const text = { id: encode(id), stream: encode(streamId), type: encode(type) };
      added.push({
        ...text,
        version: head,
        data: encode(data),
        metadata: encode(metadata),
        time,
        timeText: null,
      });
      heads.set(streamId, BigInt(head));
    }
    known.set(streamId, head);
  }
  state.events = [...before, ...added];
  if (added.length > 0) state.commits = [...state.commits, { end: state.events.length, time }];
  return { heads };
}

function openSnapshot(events: readonly MemoryEvent[], companions: readonly CompanionRow[]): StoreSnapshot {
  const cursor = { kind: 'memory', events: events.length } as const;
  return {
    token: null,
    servesJoined: false,
    cursor,
    showsRewritten: false,
    settledCursor: async () => cursor,
    planChanges: async () => 'a store in memory numbers no transactions',
    planChangesIn: async () => 'a store in memory numbers no transactions',
    planTails: async () => [{ index: 0, spec: 'all' }],
    countEvents: async () => events.length,
    planBlocks: async () => planBlocks(events.length),
    readSummaries: async function* ({ sample } = {}) {
      const isWanted = sample === undefined ? () => true : bucketFilter(sample);
      for (const summary of summarise(events)) if (isWanted(nameBytes(summary.streamId))) yield summary;
    },
    estimate: async () => ({ events: events.length, bytes: null }),
    planRanges: async () => [{ index: 0, spec: 'all' }],
    readRange: async function* ({ spec }, { batchBytes, signal }) {
      for (const batch of packBatches(eventsOf(events, spec), batchBytes)) {
        throwIfAborted(signal);
        yield batch;
      }
    },
    readCompanions: async function* () {
      yield* companions;
    },
    close: async () => {},
  };
}

const BLOCK_EVENTS = 32;

function planBlocks(events: number): BlockPlan {
  return {
    blocks: Math.max(1, Math.ceil(events / BLOCK_EVENTS)),
    range: (block) => ({ index: block, spec: `block ${block}` }),
  };
}

/** Of a range of `all`, or of one block. */
function eventsOf(events: readonly MemoryEvent[], spec: string): readonly MemoryEvent[] {
  const block = /^block (\d+)$/.exec(spec);
  if (block === null) return events;
  return events.slice(Number(block[1]) * BLOCK_EVENTS, (Number(block[1]) + 1) * BLOCK_EVENTS);
}
