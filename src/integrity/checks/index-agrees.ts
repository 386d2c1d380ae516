import type { SqlIndex, SqlNames, SqlRow } from '../../core/inspection.ts';
import {
  bucketColumn,
  type CheckDefinition,
  type CheckFound,
  type CheckQuestion,
  type CheckSettings,
  inSample,
} from './check.ts';
import { indexSql } from './index-questions.ts';
import { rebuilt } from './indexes.ts';

export const INDEX_AGREES: CheckDefinition = {
  name: 'index_agrees',
  proves:
    'Each event of the sample that lies in the table is found by the keys of the events, and they tell of no other.',
  rung: 'streams',
  severity: 'damage',
  every: 'run',
  repaired: 'the index is built anew from the table',
  questions: (names, settings) =>
    names.indexes
      .filter(({ unique, tableName }) => unique && tableName === names.eventsName)
      .map((index) => ({
        sql: indexSql(names, index),
        answer: ({ found, keys }) =>
          found == null ? null : compared(names, settings, { ...index, columns: keys!.split(',') }, found),
      })),
};

function compared(names: SqlNames, settings: CheckSettings, index: SqlIndex, found: string): CheckQuestion {
  const isPostgres = names.dialect === 'postgres';
  return {
    sql: isPostgres ? postgresSql(names, settings, index) : sqliteSql(names, settings, index, found),
    ...(isPostgres ? { settings: BY_INDEX } : {}),
    answer: (row) => disagreement(row, names, index, found),
    unreadable: (message) => ({ ...damaged(names, index, found), message: `index ${found}: ${message}` }),
  };
}

/** A lookup has then one way only, and what has no condition on a key is read from the table. */
const BY_INDEX = {
  ...{ enable_seqscan: 'off', enable_bitmapscan: 'off', enable_tidscan: 'off', enable_sort: 'off' },
  ...{ enable_incremental_sort: 'off', max_parallel_workers_per_gather: '0' },
};

/**
 * The place of a row is in no index, so the rows of the sample come from the table. A row is looked up in the order of the index, with
 * a span for its last column: no other index, one over the streams alone say, gives that order without a sort. What the index tells by
 * itself is asked of one over several columns: over the id alone, all ids would have to be read.
 */
function postgresSql(names: SqlNames, settings: CheckSettings, { columns }: SqlIndex): string {
  const { events } = names;
  const keys = columns.map((column) => `"${column}"`);
  const last = keys.at(-1)!;
  const same = keys.slice(0, -1).map((key) => `i.${key} = t.${key} AND `);
  const list = keys.join(', ');
  const bucket = bucketColumn(names, settings);
  const sample = inSample(names, settings);
  const phantoms = `UNION ALL
    SELECT 'phantom', bucket::text, count(*)::text FROM (
      SELECT * FROM by_index EXCEPT ALL SELECT ${list}, bucket FROM by_table) AS p GROUP BY bucket`;
  const byIndex = `, by_index AS MATERIALIZED (
      SELECT ${list}, ${bucket} AS bucket FROM ${events} WHERE ${sample} ORDER BY ${list})`;
  return `WITH by_table AS MATERIALIZED (
      SELECT ctid AS place, ${list}, ${bucket} AS bucket FROM ${events} WHERE ${sample}
    )${columns.length > 1 ? byIndex : ''}
    SELECT 'lost' AS kind, bucket::text AS bucket, count(*)::text AS events FROM by_table AS t
     WHERE NOT EXISTS (SELECT FROM (
             SELECT i.ctid AS place FROM ${events} AS i WHERE ${same.join('')}i.${last} BETWEEN t.${last} AND t.${last}
              ORDER BY ${keys.map((key) => `i.${key}`).join(', ')} OFFSET 0) AS looked_up
            WHERE looked_up.place = t.place) GROUP BY bucket
    ${columns.length > 1 ? phantoms : ''}`;
}

/** What an index has too much of shows in the number of its entries. */
function sqliteSql(names: SqlNames, settings: CheckSettings, { columns }: SqlIndex, found: string): string {
  const { events, id, stream } = names;
  const by = `INDEXED BY "${found.replaceAll('"', '""')}"`;
  const same = columns.map((column) => `i."${column}" = t."${column}"`).join(' AND ');
  const bucket = bucketColumn(names, settings);
  const sample = inSample(names, settings);
  const phantoms = `UNION ALL SELECT 'phantom', NULL, by_index - by_table FROM (
      SELECT (SELECT count(*) FROM ${events} ${by} WHERE ${stream} IS NOT NULL AND ${sample}) AS by_index,
             (SELECT count(*) FROM ${events} NOT INDEXED WHERE ${stream} IS NOT NULL AND ${sample}) AS by_table)
    WHERE by_index > by_table`;
  return `SELECT 'lost' AS kind, bucket, count(*) AS events
      FROM (SELECT *, ${bucket} AS bucket FROM ${events} NOT INDEXED WHERE ${sample}) AS t
     WHERE NOT EXISTS (SELECT 1 FROM ${events} AS i ${by} WHERE ${same} AND i.${id} = t.${id}) GROUP BY bucket
    ${columns.includes(stream.replaceAll('"', '')) ? phantoms : ''}`;
}

function disagreement(row: SqlRow, names: SqlNames, index: SqlIndex, found: string): CheckFound {
  const events = Number(row.events);
  const says = row.kind === 'lost' ? `does not find ${events} events that are in the table` : '';
  const tells = row.kind === 'phantom' ? `tells of ${events} events that are not in the table` : '';
  return {
    ...damaged(names, index, found),
    ...{ events, bucket: row.bucket ?? null },
    message: `index ${found} ${says}${tells}`,
  };
}

function damaged(names: SqlNames, { table }: SqlIndex, found: string): Omit<CheckFound, 'message'> {
  return {
    object: found,
    repair: 'rebuild_index',
    statements: [rebuilt({ name: found, table }, names)],
  };
}
