import type { DatabaseSync } from 'node:sqlite';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { BackupError } from '../../core/errors.ts';
import type { MergedStream, MergeOptions, MergeSession } from '../../core/event-store.ts';
import { nameText } from '../../core/name-text.ts';
import { requireOwn, type SqliteConfig } from './config.ts';
import { connect, rollBack } from './connection.ts';
import { CONSTRAINT, guarded, resultCode, storeError } from './errors.ts';
import { hasEvents } from './inspector.ts';
import { assertInTransaction, openLoader } from './loader.ts';
import { quoted } from './sql.ts';
import { createStaged, stagedConfig } from './staged.ts';

const STAGED = 'eventcore_merge';
const STREAMS_PER_TURN = 1000;

/**
 * What is written goes into a temporary table, which locks nothing; one transaction then compares and adds. It holds the
 * database's one write lock from the comparison on, unless it is only to compare.
 */
export function openSqliteMerge(config: SqliteConfig, { dryRun }: MergeOptions): MergeSession {
  const { address } = requireOwn(config, 'nothing is merged into a store in use');
  const db = connect(config, 'write');
  const staged = stagedConfig(config, STAGED);
  try {
    guarded(address, () => begin(db, config));
  } catch (error) {
    db.close();
    throw error;
  }
  return {
    openWriter: async () => {
      guarded(address, () => db.exec('BEGIN'));
      const writer = openLoader(db, staged, () => {});
      return {
        ...writer,
        end: async () => {
          await writer.end();
          guarded(address, () => db.exec('COMMIT'));
        },
        abort: async () => {
          await writer.abort();
          if (db.isOpen) rollBack(db);
        },
      };
    },
    compare: () => compare(db, config, dryRun),
    publish: async () => {
      assertInTransaction(db, config);
      return guarded(address, () => publish(db, config));
    },
    discard: async () => {
      if (!db.isOpen) return;
      try {
        rollBack(db);
      } finally {
        db.close();
      }
    },
  };
}

function begin(db: DatabaseSync, config: SqliteConfig): void {
  const { table } = config.layout.events;
  if (!hasEvents(db, config)) {
    throw new BackupError('not_an_event_store', `${config.address} has no table ${table}`, {
      hint: 'restore without --merge: that makes the store',
    });
  }
  createStaged(db, STAGED);
}

/** SQL names of what is compared: `s` is what was written, `l` the store's event at the same place. */
function names({ layout }: SqliteConfig) {
  const { table, columns } = layout.events;
  const [id, stream, version] = [columns.id, columns.stream, columns.version].map(quoted);
  const live = `main.${quoted(table)}`;
  const joined = `temp.${STAGED} s LEFT JOIN ${live} l ON l.${stream} = s.${stream} AND l.${version} = s.${version}`;
  const all = Object.values(columns).map(quoted);
  return { id, stream, version, live, joined, all };
}

async function* compare(
  db: DatabaseSync,
  config: SqliteConfig,
  dryRun: boolean,
): AsyncGenerator<MergedStream> {
  const { id, stream, version, live, joined } = names(config);
  const isMissing = `l.${id} IS NULL`;
  // SQLite is case-sensitive where a UUID is not.
  const isConflict = `lower(l.${id}) <> lower(s.${id}) OR (${isMissing} AND EXISTS (SELECT 1 FROM ${live} o WHERE o.${id} = s.${id}))`;
  try {
    db.exec(dryRun ? 'BEGIN' : 'BEGIN IMMEDIATE');
    const statement = db.prepare(
      `SELECT CAST(s.${stream} AS BLOB), count(*), count(*) FILTER (WHERE ${isMissing}),
              min(s.${version}) FILTER (WHERE ${isMissing}), max(s.${version}) FILTER (WHERE ${isMissing}),
              (SELECT max(m.${version}) FROM ${live} m WHERE m.${stream} = s.${stream}),
              min(s.${version}) FILTER (WHERE ${isConflict})
         FROM ${joined} GROUP BY s.${stream} ORDER BY s.${stream}`,
    );
    statement.setReturnArrays(true);
    let read = 0;
    for (const row of statement.iterate()) {
      yield toMerged(row as unknown as readonly unknown[]);
      read += 1;
      if (read % STREAMS_PER_TURN === 0) await nextTurn();
    }
  } catch (error) {
    throw storeError(config.address, error);
  }
}

function toMerged([
  name,
  written,
  missing,
  first,
  last,
  storeLast,
  conflict,
]: readonly unknown[]): MergedStream {
  const numberOf = (value: unknown): number | null => (value === null ? null : Number(value));
  return {
    streamId: nameText(name as Uint8Array),
    written: Number(written),
    missing: Number(missing),
    firstMissing: numberOf(first),
    lastMissing: numberOf(last),
    storeLast: numberOf(storeLast),
    conflictAt: numberOf(conflict),
  };
}

/** In the order of the streams' versions, so that those who follow the store by its rows see each stream in order. */
function publish(db: DatabaseSync, config: SqliteConfig): number {
  const { id, stream, version, live, joined, all } = names(config);
  const columns = all.join(', ');
  const values = all.map((name) => `s.${name}`).join(', ');
  const added = insertMissing(
    db,
    config,
    `INSERT INTO ${live} (${columns}) SELECT ${values} FROM ${joined}
      WHERE l.${id} IS NULL ORDER BY s.${stream}, s.${version}`,
  );
  const changed = db
    .prepare(
      `SELECT count(*) AS rows FROM ${joined} WHERE l.${id} IS NULL OR lower(l.${id}) <> lower(s.${id})`,
    )
    .get();
  if (changed?.rows !== 0) {
    throw new BackupError('store_refused', `${config.address} did not keep the events as they were given`, {
      hint: `look at the triggers of ${config.layout.events.table}; nothing was added`,
    });
  }
  db.exec('COMMIT');
  return added;
}

function insertMissing(db: DatabaseSync, { address }: SqliteConfig, sql: string): number {
  try {
    return Number(db.prepare(sql).run().changes);
  } catch (error) {
    if (((resultCode(error) ?? 0) & 0xff) !== CONSTRAINT) throw error;
    throw new BackupError(
      'value_not_storable',
      `${address} does not take the events: ${(error as Error).message}`,
      {
        hint: 'nothing was added; the backup may hold two events of one version, see `eventcore show`',
        cause: error,
      },
    );
  }
}
