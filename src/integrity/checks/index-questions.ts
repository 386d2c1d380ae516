import type { SqlIndex, SqlNames } from '../../core/inspection.ts';
import { literal } from './check.ts';

/**
 * SQL for one row that tells how it stands with an index of the layout: `found`, the name of one that does its work, null where there
 * is none, and `keys`, its columns with commas between them; `named`, what there is of its own name: `unusable`, `other`, or null;
 * `extent`, by how many blocks or row numbers the table can be cut, null where it cannot.
 */
export function indexSql(names: SqlNames, index: SqlIndex): string {
  return names.dialect === 'postgres' ? postgresSql(index) : sqliteSql(index);
}

function postgresSql({ name, table, unique, isKey, columns }: SqlIndex): string {
  const wanted = `ARRAY[${columns.map(literal).join(', ')}]::text[]`;
  // What keeps others out does so in whatever order it has its columns.
  const sorted = (list: string) => `ARRAY(SELECT c FROM unnest(${list}) AS c ORDER BY c)`;
  const same = unique ? `${sorted('columns')} = ${sorted(wanted)}` : `columns = ${wanted}`;
  const does = [
    ...[`usable`, 'whole', same],
    ...(unique ? ['is_unique'] : []),
    ...(isKey ? ['is_key'] : []),
  ].join(' AND ');
  return `WITH there AS (
      SELECT x.relname::text AS name, i.indisunique AND i.indimmediate AS is_unique, i.indisprimary AS is_key,
             i.indisvalid AND i.indisready AND i.indislive AS usable,
             i.indpred IS NULL AND i.indexprs IS NULL AND am.amname = 'btree' AS whole,
             ARRAY(SELECT a.attname::text FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k(number, place)
                     JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
                    WHERE k.place <= i.indnkeyatts ORDER BY k.place) AS columns
        FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am am ON am.oid = x.relam
       WHERE i.indrelid = ${literal(table)}::regclass)
    SELECT min(name) FILTER (WHERE ${does}) AS found, min(array_to_string(columns, ',')) FILTER (WHERE ${does}) AS keys,
           max(CASE WHEN usable THEN 'other' ELSE 'unusable' END) FILTER (WHERE name = ${literal(name!)}) AS named,
           pg_relation_size(${literal(table)}::regclass) / current_setting('block_size')::bigint AS extent
      FROM there`;
}

function sqliteSql({ name, table, tableName, unique, columns }: SqlIndex): string {
  const wanted = literal([...columns].join(','));
  const order = unique ? 'name' : 'seqno';
  const sorted = unique ? literal([...columns].sort().join(',')) : wanted;
  const does = `columns = ${sorted} AND partial = 0${unique ? ' AND is_unique = 1' : ''}`;
  return `WITH there AS (
      SELECT l.name, l."unique" AS is_unique, l.partial,
             (SELECT group_concat(name, ',' ORDER BY ${order}) FROM pragma_index_info(l.name)) AS columns
        FROM pragma_index_list(${literal(tableName)}) AS l)
    SELECT min(name) FILTER (WHERE ${does}) AS found, ${wanted} AS keys,
           max('other') FILTER (WHERE name = ${name === null ? 'NULL' : literal(name)}) AS named,
           (SELECT CASE WHEN wr = 0 THEN (SELECT max(_rowid_) FROM ${table}) END FROM pragma_table_list(${literal(tableName)})
             WHERE schema = 'main') AS extent
      FROM there`;
}
