import type { DatabaseSync } from 'node:sqlite';
import { BackupError } from '../../core/errors.ts';
import type { CompanionRow } from '../../core/event-store.ts';
import type { SqliteConfig } from './config.ts';
import { storeError } from './errors.ts';
import { isFilled, presentCompanions } from './inspector.ts';
import { quoted } from './sql.ts';

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Every row of the tables that belong to the events, with all columns that the table has. */
export async function* readCompanions(db: DatabaseSync, config: SqliteConfig): AsyncGenerator<CompanionRow> {
  try {
    for (const { table, role, columns } of presentCompanions(db, config)) {
      const values = columns.map((name) => `CAST(${quoted(name)} AS BLOB) AS ${quoted(name)}`).join(', ');
      for (const row of db.prepare(`SELECT ${values} FROM ${quoted(table)} ORDER BY 1`).iterate()) {
        yield { table, role, values: decodeRow(row, table, columns) };
      }
    }
  } catch (error) {
    throw storeError(config.address, error);
  }
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
    throw new BackupError('store_unsupported', `a value of ${table}.${column} is no UTF-8 text`, {
      hint: 'correct the row; it cannot be kept exactly, so nothing was backed up',
      cause,
    });
  }
}

/** Writes a row where there is a table with exactly its columns; false when there is none. */
export function writeCompanion(db: DatabaseSync, config: SqliteConfig, row: CompanionRow): boolean {
  const companion = presentCompanions(db, config).find(({ table }) => table === row.table);
  const given = Object.keys(row.values);
  if (companion?.columns.length !== given.length) return false;
  if (!given.every((name) => companion.columns.includes(name))) return false;
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
