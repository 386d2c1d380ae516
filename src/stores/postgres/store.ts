import type { EventStore } from '../../core/event-store.ts';
import { appendEvents } from './append.ts';
import { closeDatabase, inTransaction, openDatabase, withClient } from './connection.ts';
import { countAhead } from './count-ahead.ts';
import { clearEvents, countEvents, listStreams, readSince, readStream, sampleEvents } from './events.ts';
import { examineStore } from './examine.ts';
import { openInspection } from './inspection.ts';
import { inspectStore } from './inspector.ts';
import { joinRestore, openRestore } from './loader.ts';
import { openMerge } from './merge.ts';
import { openFeed } from './open-feed.ts';
import { joinReader, parseToken } from './reader.ts';
import { openRepair } from './repair.ts';
import { createMissing } from './schema.ts';
import { dropFeed, readFeedState } from './slot.ts';
import { openSnapshot } from './snapshot.ts';
import { findSummary } from './summaries.ts';

/**
 * An event store in PostgreSQL 13 or newer, by its address: `postgres://user@host:5432/db?schema=public`. Nothing is
 * connected before the first call. The address must lead to the server itself, or to a pooler in session mode: locks
 * and settings belong to sessions. Throws `usage` or `store_unsupported` for what the address says.
 */
export function openPostgresStore(address: string): EventStore {
  const database = openDatabase(address);
  const { schema, shown } = database.address;
  return {
    address: shown,
    inspect: () => inspectStore(database),
    examine: () => examineStore(database),
    initialise: () =>
      withClient(database, (client) => inTransaction(client, 'BEGIN', () => createMissing(client, schema))),
    listStreams: (options) => listStreams(database, options),
    readStream: (streamId, options) => readStream(database, streamId, options),
    findStream: (streamId) => findSummary(database, streamId),
    readSince: (since, options) => readSince(database, since, options),
    sampleEvents: (size) => sampleEvents(database, size),
    count: () => countEvents(database),
    append: (appends) => appendEvents(database, appends),
    clear: () => clearEvents(database),
    openSnapshot: () => openSnapshot(database),
    joinSnapshot: async (token) => joinReader(database, parseToken(token)),
    openRestore: (options) => openRestore(database, options),
    joinRestore: (token) => joinRestore(database, token),
    openMerge: (options) => openMerge(database, options),
    openInspection: (options) => openInspection(database, options),
    openRepair: (options) => openRepair(database, options),
    openFeed: (options) => openFeed(database, options),
    feedState: () => readFeedState(database),
    countAhead: (place) => countAhead(database, place),
    dropFeed: () => dropFeed(database),
    close: () => closeDatabase(database),
  };
}
