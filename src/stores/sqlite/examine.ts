import type { DatabaseSync } from 'node:sqlite';
import { isBackupError } from '../../core/errors.ts';
import type { Obstacle, StoreExamination } from '../../core/examination.ts';
import type { SqliteConfig } from './config.ts';
import { withConnection } from './connection.ts';
import { assertRowids } from './feed.ts';
import { assertStore, rowKeyOf } from './inspector.ts';

/** Who can open the file can read all of it; a restore into it is one transaction, so a killed one leaves nothing. */
export function examineStore(config: SqliteConfig): StoreExamination {
  return withConnection(config, 'read', (db) => {
    assertStore(db, config);
    return {
      clockAheadMs: null,
      backupObstacles: obstacleOf(() => rowKeyOf(db, config)),
      feedObstacles: obstacleOf(() => assertRowids(rowKeyOf(db, config), config)),
      contractBreaches: describeIndexes(db, config),
      leftovers: [],
    };
  });
}

function obstacleOf(check: () => unknown): Obstacle[] {
  try {
    check();
    return [];
  } catch (error) {
    if (!isBackupError(error, 'store_unsupported')) throw error;
    return [{ message: error.message, hint: error.hint }];
  }
}

/** By its unique index no version of a stream is written twice. */
function describeIndexes(db: DatabaseSync, { layout: { events } }: SqliteConfig): Obstacle[] {
  const found = db
    .prepare(`SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = ?`)
    .all(events.table)
    .map(({ name }) => name);
  return events.indexes.flatMap(({ name, create }) =>
    found.includes(name)
      ? []
      : [{ message: `${events.table} has no index ${name}`, hint: create.replace(/\s+/g, ' ') }],
  );
}
