import { BackupError } from '../../core/errors.ts';
import type { EventStore } from '../../core/event-store.ts';
import { appendEvents } from './append.ts';
import { parseSqliteAddress, type SqliteConfig } from './config.ts';
import { clearStore, countEvents, listStreams, readSince, readStream, sampleEvents } from './events.ts';
import { examineStore } from './examine.ts';
import { feedState, openSqliteFeed, type SqliteFeed } from './feed.ts';
import { openSqliteInspection } from './inspection.ts';
import { inspectStore, withLayout } from './inspector.ts';
import { joinView } from './joined-view.ts';
import { openSqliteMerge } from './merge.ts';
import { openSqliteSnapshot } from './reader.ts';
import { openSqliteRepair } from './repair.ts';
import { openSqliteRestore } from './restore.ts';
import { initialiseStore } from './schema.ts';
import { findSummary } from './summaries.ts';

/**
 * Opens an event store in a SQLite file, by an address such as `sqlite:./events.db`. Nothing is opened or made yet.
 * Throws `usage` for an address that names no file.
 *
 * SQLite works in the calling thread, and a lock of another process is waited for there: up to two seconds.
 */
export function openSqliteStore(address: string): EventStore {
  const config = parseSqliteAddress(address);
  /** Whose tables they are is known before anything is done with them. */
  const known = (): SqliteConfig => withLayout(config);
  const open = new Set<() => Promise<void>>();
  const feeds = new Set<SqliteFeed>();
  return {
    address: config.address,
    inspect: async () => inspectStore(known()),
    examine: async () => examineStore(known()),
    initialise: async () => initialiseStore(known()),
    listStreams: pagesOf(known, listStreams),
    readStream: async (streamId, options) => readStream(known(), streamId, options),
    findStream: async (streamId) => findSummary(known(), streamId),
    readSince: pagesOf(known, readSince),
    sampleEvents: async (size) => sampleEvents(known(), size),
    count: async () => countEvents(known()),
    append: async (appends) => {
      const result = appendEvents(known(), appends);
      for (const { wake } of feeds) wake();
      return result;
    },
    clear: async () => clearStore(known()),
    openSnapshot: async () => {
      const snapshot = openSqliteSnapshot(known());
      return { ...snapshot, close: endedBy(open, snapshot.close) };
    },
    joinSnapshot: async (token) => {
      const reader = await joinView(token, config.address);
      return { ...reader, close: endedBy(open, reader.close) };
    },
    openRestore: async (options) => {
      const session = openSqliteRestore(config, options);
      return { ...session, discard: endedBy(open, session.discard) };
    },
    joinRestore: () => Promise.reject(notShared(address)),
    joinPart: () => Promise.reject(notShared(address)),
    openMerge: async (options) => {
      const session = openSqliteMerge(known(), options);
      return { ...session, discard: endedBy(open, session.discard) };
    },
    openInspection: async (options) => {
      const inspection = openSqliteInspection(known(), options);
      return { ...inspection, close: endedBy(open, inspection.close) };
    },
    openRepair: async (options) => {
      const session = openSqliteRepair(known(), options);
      return { ...session, discard: endedBy(open, session.discard) };
    },
    openFeed: async (options) => {
      const feed = openSqliteFeed(known(), options);
      feeds.add(feed);
      const close = endedBy(open, async () => {
        feeds.delete(feed);
        await feed.close();
      });
      return { ...feed, close };
    },
    feedState: async () => feedState(known(), feeds.size > 0),
    countAhead: async ({ from }) => rowsBehind(known(), from),
    // The rows are the store's own: nothing is kept for a feed.
    dropFeed: async () => {},
    close: async () => {
      for (const end of [...open]) await end();
    },
  };
}

/** Rows are numbered one by one; where any was taken away, a feed refuses to go on. */
function rowsBehind(config: SqliteConfig, from: bigint): number {
  const state = feedState(config, true);
  return state !== null && state.position > from ? Number(state.position - from) : 0;
}

/** Looks for whose tables they are when the first item is asked for. */
function pagesOf<Given extends unknown[], Item>(
  known: () => SqliteConfig,
  read: (config: SqliteConfig, ...given: Given) => AsyncGenerator<Item>,
) {
  return async function* (...given: Given): AsyncGenerator<Item> {
    yield* read(known(), ...given);
  };
}

/** Adds what ends a connection to those that closing the store ends too. */
function endedBy(open: Set<() => Promise<void>>, end: () => Promise<void>): () => Promise<void> {
  const endOnce = async (): Promise<void> => {
    open.delete(endOnce);
    await end();
  };
  open.add(endOnce);
  return endOnce;
}

function notShared(address: string): BackupError {
  return new BackupError('internal', `a restore into ${address} belongs to the connection that began it`);
}
