import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { BackupError } from '../../core/errors.ts';
import type { RepairKind } from '../../core/finding.ts';
import type { SqlValue } from '../../core/inspection.ts';
import type { RepairOptions, RepairSession, RepairStatement } from '../../core/repair.ts';
import { SQLITE_REPAIRS } from '../layouts/eventcore-sqlite.ts';
import { requireOwn, type SqliteConfig } from './config.ts';
import { rollBack } from './connection.ts';
import { guarded, isBusy } from './errors.ts';
import { connectStore, rowKeyOf } from './inspector.ts';
import { assertInTransaction } from './loader.ts';
import { putBack, stagedTable } from './put-back.ts';
import { record, rowText, type SqliteRepair } from './repair-record.ts';

/** One transaction, which holds the database's one write lock from here on: SQLite makes it all or nothing, also when this process is killed. */
export function openSqliteRepair(
  config: SqliteConfig,
  { repairId, withoutIndexes = false }: RepairOptions,
): RepairSession {
  requireOwn(config, 'nothing is repaired in place');
  const db = connectStore(config, 'write');
  let repair: SqliteRepair;
  try {
    repair = guarded(config.address, () => begin(db, config, { repairId, withoutIndexes }));
  } catch (error) {
    db.close();
    throw error;
  }
  const refusing = <Result>(work: () => Result): Result => {
    assertInTransaction(db, config);
    return guarded(config.address, work);
  };
  return {
    putBack: async (batch, reason) => {
      assertInTransaction(db, config);
      return putBack(repair, batch, reason);
    },
    execute: async (statements, kind) => refusing(() => executeAll(repair, statements, kind)),
    publish: async () => {
      refusing(() => db.exec('COMMIT'));
      db.close();
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

function begin(
  db: DatabaseSync,
  config: SqliteConfig,
  options: Pick<SqliteRepair, 'repairId' | 'withoutIndexes'>,
): SqliteRepair {
  try {
    db.exec('BEGIN IMMEDIATE');
  } catch (error) {
    if (!isBusy(error)) throw error;
    throw new BackupError('lease_held', `${config.address} is being written to, perhaps by another repair`, {
      hint: 'try again when the other one has finished',
      cause: error,
    });
  }
  const { table, create } = SQLITE_REPAIRS;
  const there = db.prepare(`SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?`).get(table);
  if (there === undefined) db.exec(create);
  db.exec(stagedTable(config, options.withoutIndexes));
  const rowKey = rowKeyOf(db, config);
  return { db, config, ...options, key: rowKey === 'id' ? config.layout.events.columns.id : rowKey };
}

function executeAll(repair: SqliteRepair, statements: readonly RepairStatement[], kind: RepairKind): void {
  const { db } = repair;
  db.exec('SAVEPOINT repair_step');
  try {
    for (const statement of statements) execute(repair, statement, kind);
    db.exec('RELEASE repair_step');
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK TO repair_step; RELEASE repair_step');
    throw error;
  }
}

function execute(repair: SqliteRepair, statement: RepairStatement, kind: RepairKind): void {
  const { db } = repair;
  const { sql, parameters, reason, before } = statement;
  const rows = before === null ? [] : readRows(db, before.sql, before.parameters);
  for (const row of rows.length === 0 ? [null] : rows) {
    record(repair, { kind, reason, before: row, event: null, sha256After: null });
  }
  db.prepare(sql).run(...bound(parameters));
}

function readRows(db: DatabaseSync, sql: string, parameters?: readonly SqlValue[]): string[] {
  const statement = db.prepare(sql);
  statement.setReadBigInts(true);
  return statement.all(...bound(parameters)).map(rowText);
}

/** A list of values stands as JSON, for json_each. */
function bound(parameters: readonly SqlValue[] = []): SQLInputValue[] {
  return parameters.map((value) =>
    value !== null && typeof value === 'object' ? JSON.stringify(value) : value,
  );
}
