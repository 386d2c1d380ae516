import { EMMETT_SQLITE } from './emmett-sqlite.ts';
import { EVENTCORE_SQLITE, type SqliteLayout } from './eventcore-sqlite.ts';
import type { SqliteForeignLayout } from './foreign-sqlite.ts';

const FOREIGN: readonly SqliteForeignLayout[] = [EMMETT_SQLITE];

/** Layouts for SQLite, in the order in which they are looked for. */
export const SQLITE_LAYOUTS: readonly SqliteLayout[] = [EVENTCORE_SQLITE, ...FOREIGN.map(layoutOf)];

/** Events of others are read with the columns that EventCore's have. */
function layoutOf(foreign: SqliteForeignLayout): SqliteLayout {
  const { name, versionBase, table, companions } = foreign;
  return {
    ...{ name, versionBase, foreign },
    events: { table, columns: EVENTCORE_SQLITE.events.columns },
    companions: companions.map((companion) => ({ table: companion.name, role: companion.role })),
  };
}
