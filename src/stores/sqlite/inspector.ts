import type { DatabaseSync } from 'node:sqlite';
import { BackupError } from '../../core/errors.ts';
import type { StoreDescription } from '../../core/event-store.ts';
import type { SqliteCompanionTable } from '../layouts/eventcore-sqlite.ts';
import { SQLITE_LAYOUTS } from '../layouts/sqlite-layouts.ts';
import type { SqliteConfig } from './config.ts';
import { connect, databaseExists, withConnection } from './connection.ts';
import { affinityOf, type TableColumn } from './foreign-rows.ts';
import { quoted } from './sql.ts';

/** How the rows of the events table are told apart and walked through. */
export type RowKey = '_rowid_' | 'id';

/**
 * Whose events lie here, where the address names no layout: EventCore's come first, and stay what is meant where there are none of anybody. To be
 * asked for each time: a store may be made meanwhile.
 */
export function withLayout(config: SqliteConfig): SqliteConfig {
  if (config.isLayoutNamed || !databaseExists(config)) return config;
  return withConnection(config, 'read', (db) => {
    const layout = SQLITE_LAYOUTS.find(({ foreign, events }) => {
      const found = describeTable(db, foreign?.table ?? events.table);
      return found !== null && (foreign === null || missingColumn(foreign.columns, found) === undefined);
    });
    return layout === undefined ? config : { ...config, layout };
  });
}

/** What is there, without reading events. Neither makes a file nor leaves one behind. */
export function inspectStore(config: SqliteConfig): StoreDescription {
  const found = databaseExists(config)
    ? withConnection(config, 'read', (db) => ({
        ...{ state: stateOf(db, config), version: libraryVersion(db) },
        columns: describeColumns(db, config),
      }))
    : null;
  return {
    kind: 'sqlite',
    layout: config.layout.name,
    versionBase: config.layout.versionBase,
    ...(config.layout.foreign === null ? {} : { made: config.layout.foreign.made }),
    serverVersion: found?.version ?? process.versions.sqlite ?? 'unknown',
    state: found?.state ?? 'missing',
    ...(found?.state === 'missing' ? { placeExists: true as const } : {}),
    ...(config.layout.foreign?.adopts === undefined ? {} : { adopts: true as const }),
    ...found?.columns,
  };
}

/** Of tables of others, by what SQLite makes of a text in them. */
function describeColumns(
  db: DatabaseSync,
  { layout: { foreign } }: SqliteConfig,
): Pick<StoreDescription, 'columns' | 'neededColumns'> {
  const found = foreign === null ? null : describeTable(db, foreign.table);
  if (foreign === null || found === null) return {};
  const isGiven = (name: string): boolean =>
    name in foreign.whole || name in foreign.rewritten || name === foreign.metadata;
  return {
    columns: Object.fromEntries(found.columns.map(({ name, affinity }) => [name, affinity])),
    neededColumns: found.columns.flatMap(({ name, isOptional }) =>
      isOptional || isGiven(name) ? [] : [name],
    ),
  };
}

function stateOf(db: DatabaseSync, config: SqliteConfig): StoreDescription['state'] {
  if (!hasEvents(db, config)) return 'missing';
  return isFilled(db, config.layout.events.table) ? 'filled' : 'empty';
}

function libraryVersion(db: DatabaseSync): string {
  return String(db.prepare('SELECT sqlite_version() AS version').get()?.version);
}

export function isFilled(db: DatabaseSync, table: string): boolean {
  return db.prepare(`SELECT 1 FROM ${quoted(table)} LIMIT 1`).get() !== undefined;
}

/** Opens a store. Throws `not_an_event_store` when the events table is not there. */
export function connectStore(config: SqliteConfig, access: 'read' | 'write'): DatabaseSync {
  const db = connect(config, access);
  try {
    assertStore(db, config);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

export function assertStore(db: DatabaseSync, config: SqliteConfig): void {
  if (hasEvents(db, config)) return;
  throw new BackupError(
    'not_an_event_store',
    `${config.address} has no table ${config.layout.events.table}`,
    {
      hint: hintOf(config),
    },
  );
}

function hintOf({ layout }: SqliteConfig): string {
  if (layout.foreign !== null) return `check the path, or make the tables with ${layout.foreign.made}`;
  return 'check the path; a store is made by EventCore, or by a restore';
}

/**
 * Whether the events table is there. Throws `store_unsupported` when it is shaped otherwise: a column that this program
 * does not know would be lost from every backup.
 */
export function hasEvents(db: DatabaseSync, config: SqliteConfig): boolean {
  const { foreign, events } = config.layout;
  const { table } = events;
  const found = describeTable(db, table);
  if (found === null) return false;
  const known = foreign?.columns ?? Object.values(events.columns);
  const missing = missingColumn(known, found);
  const unknown =
    foreign === null ? found.columns.find(({ name }) => !known.includes(name))?.name : undefined;
  if (found.type === 'table' && missing === undefined && unknown === undefined) return true;
  const says =
    found.type !== 'table'
      ? `is a ${found.type}`
      : missing === undefined
        ? `has an unknown column ${JSON.stringify(unknown)}`
        : `has no column ${JSON.stringify(missing)}`;
  throw new BackupError('store_unsupported', `table ${table} of ${config.address} ${says}`, {
    hint: `it is not the ${config.layout.name} layout that this version of the program knows`,
  });
}

function missingColumn(known: readonly string[], { columns }: TableFacts): string | undefined {
  return known.find((name) => !columns.some((column) => column.name === name));
}

/**
 * Tables made without a rowid are walked by id, which must then be their primary key. Throws `store_unsupported`
 * otherwise.
 */
export function rowKeyOf(db: DatabaseSync, config: SqliteConfig): RowKey {
  const { foreign, events } = config.layout;
  const { table, columns } = events;
  if (describeTable(db, table)?.hasRowid !== false) return '_rowid_';
  if (foreign !== null) {
    throw new BackupError('store_unsupported', `table ${table} of ${config.address} has no rowids`, {
      hint: 'stores of others are read in the order of rowids: copy its rows into a table without WITHOUT ROWID',
    });
  }
  const keys = db.prepare('SELECT name FROM pragma_table_info(?) WHERE pk > 0').all(table);
  if (keys.length === 1 && keys[0]!.name === columns.id) return 'id';
  throw new BackupError(
    'store_unsupported',
    `table ${table} of ${config.address} has neither rowids nor ${columns.id} as its primary key`,
    { hint: 'copy its rows into a table that EventCore made' },
  );
}

export interface PresentCompanion extends SqliteCompanionTable {
  readonly columns: readonly TableColumn[];
}

/** The companion tables that are there, with their columns in the order of the table. */
export function presentCompanions(db: DatabaseSync, config: SqliteConfig): PresentCompanion[] {
  return config.layout.companions.flatMap((companion: SqliteCompanionTable) => {
    const found = describeTable(db, companion.table);
    return found?.type === 'table' ? [{ ...companion, columns: found.columns }] : [];
  });
}

interface TableFacts {
  /** `table`, `view`, `shadow` or `virtual`. */
  readonly type: string;
  readonly hasRowid: boolean;
  /** Without generated ones, which hold no data of their own. */
  readonly columns: readonly TableColumn[];
}

/** SQLite itself numbers a key of exactly this type. */
function isRowid(type: unknown, pk: unknown): boolean {
  return pk === 1 && String(type).toUpperCase() === 'INTEGER';
}

export function describeTable(db: DatabaseSync, table: string, schema = 'main'): TableFacts | null {
  const found = db
    .prepare(`SELECT type, wr, strict FROM pragma_table_list(?) WHERE schema = ?`)
    .get(table, schema);
  if (found === undefined) return null;
  const columns = db
    .prepare('SELECT name, type, "notnull", dflt_value, pk FROM pragma_table_info(?, ?) ORDER BY cid')
    .all(table, schema);
  return {
    type: String(found.type),
    hasRowid: found.wr === 0,
    columns: columns.map(({ name, type, notnull, dflt_value, pk }) => ({
      name: String(name),
      affinity: affinityOf(String(type), found.strict === 1),
      isOptional: notnull === 0 || dflt_value !== null || isRowid(type, pk),
    })),
  };
}
