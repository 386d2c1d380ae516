import type { SqlNames, SqlRow } from '../../core/inspection.ts';
import {
  type CheckDefinition,
  type CheckFound,
  type CheckQuestion,
  type CheckSkip,
  keptByOthers,
  literal,
} from './check.ts';
import { rebuilt } from './indexes.ts';

export const INDEX_STRUCTURE: CheckDefinition = {
  name: 'index_structure',
  proves:
    'Every page of the indexes is in order and every row has its entry (PostgreSQL: extension amcheck; SQLite: integrity_check, tables too).',
  rung: 'catalog',
  severity: 'damage',
  every: 'sweep',
  repaired: 'the index is built anew from the table; what is wrong with a table itself needs a restore',
  questions: (names) =>
    names.dialect === 'postgres'
      ? (keptByOthers(names) ?? [{ sql: AMCHECK, answer: (row) => eachIndex(row, names) }])
      : [{ sql: 'PRAGMA integrity_check(1000)', answer: (row) => spoken(row, names) }],
};

const AMCHECK = `SELECT quote_ident(n.nspname) AS schema, coalesce(has_function_privilege(p.oid, 'EXECUTE'), false)::text AS allowed
    FROM (SELECT 1) AS one
    LEFT JOIN pg_extension e ON e.extname = 'amcheck'
    LEFT JOIN pg_namespace n ON n.oid = e.extnamespace
    LEFT JOIN pg_proc p ON p.pronamespace = n.oid AND p.proname = 'bt_index_check' AND p.pronargs = 2`;

function eachIndex({ schema, allowed }: SqlRow, names: SqlNames): CheckQuestion | CheckSkip {
  if (schema == null) return { skipped: 'the extension amcheck is not installed: CREATE EXTENSION amcheck' };
  if (allowed !== 'true') {
    return { skipped: `the role may not call ${schema}.bt_index_check: GRANT EXECUTE ON FUNCTION` };
  }
  const tables = [...new Set(names.indexes.map(({ table }) => table))];
  return {
    sql: `SELECT i.indexrelid::text AS oid, x.relname::text AS name, n.nspname::text AS schema
        FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_namespace n ON n.oid = x.relnamespace
        JOIN pg_am am ON am.oid = x.relam
       WHERE i.indrelid IN (${tables.map((table) => `${literal(table)}::regclass`).join(', ')})
         AND am.amname = 'btree' AND i.indisvalid AND i.indisready ORDER BY x.relpages`,
    answer: (row) => walked(row, schema, names),
  };
}

function walked(row: SqlRow, schema: string, names: SqlNames): CheckQuestion {
  return {
    sql: `SELECT ${schema}.bt_index_check(${Number(row.oid)}::regclass, true)`,
    answer: () => null,
    unreadable: (message) => {
      const index = { name: row.name!, table: `"${row.schema!.replaceAll('"', '""')}".` };
      const statements = [rebuilt(index, names)];
      return { object: row.name!, message, repair: 'rebuild_index', statements };
    },
  };
}

/** How SQLite words what is wrong with an index; all else is about tables and pages. */
const ABOUT_INDEX =
  /^(?:wrong # of entries in index|(?:row \d+ missing from|rowid not at end-of-record for row \d+ of|row \d+ values differ from|non-unique entry in) index) (.+)$/;

function spoken(row: SqlRow, names: SqlNames): CheckFound | null {
  const message = row.integrity_check ?? '';
  if (message === 'ok') return null;
  const index = ABOUT_INDEX.exec(message)?.[1];
  if (index === undefined) return { message: `SQLite: ${message}` };
  const statements = [rebuilt({ name: index, table: names.events }, names)];
  return { object: index, message: `SQLite: ${message}`, repair: 'rebuild_index', statements };
}
