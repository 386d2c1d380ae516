import type pg from 'pg';
import type { CustomMappings } from '../../core/custom-mapping.ts';
import type { EventStore } from '../../core/event-store.ts';
import { appendEvents } from './append.ts';
import { findLayout, requireOwn } from './catalog.ts';
import type { PostgresAddress } from './config.ts';
import {
  closeDatabase,
  type Database,
  inTransaction,
  leaveConnection,
  openDatabase,
  openShared,
  withClient,
} from './connection.ts';
import { countAhead } from './count-ahead.ts';
import { findCustomLayout } from './custom-check.ts';
import { customLayout } from './custom-layout.ts';
import { clearEvents, countEvents, listStreams, readSince, readStream, sampleEvents } from './events.ts';
import { examineStore } from './examine.ts';
import { openInspection } from './inspection.ts';
import { inspectStore } from './inspector.ts';
import { joinRestore, openRestore } from './loader.ts';
import { openMerge } from './merge.ts';
import { openFeed } from './open-feed.ts';
import { joinPart } from './part-writer.ts';
import { isPooled } from './pooler.ts';
import { joinReader, parseToken } from './reader.ts';
import { openRepair } from './repair.ts';
import { createMissing } from './schema.ts';
import { toBackupError } from './server-error.ts';
import { dropFeed, readFeedState } from './slot.ts';
import { openSnapshot } from './snapshot.ts';
import { findSummary } from './summaries.ts';

/**
 * An event store in PostgreSQL 13 or newer, by its address: `postgres://user@host:5432/db?schema=public`. Nothing is
 * connected before the first call. Where the address leads to a pooler in transaction mode, what needs a session is refused. `layouts`: what `?layout=` may name besides the layouts that are known. Throws `usage` or `store_unsupported` for what the address says.
 */
export function openPostgresStore(address: string, layouts: CustomMappings = {}): EventStore {
  const database = openDatabase(address, layouts);
  /** Whose tables they are is known before anything is done with them. */
  const known =
    <Given extends unknown[], Result>(work: (database: Database, ...given: Given) => Promise<Result>) =>
    async (...given: Given): Promise<Result> => {
      await settleLayout(database);
      return work(database, ...given);
    };
  const knownPages = <Given extends unknown[], Item>(
    read: (database: Database, ...given: Given) => AsyncGenerator<Item>,
  ) =>
    async function* (...given: Given): AsyncGenerator<Item> {
      await settleLayout(database);
      yield* read(database, ...given);
    };
  return {
    address: database.address.shown,
    inspect: known(inspectStore),
    examine: known(examineStore),
    initialise: known(initialise),
    listStreams: knownPages(listStreams),
    readStream: known(readStream),
    findStream: known(findSummary),
    readSince: knownPages(readSince),
    sampleEvents: known(sampleEvents),
    count: known(countEvents),
    append: known(appendEvents),
    clear: known(clearEvents),
    openSnapshot: known(openSnapshot),
    joinSnapshot: known((_, token: string) => joinReader(database, parseToken(token))),
    openRestore: known(openRestore),
    joinRestore: known(joinRestore),
    joinPart: known(joinPart),
    openMerge: known(openMerge),
    openInspection: known(openInspection),
    openRepair: known(openRepair),
    openFeed: known(openFeed),
    feedState: known(readFeedState),
    countAhead: known(countAhead),
    dropFeed: known(dropFeed),
    close: () => closeDatabase(database),
  };
}

/** Asked once, by a connection that does not stay; a failure to ask is told, and asked again. */
async function settleLayout(database: Database): Promise<void> {
  if (database.address.isLayoutNamed) return;
  const client = await openShared(database);
  try {
    // Also before anything else is done: a pool in statement mode refuses it.
    const look = (): Promise<PostgresAddress> => lookForLayout(client, database.address);
    database.address = isPooled(client) ? await inTransaction(database, client, 'BEGIN', look) : await look();
  } catch (error) {
    throw toBackupError(error, database.address.shown);
  } finally {
    leaveConnection(database, client);
  }
}

async function lookForLayout(client: pg.Client, address: PostgresAddress): Promise<PostgresAddress> {
  const { custom, schema } = address;
  if (custom === null) return { ...(await findLayout(client, address)), isLayoutNamed: true };
  const foreign = await findCustomLayout(client, schema, custom.name, custom.mapping);
  // Where its table is not there yet, it is looked for again: its types are not known.
  return foreign === null
    ? { ...address, foreign: customLayout(custom.name, custom.mapping, new Map(), []) }
    : { ...address, foreign, isLayoutNamed: true };
}

function initialise(database: Database): Promise<void> {
  const { address } = database;
  requireOwn(address, 'its tables are made by its own tools');
  return withClient(database, (client) =>
    inTransaction(database, client, 'BEGIN', () => createMissing(client, address.schema)),
  );
}
