import type { DatabaseSync } from 'node:sqlite';
import { BackupError } from '../../core/errors.ts';
import type { CompanionRow } from '../../core/event-store.ts';
import type { SqliteConfig } from './config.ts';
import { storeError } from './errors.ts';
import { comesBack, realText, type TableColumn } from './foreign-rows.ts';
import { describeTable, isFilled, type PresentCompanion, presentCompanions } from './inspector.ts';
import { quoted } from './sql.ts';

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Every row of the tables that belong to the events, with all columns that the table has. */
export async function* readCompanions(db: DatabaseSync, config: SqliteConfig): AsyncGenerator<CompanionRow> {
  try {
    for (const { table, role, columns } of presentCompanions(db, config)) {
      const names = columns.map(({ name }) => name);
      const values = columns.map((column) => `${valueSql(column, config)} AS ${quoted(column.name)}`);
      for (const row of db
        .prepare(`SELECT ${values.join(', ')} FROM ${quoted(table)} ORDER BY 1`)
        .iterate()) {
        yield { table, role, values: decodeRow(row, table, names) };
      }
    }
  } catch (error) {
    throw storeError(config.address, error);
  }
}

/**
 * Its text. Of others' values a class that the text does not come back as is shown as such, which `decodeText` refuses: EventCore's are all texts.
 */
function valueSql(column: TableColumn, { layout }: SqliteConfig): string {
  const value = quoted(column.name);
  if (layout.foreign === null) return `CAST(${value} AS BLOB)`;
  return `CASE WHEN ${value} IS NULL THEN NULL WHEN ${comesBack(column, value)}
    THEN CAST(CASE typeof(${value}) WHEN 'real' THEN ${realText(value)} ELSE ${value} END AS BLOB) ELSE x'ff' END`;
}

function decodeRow(
  row: Record<string, unknown>,
  table: string,
  columns: readonly string[],
): Record<string, string | null> {
  return Object.fromEntries(
    columns.map((name) => {
      const value = row[name];
      return [name, value instanceof Uint8Array ? decodeText(value, table, name) : null];
    }),
  );
}

function decodeText(bytes: Uint8Array, table: string, column: string): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new BackupError(
      'store_unsupported',
      `a value of ${table}.${column} is no UTF-8 text, or not of its column’s type`,
      {
        hint: 'correct the row; it cannot be kept exactly, so nothing was backed up',
        cause,
      },
    );
  }
}

/** Also those that a restore gathers in a temporary table. */
function writable(db: DatabaseSync, config: SqliteConfig): readonly PresentCompanion[] {
  const { layout } = config;
  const present = presentCompanions(db, config);
  if (layout.foreign === null) return present;
  const gathered = layout.companions.flatMap((companion) => {
    const found = describeTable(db, companion.table, 'temp');
    return found === null ? [] : [{ ...companion, columns: found.columns }];
  });
  return [...present, ...gathered];
}

/** Writes a row where there is a table with exactly its columns; false when there is none. */
export function writeCompanion(db: DatabaseSync, config: SqliteConfig, row: CompanionRow): boolean {
  const companion = writable(db, config).find(({ table }) => table === row.table);
  if (companion === undefined) return false;
  const given = Object.keys(row.values);
  // Others may have added columns since.
  if (config.layout.foreign === null && companion.columns.length !== given.length) return false;
  if (!given.every((name) => companion.columns.some((column) => column.name === name))) return false;
  const names = given.map(quoted).join(', ');
  const places = given.map(() => '?').join(', ');
  db.prepare(`INSERT INTO ${quoted(row.table)} (${names}) VALUES (${places})`).run(
    ...Object.values(row.values),
  );
  return true;
}

export function hasCompanions(db: DatabaseSync, config: SqliteConfig): boolean {
  return presentCompanions(db, config).some(({ table }) => isFilled(db, table));
}

export function deleteCompanions(db: DatabaseSync, config: SqliteConfig): void {
  for (const { table } of presentCompanions(db, config)) db.exec(`DELETE FROM ${quoted(table)}`);
}
