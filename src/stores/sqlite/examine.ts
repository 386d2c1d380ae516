import { isBackupError } from '../../core/errors.ts';
import type { Obstacle, StoreExamination } from '../../core/examination.ts';
import { requireOwn, type SqliteConfig } from './config.ts';
import { withConnection } from './connection.ts';
import { assertRowids, NO_LOG } from './feed.ts';
import { assertStore, rowKeyOf } from './inspector.ts';

/** Who can open the file can read all of it; a restore into it is one transaction, so a killed one leaves nothing. */
export function examineStore(config: SqliteConfig): StoreExamination {
  return withConnection(config, 'read', (db) => {
    assertStore(db, config);
    return {
      clockAheadMs: null,
      backupObstacles: obstacleOf(() => rowKeyOf(db, config)),
      feedObstacles: obstacleOf(() => {
        requireOwn(config, NO_LOG);
        assertRowids(rowKeyOf(db, config), config);
      }),
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
