import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { TestContext } from 'node:test';
import type { EventBatch, Spans } from '../../../src/core/event-batch.ts';
import { spanBytes } from '../../../src/core/event-batch.ts';
import type { EventStore } from '../../../src/core/event-store.ts';
import { openSqliteStore } from '../../../src/stores/sqlite/store.ts';

/** What EventCore's SQLite backend runs when it opens and migrates a database, told from its documentation and code. */
const EVENTCORE_MIGRATION = `
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS eventcore_events (event_id TEXT PRIMARY KEY, stream_id TEXT NOT NULL,
  stream_version INTEGER NOT NULL, event_type TEXT NOT NULL, event_data TEXT NOT NULL,
  metadata TEXT NOT NULL DEFAULT '{}', created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')));
CREATE UNIQUE INDEX IF NOT EXISTS idx_eventcore_events_stream_version ON eventcore_events (stream_id, stream_version);
CREATE INDEX IF NOT EXISTS idx_eventcore_events_stream_id ON eventcore_events (stream_id);
CREATE TABLE IF NOT EXISTS eventcore_subscription_versions (subscription_name TEXT PRIMARY KEY,
  last_position TEXT NOT NULL, updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')));
CREATE TABLE IF NOT EXISTS eventcore_command_state_snapshots (snapshot_id TEXT PRIMARY KEY,
  snapshot_data TEXT NOT NULL, updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')));`;

export interface TemporaryStore {
  readonly store: EventStore;
  readonly folder: string;
  readonly file: string;
  readonly address: string;
  /** A connection of the test's own, which makes the file; closed with the test. */
  connect(): DatabaseSync;
  /** A connection to a database that EventCore made. */
  migrate(): DatabaseSync;
  /** Names of the files in the store's folder. */
  files(): string[];
}

/** A place for a store in a folder of its own, which is gone after the test. */
export function temporaryStore(t: TestContext, name = 'events.db'): TemporaryStore {
  const folder = mkdtempSync(path.join(tmpdir(), 'eventcore-sqlite-'));
  const file = path.join(folder, name);
  const address = `sqlite:${file}`;
  const store = openSqliteStore(address);
  const connections: DatabaseSync[] = [];
  t.after(async () => {
    await store.close();
    for (const db of connections) if (db.isOpen) db.close();
    rmSync(folder, { recursive: true });
  });
  const connect = (): DatabaseSync => {
    const db = new DatabaseSync(file, { timeout: 100 });
    db.exec('PRAGMA synchronous = OFF');
    connections.push(db);
    return db;
  };
  const migrate = (): DatabaseSync => {
    const db = connect();
    db.exec(EVENTCORE_MIGRATION);
    return db;
  };
  return { store, folder, file, address, connect, migrate, files: () => readdirSync(folder).sort() };
}

/** One event as the bytes that a batch holds of it. */
export interface RawEvent {
  readonly id: string;
  readonly stream: string;
  readonly version: number;
  readonly type: string;
  readonly data: string | null;
  readonly metadata: string | null;
  readonly time: bigint;
  readonly timeText: string | null;
}

/** The events of a batch with their bytes in hexadecimal, so that nothing is lost on the way to a comparison. */
export function rawEvents(batch: EventBatch): RawEvent[] {
  const hex = (spans: Spans, row: number): string | null => {
    const bytes = spanBytes(batch, spans, row);
    return bytes === null ? null : Buffer.from(bytes).toString('hex');
  };
  return Array.from({ length: batch.count }, (_, row) => {
    const timeText = batch.timeTexts?.get(row);
    return {
      id: hex(batch.id, row)!,
      stream: hex(batch.stream, row)!,
      version: batch.versions[row]!,
      type: hex(batch.type, row)!,
      data: hex(batch.data, row),
      metadata: hex(batch.metadata, row),
      time: batch.times[row]!,
      timeText: timeText === undefined ? null : Buffer.from(timeText).toString('hex'),
    };
  });
}

/** All events of a store, in the order in which a snapshot reads them. */
export async function readRaw(store: EventStore, batchBytes = 65_536): Promise<RawEvent[]> {
  const snapshot = await store.openSnapshot();
  const events: RawEvent[] = [];
  try {
    for (const range of await snapshot.planRanges(1)) {
      for await (const batch of snapshot.readRange(range, { batchBytes })) events.push(...rawEvents(batch));
    }
  } finally {
    await snapshot.close();
  }
  return events;
}

export function toHex(text: string): string {
  return Buffer.from(text).toString('hex');
}
