import type { CompanionRole } from '../../core/event-store.ts';
import type { SqliteForeignLayout } from './foreign-sqlite.ts';

/** How a store's tables are shaped in SQLite: EventCore's, which this program can make, or those of others. */
export type SqliteLayout = OwnSqliteLayout | ForeignSqliteLayout;

export interface OwnSqliteLayout extends Tables<OwnEventsTable, SqliteCompanionTable & Created> {
  readonly foreign: null;
}

/** As its events are read: with the columns of EventCore's. */
export interface ForeignSqliteLayout extends Tables<SqliteEventsTable, SqliteCompanionTable> {
  readonly foreign: SqliteForeignLayout;
}

interface Tables<Events, Companion> {
  readonly name: string;
  readonly versionBase: 0 | 1;
  readonly events: Events;
  /** Tables that belong to the events, in the order in which they are backed up. */
  readonly companions: readonly Companion[];
}

export interface SqliteEventsTable {
  readonly table: string;
  readonly columns: Readonly<
    Record<'id' | 'stream' | 'version' | 'type' | 'data' | 'metadata' | 'time', string>
  >;
}

interface OwnEventsTable extends SqliteEventsTable, Created {
  readonly indexes: readonly SqliteIndex[];
}

interface Created {
  readonly create: string;
}

export interface SqliteIndex {
  readonly name: string;
  readonly unique: boolean;
  readonly columns: readonly string[];
  readonly create: string;
}

export interface SqliteCompanionTable {
  readonly table: string;
  readonly role: CompanionRole;
}

/** What the columns for times hold when nothing is given. */
const NOW = `(strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))`;

/**
 * The tables that EventCore's SQLite backend makes when it migrates a database (eventcore-sqlite 2.0). They must
 * stay equal in every column, default, key and index name: EventCore goes on with a restored database.
 */
export const EVENTCORE_SQLITE: OwnSqliteLayout = {
  foreign: null,
  name: 'eventcore',
  versionBase: 1,
  events: {
    table: 'eventcore_events',
    columns: {
      id: 'event_id',
      stream: 'stream_id',
      version: 'stream_version',
      type: 'event_type',
      data: 'event_data',
      metadata: 'metadata',
      time: 'created_at',
    },
    create: `CREATE TABLE eventcore_events (
  event_id TEXT PRIMARY KEY,
  stream_id TEXT NOT NULL,
  stream_version INTEGER NOT NULL,
  event_type TEXT NOT NULL,
  event_data TEXT NOT NULL,
  metadata TEXT NOT NULL DEFAULT '{}',
  created_at TEXT NOT NULL DEFAULT ${NOW}
)`,
    indexes: [
      {
        name: 'idx_eventcore_events_stream_version',
        unique: true,
        columns: ['stream_id', 'stream_version'],
        create: `CREATE UNIQUE INDEX idx_eventcore_events_stream_version
  ON eventcore_events (stream_id, stream_version)`,
      },
      {
        name: 'idx_eventcore_events_stream_id',
        unique: false,
        columns: ['stream_id'],
        create: 'CREATE INDEX idx_eventcore_events_stream_id ON eventcore_events (stream_id)',
      },
    ],
  },
  companions: [
    {
      table: 'eventcore_subscription_versions',
      role: 'checkpoints',
      create: `CREATE TABLE eventcore_subscription_versions (
  subscription_name TEXT PRIMARY KEY,
  last_position TEXT NOT NULL,
  updated_at TEXT NOT NULL DEFAULT ${NOW}
)`,
    },
    {
      table: 'eventcore_command_state_snapshots',
      role: 'snapshots',
      create: `CREATE TABLE eventcore_command_state_snapshots (
  snapshot_id TEXT PRIMARY KEY,
  snapshot_data TEXT NOT NULL,
  updated_at TEXT NOT NULL DEFAULT ${NOW}
)`,
    },
  ],
};

/**
 * What repairs changed, as it was before. Ours, not EventCore's: made by the first repair, neither backed up nor replaced by a
 * restore.
 */
export const SQLITE_REPAIRS = {
  table: 'eventcore_repairs',
  create: `CREATE TABLE eventcore_repairs (
  entry INTEGER PRIMARY KEY,
  repair_id TEXT NOT NULL,
  repaired_at TEXT NOT NULL DEFAULT ${NOW},
  repaired_by TEXT,
  kind TEXT NOT NULL,
  reason TEXT NOT NULL,
  stream_id TEXT,
  stream_version INTEGER,
  event_id TEXT,
  row_before TEXT,
  sha256_after TEXT
)`,
} as const;
