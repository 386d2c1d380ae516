import fs from 'node:fs/promises';
import path from 'node:path';
import { BackupError } from '../../core/errors.ts';
import type { StoredEvent } from '../../core/event.ts';
import type { EventStore, StoreDescription, StreamHead, StreamSummary } from '../../core/event-store.ts';
import type { StoreExamination } from '../../core/examination.ts';
import { compareUtf8 } from '../../core/text-order.ts';
import { parseTime } from '../../core/time.ts';
import { appendEvents } from './append.ts';
import { type FilesConfig, parseFilesAddress } from './config.ts';
import { guarded, unsupported } from './errors.ts';
import { readEvents } from './events.ts';
import {
  countEvents,
  examineHistory,
  type History,
  listTransactions,
  loadHistory,
  requireStore,
  storeExists,
} from './history.ts';
import { lockStore } from './lock.ts';
import { EVENTS, LOCAL } from './paths.ts';
import { openFilesRestore } from './restore.ts';
import { openFilesSnapshot, summariesOf } from './snapshot.ts';
import { findStagings, settle } from './staging.ts';
import { NEWEST_FORMAT } from './transaction.ts';

/**
 * Opens a store of EventCore's file backend, by an address such as `eventcore-fs:./store`. Nothing is opened or made yet. Throws
 * `usage` for an address that names no folder. Every method that reads events reads all files, as EventCore does when it opens a store.
 */
export function openFilesStore(address: string): EventStore {
  const config = parseFilesAddress(address);
  const open = new Set<() => Promise<void>>();
  return {
    address: config.address,
    inspect: () => inspect(config),
    examine: () => examine(config),
    initialise: () => initialise(config),
    listStreams: (options) => listStreams(config, options),
    readStream: (streamId, options) => readStream(config, streamId, options),
    findStream: (streamId) => findStream(config, streamId),
    readSince: (since, options) => readSince(config, since, options),
    sampleEvents: (size) => sampleEvents(config, size),
    count: async () => {
      const history = await loadHistory(config);
      return { events: countEvents(history), streams: history.streams.length };
    },
    append: (appends) => appendEvents(config, appends),
    clear: () => clear(config),
    openSnapshot: () => openFilesSnapshot(config),
    joinSnapshot: notShared,
    openRestore: async (options) => {
      const session = await openFilesRestore(config, options);
      const end = async (): Promise<void> => {
        open.delete(end);
        await session.discard();
      };
      open.add(end);
      return { ...session, discard: end };
    },
    joinRestore: notShared,
    joinPart: notShared,
    openMerge: async () => {
      await requireStore(config);
      throw unsupported(
        address,
        MERGE,
        'restore into another folder, and bring it in with Git and EventCore',
      );
    },
    openRepair: async () => {
      await requireStore(config);
      throw unsupported(
        address,
        REPAIR,
        'take the files from Git or a clone, or restore into another folder',
      );
    },
    // There is no SQL here to ask in.
    openInspection: async () => {
      await requireStore(config);
      return null;
    },
    openFeed: async () => {
      await requireStore(config);
      throw unsupported(address, FEED, 'take incremental backups often: they read what is new, exactly');
    },
    feedState: async () => null,
    countAhead: async () => null,
    dropFeed: async () => {},
    close: async () => {
      for (const end of [...open]) await end();
    },
  };
}

const MERGE =
  'versions follow from the order of all transactions, so nothing can be put between those that are there';
const REPAIR =
  'transactions never change, and each names those before it, so nothing is written over in place';
const FEED = 'it keeps no log of its commits';

async function notShared(): Promise<never> {
  throw new BackupError(
    'internal',
    'a store in files has no views or restores that another thread could join',
  );
}

async function inspect(config: FilesConfig): Promise<StoreDescription> {
  const isThere = await storeExists(config);
  const filled = isThere && (await listTransactions(config)).length > 0 ? 'filled' : 'empty';
  return {
    ...{ kind: 'files', layout: 'eventcore', versionBase: 1 },
    serverVersion: `format ${NEWEST_FORMAT}`,
    state: isThere ? filled : 'missing',
  };
}

async function examine(config: FilesConfig): Promise<StoreExamination> {
  const { faults } = await examineHistory(config);
  const hint =
    'take the files from Git, a clone or a backup; ?damaged=accept goes on with what EventCore reads';
  return {
    clockAheadMs: null,
    backupObstacles: config.damaged === 'accept' ? [] : faults.map(({ message }) => ({ message, hint })),
    feedObstacles: [
      { message: `${config.address}: ${FEED}`, hint: 'take incremental backups often instead' },
    ],
    leftovers: (await findStagings(config)).map(({ folder }) => `${folder} of a restore that did not end`),
  };
}

/** Only what tells that there is a store: EventCore makes the rest when it opens it. */
async function initialise(config: FilesConfig): Promise<void> {
  await guarded(`make ${config.address}`, async () => {
    await fs.mkdir(config.root, { recursive: true });
    if ((await findStagings(config)).length > 0) {
      const lock = await lockStore(config, 0);
      try {
        await settle(config);
      } finally {
        await lock.release();
      }
    }
    await fs.mkdir(path.join(config.root, EVENTS), { recursive: true });
    await fs.mkdir(path.join(config.root, LOCAL), { recursive: true });
  });
}

/** As a restore of nothing. */
async function clear(config: FilesConfig): Promise<void> {
  await requireStore(config);
  const session = await openFilesRestore(config, { attemptId: crypto.randomUUID(), replace: true });
  try {
    await session.finishLoad();
    await session.publish();
  } finally {
    await session.discard();
  }
}

async function* listStreams(
  config: FilesConfig,
  { after, limit = Number.POSITIVE_INFINITY }: { after?: string; limit?: number } = {},
): AsyncGenerator<StreamHead> {
  const summaries = summariesOf(await loadHistory(config));
  const behind = summaries.filter(({ streamId }) => after === undefined || compareUtf8(streamId, after) > 0);
  for (const { streamId, events } of behind.slice(0, limit)) {
    yield { streamId, version: BigInt(events), events };
  }
}

async function findStream(config: FilesConfig, streamId: string): Promise<StreamSummary | null> {
  return summariesOf(await loadHistory(config)).find((summary) => summary.streamId === streamId) ?? null;
}

async function readStream(
  config: FilesConfig,
  streamId: string,
  { fromVersion = 1n, limit = 1000 }: { fromVersion?: bigint; limit?: number } = {},
): Promise<StoredEvent[]> {
  const history = await loadHistory(config);
  const stream = history.streams.findIndex((facts) => facts.streamId === streamId);
  const wanted: number[] = [];
  for (const [event, own] of history.streamOf.entries()) {
    if (own !== stream || BigInt(history.versions[event]!) < fromVersion) continue;
    if (wanted.length === limit) break;
    wanted.push(event);
  }
  return collect(readEvents(history, wanted));
}

async function* readSince(
  config: FilesConfig,
  since: string,
  { limit = Number.POSITIVE_INFINITY }: { limit?: number } = {},
): AsyncGenerator<StoredEvent> {
  const from = parseTime(since);
  if (from === null) throw new BackupError('usage', `not a time: ${JSON.stringify(since)}`);
  const history = await loadHistory(config);
  const later = await collect(readEvents(history, eventsSince(history, from)));
  later.sort((a, b) => compareUtf8(a.recordedAt, b.recordedAt) || compareUtf8(a.id, b.id));
  yield* later.slice(0, limit);
}

function eventsSince({ transactions, starts }: History, from: bigint): number[] {
  return transactions.flatMap(({ createdAt }, i) => {
    const time = parseTime(createdAt);
    if (time === null || time < from) return [];
    return Array.from({ length: starts[i + 1]! - starts[i]! }, (_, line) => starts[i]! + line);
  });
}

/** Floyd's way: draws among the first n − size + 1, then one more, and so on, each draw from a wider part. */
async function sampleEvents(config: FilesConfig, size: number): Promise<StoredEvent[]> {
  const history = await loadHistory(config);
  const count = countEvents(history);
  const chosen = new Set<number>();
  for (let end = Math.max(0, count - size); end < count; end += 1) {
    const drawn = Math.floor(Math.random() * (end + 1));
    chosen.add(chosen.has(drawn) ? end : drawn);
  }
  return collect(
    readEvents(
      history,
      [...chosen].sort((a, b) => a - b),
    ),
  );
}

async function collect(events: AsyncIterable<StoredEvent>): Promise<StoredEvent[]> {
  const all: StoredEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}
