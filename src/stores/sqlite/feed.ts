import path from 'node:path';
import type { ChangeFeed, FeedOptions, FeedSource, FeedState } from '../../core/change-feed.ts';
import { BackupError } from '../../core/errors.ts';
import { makeAlarm, readPolled } from '../../core/polled-feed.ts';
import { requireOwn, type SqliteConfig } from './config.ts';
import { rollBack, withConnection } from './connection.ts';
import { guarded } from './errors.ts';
import { fileIdentity, storeIdentity, TIMELINE_EPOCH_MS } from './feed-identity.ts';
import { pollChanges } from './feed-poll.ts';
import { type FeedRows, feedLost, feedRows, idAt, maxRowid, type Place } from './feed-rows.ts';
import { assertStore, connectStore, rowKeyOf } from './inspector.ts';

/** How late a commit of another process is seen at most, before it lingers. A look costs some microseconds. */
const POLL_MS = 25;
/** A lock of another process is waited for in the event loop, not in SQLite, which would hold this thread up. */
const BUSY_TIMEOUT_MS = 5;
export const NO_LOG = 'its change log is not captured; incremental backups are exact';

export interface SqliteFeed extends ChangeFeed {
  /** Something was committed by this process. */
  readonly wake: () => void;
}

/**
 * Follows the events table by its rowids. It is exact because SQLite has one writer at a time and gives a new row the greatest
 * rowid + 1: while nothing is taken away, rowids ascend with the commits, and a view that shows rowid M shows every row below M that
 * there will ever be. What breaks this is found out, never passed over:
 *
 * - The rows with the greatest rowids were deleted: SQLite gives their numbers again. In each view that is read, the row at which
 *   the feed stands must still be the event that it was; so must, between the pages of a poll, the row with which the poll ends.
 * - VACUUM has numbered rows anew, which it may where they have no INTEGER PRIMARY KEY: the same look finds it, since a row that
 *   moved is not where it was. Where no row has moved nothing has changed.
 * - Rows below were deleted, or written with a rowid of the writer's choice: their number no longer agrees. They are counted now and
 *   then, since counting takes its time (`feed-poll.ts`).
 * - The greatest possible rowid is taken: SQLite then chooses numbers by chance, and the store is refused.
 *
 * All of this is `feed_lost`. An event that is changed in place is not seen: `verify --against-store` sees it.
 *
 * SQLite keeps no borders of transactions. What one poll finds is shown as one transaction; its rows are those of one view, so
 * none of the store's own transactions is cut. Its time is that of the poll: the store's commits were not later.
 */
export function openSqliteFeed(config: SqliteConfig, options: FeedOptions): SqliteFeed {
  requireOwn(config, NO_LOG);
  const db = connectStore(config, 'read');
  try {
    return guarded(config.address, () => {
      assertRowids(rowKeyOf(db, config), config);
      const rows = feedRows(db, config);
      db.exec('BEGIN');
      const { source, place } = begin(rows, options);
      db.exec('COMMIT');
      db.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
      return makeFeed(rows, source, place);
    });
  } catch (error) {
    rollBack(db);
    db.close();
    throw error;
  }
}

/** Null for a store of others: no feed is ever opened there. The file keeps every event, whether a feed has read it or not. What other processes read cannot be told. */
export function feedState(config: SqliteConfig, isRead: boolean): FeedState | null {
  if (config.layout.foreign !== null) return null;
  const position = withConnection(config, 'read', (db) => {
    assertStore(db, config);
    return maxRowid(feedRows(db, config)) + 1n;
  });
  return { position, acknowledged: null, retainedBytes: null, spareBytes: null, isRead };
}

export function assertRowids(rowKey: '_rowid_' | 'id', { address, layout }: SqliteConfig): void {
  if (rowKey === '_rowid_') return;
  throw new BackupError('store_unsupported', `table ${layout.events.table} of ${address} has no rowids`, {
    hint: 'without them SQLite keeps no order of commits that a change log could follow; take incremental backups',
  });
}

function begin(rows: FeedRows, options: FeedOptions): { source: FeedSource; place: Place } {
  const { resumeAt, lastEventId } = options;
  const source = sourceOf(rows, options);
  if (resumeAt === null) {
    const rowid = maxRowid(rows);
    return { source, place: { rowid, id: idAt(rows, rowid) } };
  }
  const rowid = resumeAt - 1n;
  const found = idAt(rows, rowid);
  const expected = lastEventId ?? found;
  if (rowid > 0n && (found === null || found !== expected)) throw feedLost(rows, { rowid, id: expected });
  return { source, place: { rowid, id: found } };
}

/**
 * A log that is gone on with keeps its source. A new one gets a timeline later than any before it: positions of an earlier log of
 * the same store may come again for other events, for instance after a restore in its place.
 */
function sourceOf(rows: FeedRows, { resumeAt, source: known, lastEventId }: FeedOptions): FeedSource {
  const { config } = rows;
  const identities = [storeIdentity(rows), fileIdentity(config)].filter((identity) => identity !== null);
  const relation = config.layout.events.table;
  if (resumeAt !== null && known !== null) {
    // By its last event a log is told better than by anything else, wherever the file was moved to since.
    const isSame = lastEventId !== null || identities.includes(known.systemIdentifier);
    if (isSame && known.kind === 'sqlite' && known.relation === relation) return known;
    throw new BackupError('feed_lost', `${config.address} is not the store that the log is of`, {
      hint: 'check the address; for another store take another vault, or a new full backup and a log of its own',
      facts: { systemIdentifier: identities[0]!, expected: known.systemIdentifier },
    });
  }
  const seconds = Math.floor((Date.now() - TIMELINE_EPOCH_MS) / 1000);
  return {
    kind: 'sqlite',
    systemIdentifier: identities[0]!,
    timeline: Math.max(seconds, (known?.timeline ?? 0) + 1),
    database: path.basename(config.path),
    relation,
  };
}

function makeFeed(rows: FeedRows, source: FeedSource, place: Place): SqliteFeed {
  const alarm = makeAlarm();
  const changes = pollChanges(rows, place);
  let isClosed = false;
  return {
    source,
    from: place.rowid + 1n,
    wake: alarm.ring,
    read: (options) => readPolled({ changes, alarm, pollMs: POLL_MS, isClosed: () => isClosed }, options),
    // The rows are the store's own: it keeps them whatever the log has.
    acknowledge: async () => {},
    close: async () => {
      if (isClosed) return;
      isClosed = true;
      rows.db.close();
      alarm.ring();
    },
  };
}
