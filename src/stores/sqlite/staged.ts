import type { DatabaseSync } from 'node:sqlite';
import { EVENTCORE_SQLITE } from '../layouts/eventcore-sqlite.ts';
import type { OwnSqliteConfig, SqliteConfig } from './config.ts';
import { quoted } from './sql.ts';

/** Where events are written to before they are put into the store: a temporary table of a connection with EventCore's columns and none of its rules. */
export function stagedConfig(config: SqliteConfig, table: string): OwnSqliteConfig {
  const events = { ...EVENTCORE_SQLITE.events, table };
  return { ...config, layout: { ...EVENTCORE_SQLITE, events } };
}

/** It is on disk when it is large, and gone when the connection is. */
export function createStaged(db: DatabaseSync, table: string): void {
  const { columns } = EVENTCORE_SQLITE.events;
  const typed = Object.values(columns).map((name) => {
    return `${quoted(name)} ${name === columns.version ? 'INTEGER' : 'TEXT'}`;
  });
  db.exec(`CREATE TEMP TABLE ${quoted(table)} (${typed.join(', ')})`);
}
