import type { SqlIndex, SqlNames, SqlRow } from '../../core/inspection.ts';
import type { RepairStatement } from '../../core/repair.ts';
import { type CheckDefinition, type CheckFound, keptByOthers } from './check.ts';
import { indexSql } from './index-questions.ts';

export const INDEXES: CheckDefinition = {
  name: 'indexes',
  proves: 'Each key and index of the layout is there, on its columns, in use, and unique where it must be.',
  rung: 'catalog',
  severity: 'risk',
  every: 'run',
  repaired: 'built anew; refused while two rows have one key: those come first',
  questions: (names) =>
    keptByOthers(names) ??
    names.indexes.map((index) => ({
      sql: indexSql(names, index),
      answer: (row) => judge(row, index, names),
    })),
};

function judge({ found, named }: SqlRow, index: SqlIndex, names: SqlNames): CheckFound | null {
  if (found != null) return null;
  const object = index.name ?? `${index.tableName} (${index.columns.join(', ')})`;
  const what = `${index.isKey ? 'the key' : index.unique ? 'the unique index' : 'the index'} ${object} of ${index.tableName}`;
  if (named === 'other') {
    return { object, message: `${what} is another one than the layout's: look who made it so` };
  }
  if (index.create === null) {
    return { object, message: `${what} is missing, which takes a new table: restore into a new file` };
  }
  const statement = named === 'unusable' ? rebuilt(index, names) : made(index);
  const says = named === 'unusable' ? 'is there, but not in use' : 'is missing';
  return {
    object,
    message: `${what} ${says}`,
    repair: 'rebuild_index',
    statements: [statement],
  };
}

function made({ create, name }: SqlIndex): RepairStatement {
  return { sql: create!, reason: `make index ${name}, which is missing`, before: null };
}

/** Holds up writers while it goes on: a repair is one transaction, and building beside them is none. */
export function rebuilt(
  { name, table }: Pick<SqlIndex, 'name' | 'table'>,
  { dialect }: SqlNames,
): RepairStatement {
  const quoted = `"${name!.replaceAll('"', '""')}"`;
  const schema = table.slice(0, table.lastIndexOf('.') + 1);
  const sql = dialect === 'postgres' ? `REINDEX INDEX ${schema}${quoted}` : `REINDEX ${quoted}`;
  return { sql, reason: `build index ${name} anew from the table`, before: null };
}
