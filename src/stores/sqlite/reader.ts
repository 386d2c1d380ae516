import fs from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { throwIfAborted } from '../../core/errors.ts';
import type { EventBatch } from '../../core/event-batch.ts';
import type { StoreCursor, StoreSnapshot } from '../../core/event-store.ts';
import { readCompanions } from './companions.ts';
import type { SqliteConfig } from './config.ts';
import { connect, rollBack } from './connection.ts';
import { guarded } from './errors.ts';
import { assertStore, rowKeyOf } from './inspector.ts';
import { quoted } from './sql.ts';
import { batchMaker } from './window-batch.ts';
import { chooseWindows, readWindow, unsupportedEvent, type WindowSource } from './windows.ts';

/**
 * A read transaction, held until the snapshot is closed. In WAL mode (EventCore's) writers go on meanwhile, though the
 * `-wal` file cannot shrink; in a rollback-journal mode they wait.
 *
 * Values come as bytes, whatever their storage class: a BLOB in a text column is restored as TEXT of the same bytes.
 */
export function openSqliteSnapshot(config: SqliteConfig): StoreSnapshot {
  const db = connect(config, 'read');
  const { address } = config;
  try {
    return guarded(address, () => {
      db.exec('BEGIN');
      assertStore(db, config);
      const source: WindowSource = { db, table: config.layout.events, rowKey: rowKeyOf(db, config) };
      return {
        token: null,
        cursor: readCursor(source, config),
        estimate: async () => guarded(address, () => estimate(source)),
        planRanges: async () => [{ index: 0, spec: 'all' }],
        readRange: (_range, options) => readBatches(source, address, options),
        readCompanions: () => readCompanions(db, config),
        close: async () => closeSnapshot(db),
      };
    });
  } catch (error) {
    closeSnapshot(db);
    throw error;
  }
}

function closeSnapshot(db: DatabaseSync): void {
  if (!db.isOpen) return;
  rollBack(db);
  db.close();
}

async function* readBatches(
  source: WindowSource,
  address: string,
  { batchBytes, signal }: { batchBytes: number; signal?: AbortSignal },
): AsyncGenerator<EventBatch> {
  const makeBatch = batchMaker();
  const windows = chooseWindows(source, batchBytes);
  for (;;) {
    throwIfAborted(signal);
    const batch = guarded(address, () => {
      const window = windows.next();
      if (window.done) return null;
      const { events, range } = window.value;
      const made = makeBatch(readWindow(source, range), events);
      if (made === null) throw unsupportedEvent(source, range, address);
      return made;
    });
    if (batch === null) return;
    yield batch;
    // SQLite works in this thread: signals, timers and the thread pool's results come through here.
    await nextTurn();
  }
}

/** The greatest rowid is where a later reading could begin; file and schema tell whether it is still the same store. */
function readCursor({ db, table, rowKey }: WindowSource, config: SqliteConfig): StoreCursor {
  const { dev, ino } = fs.statSync(config.path, { bigint: true });
  const last =
    rowKey === 'id'
      ? null
      : db.prepare(`SELECT CAST(max(_rowid_) AS TEXT) AS last FROM ${quoted(table.table)}`).get()?.last;
  return {
    kind: 'sqlite',
    file: `${dev}:${ino}`,
    schemaVersion: Number(db.prepare('PRAGMA schema_version').get()?.schema_version),
    maxRowid: typeof last === 'string' ? last : null,
  };
}

/** Rows at each end of the table that are measured for an estimate. */
const MEASURED_ROWS = 128;

/** Takes rowids as if none were missing, and the first and the last events as if they were typical. */
function estimate({ db, table, rowKey }: WindowSource): { events: number | null; bytes: number | null } {
  if (rowKey === 'id') return { events: null, bytes: null };
  const from = quoted(table.table);
  const size = Object.values(table.columns)
    .map((name) => `ifnull(octet_length(${quoted(name)}), 0)`)
    .join(' + ');
  const ends = ['ASC', 'DESC'].map(
    (order) =>
      `SELECT * FROM (SELECT ${size} AS size FROM ${from} ORDER BY _rowid_ ${order} LIMIT ${MEASURED_ROWS})`,
  );
  const row = db
    .prepare(
      `SELECT (SELECT CAST(max(_rowid_) AS REAL) FROM ${from}) - (SELECT min(_rowid_) FROM ${from}) + 1 AS events,
              (SELECT avg(size) FROM (${ends.join(' UNION ALL ')})) AS mean`,
    )
    .get();
  const events = Math.round(Number(row?.events ?? 0));
  return { events, bytes: Math.round(events * Number(row?.mean ?? 0)) };
}
