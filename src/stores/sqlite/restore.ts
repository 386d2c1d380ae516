import fs from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { BackupError } from '../../core/errors.ts';
import type { RestoreSession, RestoreSessionOptions } from '../../core/event-store.ts';
import { deleteCompanions, hasCompanions, writeCompanion } from './companions.ts';
import type { SqliteConfig } from './config.ts';
import { connect, createDatabase, rollBack } from './connection.ts';
import { guarded } from './errors.ts';
import { beginForeign, fillForeign, RESTORED } from './foreign-restore.ts';
import { hasEvents, isFilled, withLayout } from './inspector.ts';
import { assertInTransaction, openLoader, sharedVersion } from './loader.ts';
import {
  createIndexes,
  createTables,
  type DroppedObject,
  dropIndexesAndTriggers,
  dropTriggers,
  isNew,
  useWal,
} from './schema.ts';
import { quoted } from './sql.ts';
import { stagedConfig } from './staged.ts';
import { readSummaries } from './summaries.ts';

/** Memory for pages while loading: enough that the key's index stays in it for a million events or two. */
const CACHE_KIB = 65_536;

interface Attempt {
  readonly config: SqliteConfig;
  readonly db: DatabaseSync;
  /** This attempt made the file, and takes it away again when it is discarded. */
  readonly madeFile: boolean;
  /** There was nothing in the database, so its mode is for this attempt to choose. */
  readonly wasNew: boolean;
  /** Made again, as they were, once the events are loaded. */
  readonly dropped: readonly DroppedObject[];
  /** The events are EventCore's, and the store is one of others. */
  readonly adopt: boolean;
}

/**
 * One transaction from here to `publish`: SQLite itself makes it all or nothing, also when this process is killed. It
 * holds the database's one write lock, so writers wait; readers see what was there before (in WAL mode; in a
 * rollback-journal mode, which a new file has until it is published, they are told that the database is locked).
 */
export function openSqliteRestore(address: SqliteConfig, options: RestoreSessionOptions): RestoreSession {
  // Before anything is opened, which would take them away.
  const leftovers = findLeftovers(address);
  const config = withLayout(address);
  const attempt = begin(config, options);
  const { db } = attempt;
  const isForeign = config.layout.foreign !== null;
  let writing = false;
  const assertReady = (): void => {
    assertInTransaction(db, config);
    if (writing) throw new BackupError('internal', 'a writer of this restore has not ended');
  };
  return {
    token: null,
    discarded: leftovers,
    openWriter: async () => {
      assertReady();
      writing = true;
      return openLoader(db, isForeign ? stagedConfig(config, RESTORED) : config, () => {
        writing = false;
      });
    },
    writeCompanion: async (row) => {
      assertReady();
      return guarded(config.address, () => writeCompanion(db, config, row));
    },
    finishLoad: async (onStep) => {
      assertReady();
      await finishLoad(attempt, onStep);
    },
    readSummaries: () => readSummaries(db, config),
    publish: async () => {
      assertReady();
      publish(attempt);
    },
    discard: async () => discard(attempt),
  };
}

const JOURNAL_MAGIC = Buffer.from('d9d505f920a163d7', 'hex');

/** A journal that still has its header belongs to a writer at work, then no lock is to be had, or to a killed one. */
function findLeftovers({ path, address }: SqliteConfig): string[] {
  let file: number;
  try {
    file = fs.openSync(`${path}-journal`, 'r');
  } catch {
    return [];
  }
  try {
    const header = Buffer.alloc(JOURNAL_MAGIC.length);
    fs.readSync(file, header, 0, header.length, 0);
    return header.equals(JOURNAL_MAGIC)
      ? [`the unfinished transaction of a killed process in ${address}`]
      : [];
  } finally {
    fs.closeSync(file);
  }
}

function begin(config: SqliteConfig, { replace, adopt = false }: RestoreSessionOptions): Attempt {
  const { layout } = config;
  // Those of others are made by their own tools.
  const madeFile = layout.foreign === null && createDatabase(config);
  const db = connect(config, 'write');
  try {
    return guarded(config.address, () => {
      db.exec(`PRAGMA cache_size = -${CACHE_KIB}`);
      db.exec('BEGIN IMMEDIATE');
      const wasNew = isNew(db);
      const { table } = layout.events;
      const hasTable = hasEvents(db, config);
      if (!replace && ((hasTable && isFilled(db, table)) || hasCompanions(db, config)))
        throw notEmpty(config);
      const dropped = layout.foreign === null ? dropIndexesAndTriggers(db, table) : dropTriggers(db, table);
      if (hasTable) db.exec(`DELETE FROM ${quoted(table)}`);
      deleteCompanions(db, config);
      if (layout.foreign === null) createTables(db, layout);
      else beginForeign(db, config, layout.foreign);
      return { config, db, madeFile, wasNew, dropped, adopt };
    });
  } catch (error) {
    discard({ config, db, madeFile, wasNew: false, dropped: [], adopt });
    throw error;
  }
}

function notEmpty({ address }: SqliteConfig): BackupError {
  return new BackupError('target_not_empty', `${address} holds events or what belongs to them`, {
    hint: 'name another file, or pass --replace to put the backup in the place of all that is there',
  });
}

/**
 * Indexes are built once all rows are there, which costs a fraction of keeping them up to date on the way. Each step
 * holds this thread until it is done.
 */
async function finishLoad(
  { config, db, dropped, adopt }: Attempt,
  onStep: (step: string) => void = () => {},
): Promise<void> {
  const steps: (readonly [string, () => void])[] = dropped.map(({ type, name, create }) => {
    return [`making ${type} ${name}`, () => db.exec(create)];
  });
  const { layout } = config;
  if (layout.foreign === null) steps.push(['making what is missing', () => createIndexes(db, layout)]);
  else {
    const { foreign } = layout;
    steps.unshift([`writing into ${foreign.table}`, () => fillForeign(db, config, foreign, adopt)]);
  }
  for (const [step, make] of steps) {
    onStep(step);
    await nextTurn();
    assertInTransaction(db, config);
    guarded(config.address, () => {
      try {
        make();
      } catch (error) {
        throw (layout.foreign === null ? sharedVersion(db, config, error) : null) ?? error;
      }
    });
  }
}

function publish({ config, db, wasNew }: Attempt): void {
  guarded(config.address, () => db.exec('COMMIT'));
  try {
    if (wasNew) useWal(db);
    else db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  } catch {
    // A reader was quicker. The events are published; EventCore switches to WAL itself, and checkpoints as it goes.
  } finally {
    db.close();
  }
}

function discard({ config, db, madeFile }: Attempt): void {
  if (!db.isOpen) return;
  try {
    guarded(config.address, () => {
      rollBack(db);
      if (madeFile) removeFile(db, config);
    });
  } finally {
    db.close();
  }
}

/**
 * Takes the file away while it is locked and empty: another process that has opened it meanwhile is told by SQLite that
 * its file has moved, and writes nothing into a file that nobody will find. Killed before that, an empty file stays.
 */
function removeFile(db: DatabaseSync, config: SqliteConfig): void {
  try {
    db.exec('BEGIN EXCLUSIVE');
  } catch {
    return;
  }
  if (isNew(db)) fs.rmSync(config.path, { force: true });
  db.exec('ROLLBACK');
}
