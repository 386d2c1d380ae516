import type { SqlNames, SqlRow } from '../../core/inspection.ts';
import { type CheckDefinition, type CheckFound, keptByOthers, literal } from './check.ts';

export const CONSTRAINTS: CheckDefinition = {
  name: 'constraints',
  proves: 'No column of the events may be empty, and every constraint on them holds for all rows.',
  rung: 'catalog',
  severity: 'risk',
  every: 'run',
  repaired: 'NOT NULL and the validation of constraints are set again; refused while a row is against it',
  questions: (names) => {
    const kept = keptByOthers(names);
    if (kept !== null) return kept;
    if (names.dialect === 'sqlite')
      return [{ sql: sqliteSql(names), answer: ({ column }) => optionalInSqlite(column!) }];
    return [
      { sql: columnsSql(names), answer: ({ column }) => optional(column!, names) },
      { sql: constraintsSql(names), answer: (row) => unproven(row, names) },
    ];
  },
};

function columnsSql(names: SqlNames): string {
  return `SELECT quote_ident(attname) AS column FROM pg_attribute
    WHERE attrelid = ${literal(names.events)}::regclass AND attnum > 0 AND NOT attisdropped AND NOT attnotnull
      AND quote_ident(attname) IN (${columnsOf(names).map(literal).join(', ')})`;
}

function columnsOf({ id, stream, version, type, data, metadata, time }: SqlNames): string[] {
  return [id, stream, version, type, data, metadata, time];
}

function constraintsSql({ events }: SqlNames): string {
  return `SELECT quote_ident(conname) AS name FROM pg_constraint
    WHERE conrelid = ${literal(events)}::regclass AND NOT convalidated AND contype IN ('c', 'f')`;
}

function optional(column: string, { events }: SqlNames): CheckFound {
  const sql = `ALTER TABLE ${events} ALTER COLUMN ${column} SET NOT NULL`;
  return {
    object: column,
    message: `column ${column} of the events may be empty`,
    repair: 'restore_guards',
    statements: [{ sql, reason: `keep column ${column} from being empty`, before: null }],
  };
}

function unproven({ name }: SqlRow, { events }: SqlNames): CheckFound {
  const sql = `ALTER TABLE ${events} VALIDATE CONSTRAINT ${name}`;
  return {
    object: name!,
    message: `constraint ${name} of the events was never proven for the rows that were there`,
    repair: 'restore_guards',
    statements: [{ sql, reason: `prove constraint ${name} for all rows`, before: null }],
  };
}

/** SQLite's primary keys may be empty unless they say otherwise, and the layout's does not. */
function sqliteSql(names: SqlNames): string {
  const wanted = columnsOf(names).filter((column) => column !== names.id);
  return `SELECT name AS "column" FROM pragma_table_info(${literal(names.eventsName)})
    WHERE "notnull" = 0 AND '"' || name || '"' IN (${wanted.map(literal).join(', ')})`;
}

function optionalInSqlite(column: string): CheckFound {
  return {
    object: column,
    message: `column ${column} of the events may be empty: SQLite cannot change that, a restore into a new file does`,
  };
}
