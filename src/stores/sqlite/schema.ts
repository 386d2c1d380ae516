import type { DatabaseSync } from 'node:sqlite';
import type { OwnSqliteLayout } from '../layouts/eventcore-sqlite.ts';
import { requireOwn, type SqliteConfig } from './config.ts';
import { createDatabase, inTransaction, withConnection } from './connection.ts';
import { hasEvents } from './inspector.ts';
import { quoted } from './sql.ts';

/** Makes the database file, the tables and the indexes that are missing. A new database gets WAL mode, as EventCore's. */
export function initialiseStore(config: SqliteConfig): void {
  const { layout } = requireOwn(config, 'its tables are made by its own tools');
  createDatabase(config);
  withConnection(config, 'write', (db) => {
    if (isNew(db)) useWal(db);
    hasEvents(db, config);
    inTransaction(db, () => {
      createTables(db, layout);
      createIndexes(db, layout);
    });
  });
}

/** True for a database with nothing in it, not even a table. */
export function isNew(db: DatabaseSync): boolean {
  return db.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() === undefined;
}

/** Lets readers and a writer go on side by side. A file system that cannot do that leaves the mode as it is. */
export function useWal(db: DatabaseSync): void {
  db.exec('PRAGMA journal_mode = WAL');
}

export function createTables(db: DatabaseSync, layout: OwnSqliteLayout): void {
  for (const { table, create } of [layout.events, ...layout.companions]) {
    if (!exists(db, 'table', table)) db.exec(create);
  }
}

export function createIndexes(
  db: DatabaseSync,
  layout: OwnSqliteLayout,
  onIndex: (name: string) => void = () => {},
): void {
  for (const { name, create } of layout.events.indexes) {
    if (exists(db, 'index', name)) continue;
    onIndex(name);
    db.exec(create);
  }
}

function exists(db: DatabaseSync, type: 'table' | 'index', name: string): boolean {
  const found = db
    .prepare('SELECT 1 FROM sqlite_schema WHERE type = ? AND name = ? COLLATE NOCASE')
    .get(type, name);
  return found !== undefined;
}

/** An index or a trigger that can be made again from its text. */
export interface DroppedObject {
  readonly type: 'index' | 'trigger';
  readonly name: string;
  readonly create: string;
}

/** Takes away the indexes and triggers of a table, those of its keys excepted, and says how to make them again. */
export function dropIndexesAndTriggers(db: DatabaseSync, table: string): DroppedObject[] {
  return dropObjects(db, table, `type IN ('index', 'trigger')`);
}

export function dropTriggers(db: DatabaseSync, table: string): DroppedObject[] {
  return dropObjects(db, table, `type = 'trigger'`);
}

function dropObjects(db: DatabaseSync, table: string, which: string): DroppedObject[] {
  const found = db
    .prepare(
      `SELECT type, name, sql FROM sqlite_schema
       WHERE tbl_name = ? COLLATE NOCASE AND ${which} AND sql IS NOT NULL ORDER BY rowid`,
    )
    .all(table);
  return found.map(({ type, name, sql }) => {
    db.exec(`DROP ${type} ${quoted(String(name))}`);
    return { type: type === 'index' ? 'index' : 'trigger', name: String(name), create: String(sql) };
  });
}
