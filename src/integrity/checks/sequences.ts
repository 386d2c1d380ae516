import type { SqlNames, SqlRow } from '../../core/inspection.ts';
import { type CheckDefinition, type CheckFound, type CheckQuestion, literal } from './check.ts';

export const SEQUENCES: CheckDefinition = {
  name: 'sequences',
  proves: 'Each sequence that numbers rows of the tables of the store is ahead of all that are there.',
  rung: 'catalog',
  severity: 'risk',
  every: 'run',
  repaired: 'set to the greatest number that is there',
  questions: (names) =>
    names.dialect === 'postgres'
      ? [{ sql: sequencesSql(names), answer: comparedInPostgres }]
      : [{ sql: COUNTERS, answer: () => counters(names) }],
};

/** Of identity columns, `serial` ones, and whatever else a default takes its numbers from. */
function sequencesSql({ schemaName, tables }: SqlNames): string {
  return `SELECT DISTINCT quote_ident(sn.nspname) || '.' || quote_ident(s.relname) AS sequence,
           quote_ident(tn.nspname) || '.' || quote_ident(t.relname) AS "table", quote_ident(a.attname) AS "column"
      FROM pg_class s JOIN pg_namespace sn ON sn.oid = s.relnamespace
      JOIN (SELECT objid AS sequence, refobjid AS "table", refobjsubid AS "column" FROM pg_depend
             WHERE classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass AND deptype IN ('a', 'i')
            UNION ALL
            SELECT u.refobjid, d.adrelid, d.adnum FROM pg_depend u JOIN pg_attrdef d ON d.oid = u.objid
             WHERE u.classid = 'pg_attrdef'::regclass AND u.refclassid = 'pg_class'::regclass) AS used ON used.sequence = s.oid
      JOIN pg_class t ON t.oid = used."table" JOIN pg_namespace tn ON tn.oid = t.relnamespace
      JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = used."column"
     WHERE s.relkind = 'S' AND tn.nspname = ${literal(schemaName!)} AND t.relname IN (${tables.map(literal).join(', ')})`;
}

interface Numbered {
  readonly sequence: string;
  readonly table: string;
  readonly column: string;
}

/** A sequence shows what was drawn from it at once, a table only what is committed: drawn first, so the sequence is never seen behind. */
function comparedInPostgres(row: SqlRow): CheckQuestion {
  const numbered = row as unknown as Numbered;
  const { sequence, table, column } = numbered;
  return {
    sql: `SELECT next, greatest FROM (
        SELECT CASE WHEN q.is_called THEN q.last_value + s.seqincrement ELSE q.last_value END AS next,
               CASE WHEN s.seqincrement > 0 THEN (SELECT max(${column}) FROM ${table}) ELSE (SELECT min(${column}) FROM ${table}) END AS greatest,
               s.seqincrement > 0 AS grows
          FROM ${sequence} AS q, pg_sequence AS s WHERE s.seqrelid = ${literal(sequence)}::regclass) AS compared
      WHERE CASE WHEN grows THEN next <= greatest ELSE next >= greatest END`,
    answer: (found) => behind(found, numbered),
  };
}

function behind({ next, greatest }: SqlRow, { sequence, table, column }: Numbered): CheckFound {
  const end = `(SELECT CASE WHEN seqincrement > 0 THEN (SELECT max(${column}) FROM ${table}) ELSE (SELECT min(${column}) FROM ${table}) END
    FROM pg_sequence WHERE seqrelid = ${literal(sequence)}::regclass)`;
  return {
    object: sequence,
    message: `sequence ${sequence} gives ${next} next, and ${table}.${column} is at ${greatest}: what is inserted next fails, or is out of order`,
    repair: 'advance_sequence',
    statements: [
      {
        sql: `SELECT setval(${literal(sequence)}::regclass, ${end})`,
        reason: `set sequence ${sequence} to the greatest number in ${table}.${column}`,
        before: { sql: `SELECT last_value, is_called FROM ${sequence}` },
      },
    ],
  };
}

/** Only there where a table numbers its rows so. */
const COUNTERS = `SELECT name FROM sqlite_schema WHERE type = 'table' AND name = 'sqlite_sequence'`;

function counters({ tables }: SqlNames): CheckQuestion {
  return {
    sql: `SELECT name, seq FROM sqlite_sequence WHERE name IN (${tables.map(literal).join(', ')})`,
    answer: comparedInSqlite,
  };
}

/** SQLite looks at the rows as well, so numbers of rows that are there come no second time, but those of rows that were deleted may. */
function comparedInSqlite({ name }: SqlRow): CheckQuestion {
  const table = `"${name!.replaceAll('"', '""')}"`;
  return {
    sql: `SELECT seq, greatest FROM (
        SELECT s.seq, (SELECT max(rowid) FROM ${table}) AS greatest FROM sqlite_sequence AS s WHERE s.name = ${literal(name!)})
      WHERE greatest > seq`,
    answer: ({ seq, greatest }) => ({
      object: name!,
      message: `the counter of ${name} is at ${seq}, and its rows at ${greatest}: numbers may come again`,
      repair: 'advance_sequence',
      statements: [
        {
          sql: `UPDATE sqlite_sequence SET seq = (SELECT max(rowid) FROM ${table}) WHERE name = ?1`,
          parameters: [name!],
          reason: `set the counter of ${name} to its greatest row`,
          before: { sql: 'SELECT name, seq FROM sqlite_sequence WHERE name = ?1', parameters: [name!] },
        },
      ],
    }),
  };
}
