import fs from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { BackupError } from '../../core/errors.ts';
import type { SqliteConfig } from './config.ts';
import { guarded } from './errors.ts';

/** How long to wait for another process to let go of its lock. The wait blocks this thread. */
const BUSY_TIMEOUT_MS = 2000;

/**
 * `read`: SQL on this connection can change nothing. The file is still opened for writing where its rights allow
 * that: only then can SQLite undo what a crash left half-written, and take away its own `-wal` and `-shm` files.
 */
export type Access = 'read' | 'write';

/** Whether there is a file. Throws `store_refused` for a folder and where that cannot be told. */
export function databaseExists(config: SqliteConfig): boolean {
  const stats = statFile(config);
  if (stats === null) return false;
  if (stats.isFile()) return true;
  throw new BackupError(
    'store_refused',
    `${config.address} is ${stats.isDirectory() ? 'a folder' : 'no file'}`,
    {
      hint: 'name the database file',
    },
  );
}

function statFile(config: SqliteConfig): fs.Stats | null {
  try {
    return fs.statSync(config.path, { throwIfNoEntry: false }) ?? null;
  } catch (error) {
    throw fileError(config, error);
  }
}

/**
 * Makes an empty file unless there is one; true when this call made it. An empty file is an empty database to SQLite.
 */
export function createDatabase(config: SqliteConfig): boolean {
  if (databaseExists(config)) return false;
  try {
    fs.closeSync(fs.openSync(config.path, 'wx'));
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    throw fileError(config, error);
  }
}

/** Opens a database that exists. Throws `not_an_event_store` when it does not, `store_unsupported` for UTF-16. */
export function connect(config: SqliteConfig, access: Access): DatabaseSync {
  if (!databaseExists(config)) {
    throw new BackupError('not_an_event_store', `${config.address} does not exist`, {
      hint: 'check the path; a store is made by EventCore, or by a restore',
    });
  }
  return guarded(config.address, () => {
    const url = pathToFileURL(config.path);
    url.searchParams.set('mode', 'rw');
    const db = new DatabaseSync(url, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: false });
    try {
      if (access === 'read') db.exec('PRAGMA query_only = ON');
      assertUtf8(db, config);
      return db;
    } catch (error) {
      db.close();
      throw error;
    }
  });
}

/** Runs `work` on a connection of its own. */
export function withConnection<Result>(
  config: SqliteConfig,
  access: Access,
  work: (db: DatabaseSync) => Result,
): Result {
  const db = connect(config, access);
  try {
    return guarded(config.address, () => work(db));
  } finally {
    db.close();
  }
}

/** Runs `work` in a transaction that no other writer shares; rolled back when it throws. */
export function inTransaction<Result>(db: DatabaseSync, work: () => Result): Result {
  db.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    db.exec('COMMIT');
    return result;
  } catch (error) {
    rollBack(db);
    throw error;
  }
}

/** SQLite has already rolled back by itself after some failures, a full disk among them. */
export function rollBack(db: DatabaseSync): void {
  if (db.isTransaction) db.exec('ROLLBACK');
}

/** In a UTF-16 database the bytes of a text are not those that every other place of this program works with. */
function assertUtf8(db: DatabaseSync, config: SqliteConfig): void {
  const encoding = db.prepare('PRAGMA encoding').get()?.encoding;
  if (encoding === 'UTF-8') return;
  throw new BackupError('store_unsupported', `${config.address} holds its texts as ${encoding}, not UTF-8`, {
    hint: 'copy it into a database made with `PRAGMA encoding = "UTF-8"`',
  });
}

function fileError(config: SqliteConfig, error: unknown): BackupError {
  const folder = path.dirname(config.path);
  if (hasCode(error, 'ENOENT')) {
    return new BackupError('store_refused', `the folder of ${config.address} does not exist`, {
      hint: `make it first: mkdir -p ${folder}`,
      cause: error,
    });
  }
  if (hasCode(error, 'ENOTDIR')) {
    return new BackupError('store_refused', `${config.address} names a file as if it were a folder`, {
      hint: `check each part of ${folder}`,
      cause: error,
    });
  }
  if (hasCode(error, 'ENOSPC') || hasCode(error, 'EDQUOT')) {
    return new BackupError('store_refused', `${config.address} cannot be made: the disk is full`, {
      hint: 'free space, then try again',
      cause: error,
    });
  }
  return new BackupError('store_refused', `${config.address} cannot be opened: ${(error as Error).message}`, {
    hint: `check the rights on ${folder}`,
    cause: error,
  });
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
