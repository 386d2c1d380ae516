import type { SqlIndex, SqlNames } from '../../core/inspection.ts';
import type { RepairStatement } from '../../core/repair.ts';
import {
  type CheckDefinition,
  type CheckFound,
  type CheckQuestion,
  type CheckSettings,
  inSample,
  keptByOthers,
} from './check.ts';
import { indexSql } from './index-questions.ts';
import { rebuilt } from './indexes.ts';

export const INDEX_AGREES: CheckDefinition = {
  name: 'index_agrees',
  proves:
    'Each event in a part of the table, as large as the sample, is found by the keys of the events, and for the streams of the sample they tell of no other.',
  rung: 'streams',
  severity: 'damage',
  every: 'run',
  repaired: 'the index is built anew from the table',
  questions: (names, settings) =>
    keptByOthers(names) ??
    names.indexes
      .filter(({ unique, tableName }) => unique && tableName === names.eventsName)
      .map((index) => ({
        sql: indexSql(names, index),
        answer: ({ found, keys, extent }) => {
          if (found == null) return null;
          const there = { ...index, name: found, columns: keys!.split(',') };
          return lookedUp(names, settings, there, extent == null ? null : Number(extent));
        },
      })),
};

/** An index that is there, by its own name and columns. */
type Found = SqlIndex & { readonly name: string };

/** The table is read where it lies, since an index that lost a row cannot lead to it. */
function lookedUp(
  names: SqlNames,
  settings: CheckSettings,
  index: Found,
  extent: number | null,
): CheckQuestion {
  const isPostgres = names.dialect === 'postgres';
  const parts = partsOf(names, settings, extent);
  return {
    sql: isPostgres ? lostInPostgres(names, index, parts) : lostInSqlite(names, index, parts),
    ...(isPostgres ? { settings: BY_INDEX } : {}),
    answer: (row) => {
      // Over the id alone, all ids would have to be read to know those of a sample.
      if (row.lost === '0') return index.columns.length > 1 ? told(names, settings, index, extent) : null;
      const events = Number(row.lost);
      return damaged(names, index, `does not find ${events} events that are in the table`, events);
    },
    unreadable: (message, sqlState) =>
      isPostgres && sqlState !== INDEX_CORRUPTED
        ? null
        : damaged(names, index, `cannot be read: ${message}`, 0),
  };
}

function told(
  names: SqlNames,
  settings: CheckSettings,
  index: Found,
  extent: number | null,
): CheckQuestion | null {
  const isPostgres = names.dialect === 'postgres';
  if (!isPostgres && extent === null) return null;
  return {
    sql: isPostgres ? phantomsInPostgres(names, settings, index) : phantomsInSqlite(names, settings, index),
    ...(isPostgres ? { settings: BY_INDEX } : {}),
    answer: ({ phantoms }) => {
      const events = Number(phantoms);
      if (events === 0) return null;
      const found = damaged(names, index, `tells of ${events} events that are not in the table`, events);
      return { ...found, statements: [allRebuilt(names)] };
    },
    unreadable: (message, sqlState) => ({
      ...damaged(names, index, `leads to what is not there: ${message}`, 0),
      ...(sqlState === INDEX_CORRUPTED ? {} : { statements: [allRebuilt(names)] }),
    }),
  };
}

/**
 * Conditions for the parts of the table that are looked at: of as many parts of one size as there are buckets, those of their numbers. So a
 * sweep that takes each bucket once sees all of the table, and reads it once.
 */
function partsOf(names: SqlNames, { sample }: CheckSettings, extent: number | null): string[] {
  if (sample === null) return ['1 = 1'];
  if (extent === null) return [names.inBucket(sample)];
  const isPostgres = names.dialect === 'postgres';
  const parts = neighbours(sample.buckets).map(([from, to]) => {
    const first = Math.floor((extent * from) / sample.of);
    const end = Math.floor((extent * to) / sample.of);
    // What was added since the table was measured lies in the last part.
    const isLast = to === sample.of;
    if (isPostgres) return `ctid >= '(${first},0)'::tid${isLast ? '' : ` AND ctid < '(${end},0)'::tid`}`;
    return `_rowid_ > ${from === 0 ? -Number.MAX_SAFE_INTEGER : first}${isLast ? '' : ` AND _rowid_ <= ${end}`}`;
  });
  return parts.length === 0 ? ['1 = 0'] : parts;
}

/** Each part is a statement of its own: a server goes to the one place of a table that is asked for, and reads all of it for the sake of two. */
function rowsOf(columns: string, source: string, parts: readonly string[], keys: readonly string[]): string {
  return parts
    .map((part) => `SELECT ${columns} FROM ${source} WHERE ${part} AND ${present(keys)}`)
    .join(' UNION ALL ');
}

/** Numbers that follow one another as spans, the end not included: of a thousand at most 500, which is as much as SQLite puts together. */
function neighbours(numbers: readonly number[]): [from: number, to: number][] {
  const spans: [from: number, to: number][] = [];
  for (const number of numbers.toSorted((a, b) => a - b)) {
    const last = spans.at(-1);
    if (last?.[1] === number) last[1] = number + 1;
    else spans.push([number, number + 1]);
  }
  return spans;
}

/** Another state is of what lies in the table: to build an index anew would not help. */
const INDEX_CORRUPTED = 'XX002';

/** A lookup has then one way only, and what has no condition on a key is read from the table. */
const BY_INDEX = {
  ...{ enable_seqscan: 'off', enable_bitmapscan: 'off', enable_sort: 'off' },
  ...{ enable_incremental_sort: 'off', max_parallel_workers_per_gather: '0' },
};

/**
 * A row is looked up in the order of the index, with a span for its last column: no other index, one over the streams alone say, gives
 * that order without a sort.
 */
function lostInPostgres({ events }: SqlNames, { columns }: Found, parts: readonly string[]): string {
  const keys = columns.map((column) => `"${column}"`);
  const last = keys.at(-1)!;
  const same = keys.slice(0, -1).map((key) => `i.${key} = t.${key} AND `);
  const rows = rowsOf(`ctid AS place, ${keys.join(', ')}`, events, parts, keys);
  return `WITH by_table AS MATERIALIZED (${rows})
    SELECT count(*) AS lost FROM by_table AS t
     WHERE NOT EXISTS (SELECT FROM (
             SELECT i.ctid AS place FROM ${events} AS i WHERE ${same.join('')}i.${last} BETWEEN t.${last} AND t.${last}
              ORDER BY ${keys.map((key) => `i.${key}`).join(', ')} OFFSET 0) AS looked_up
            WHERE looked_up.place = t.place)`;
}

/** Without the place of a row its index alone answers; with it, the row that an entry leads to, whatever that is. */
function phantomsInPostgres(names: SqlNames, settings: CheckSettings, { columns }: Found): string {
  const { events } = names;
  const list = columns.map((column) => `"${column}"`).join(', ');
  const where = `WHERE ${inSample(names, settings)} ORDER BY ${list}`;
  return `WITH by_index AS MATERIALIZED (SELECT ${list} FROM ${events} ${where}),
         by_row AS MATERIALIZED (SELECT ${list}, ctid FROM ${events} ${where})
    SELECT count(*) AS phantoms FROM (SELECT ${list} FROM by_index EXCEPT ALL SELECT ${list} FROM by_row) AS p`;
}

function lostInSqlite({ events, id }: SqlNames, { name, columns }: Found, parts: readonly string[]): string {
  const same = columns.map((column) => `i."${column}" = t."${column}"`).join(' AND ');
  const keys = [...columns.map((column) => `"${column}"`), id];
  const rows = rowsOf([...new Set(keys)].join(', '), `${events} NOT INDEXED`, parts, keys);
  return `SELECT count(*) AS lost FROM (${rows}) AS t
     WHERE NOT EXISTS (SELECT 1 FROM ${events} AS i ${indexedBy(name)} WHERE ${same} AND i.${id} = t.${id})`;
}

function phantomsInSqlite(names: SqlNames, settings: CheckSettings, { name, columns }: Found): string {
  const { events } = names;
  const list = columns.map((column) => `"${column}"`).join(', ');
  const same = columns.map((column) => `t."${column}" = i."${column}"`).join(' AND ');
  return `SELECT count(*) AS phantoms FROM (
      SELECT _rowid_ AS place, ${list} FROM ${events} ${indexedBy(name)} WHERE ${inSample(names, settings)}) AS i
     WHERE NOT EXISTS (SELECT 1 FROM ${events} AS t NOT INDEXED WHERE t._rowid_ = i.place AND ${same})`;
}

/** What is nothing is equal to nothing, so it cannot be looked up; that it is there is found elsewhere. */
function present(keys: readonly string[]): string {
  return keys.map((key) => `${key} IS NOT NULL`).join(' AND ');
}

function indexedBy(name: string): string {
  return `INDEXED BY "${name.replaceAll('"', '""')}"`;
}

function damaged(names: SqlNames, { name, table }: Found, says: string, events: number): CheckFound {
  return {
    ...{ object: name, message: `index ${name} ${says}`, events },
    repair: 'rebuild_index',
    statements: [rebuilt({ name, table }, names)],
  };
}

/**
 * Rows that are gone past the server are told of by every index, and those that are not compared too. Each entry that stays tells of whatever row comes to lie in
 * its place.
 */
function allRebuilt({ events, dialect }: SqlNames): RepairStatement {
  const sql = dialect === 'postgres' ? `REINDEX TABLE ${events}` : `REINDEX ${events}`;
  return { sql, reason: 'build all indexes of the events anew from the table', before: null };
}
