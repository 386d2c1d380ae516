import { BackupError } from '../../core/errors.ts';
import type { SqliteForeignLayout } from '../layouts/foreign-sqlite.ts';
import { quoted } from './sql.ts';

/** How rows of others' tables are read as events of a batch, and written back (FORMAT.md §25). */

/** A column, without those that are computed. */
export interface TableColumn {
  readonly name: string;
  readonly affinity: Affinity;
  /** A row may leave it out. */
  readonly isOptional: boolean;
}

/** What SQLite makes of a text that is put into a column: `none`, nothing. */
export type Affinity = 'text' | 'numeric' | 'real' | 'none';

/** By the column's declared type (sqlite.org/datatype3.html §3.1). */
export function affinityOf(type: string, isStrict: boolean): Affinity {
  const upper = type.toUpperCase();
  if (upper.includes('INT')) return 'numeric';
  if (/CHAR|CLOB|TEXT/.test(upper)) return 'text';
  if (upper === '' || upper.includes('BLOB') || (isStrict && upper === 'ANY')) return 'none';
  return /REAL|FLOA|DOUB/.test(upper) ? 'real' : 'numeric';
}

/** Storage classes of which a value comes back when its text is put into such a column. */
const COMES_BACK: Readonly<Record<Affinity, readonly string[]>> = {
  text: ['text'],
  numeric: ['text', 'integer', 'real'],
  real: ['text', 'real'],
  none: ['text'],
};

/** Whether a value's text, put into its column, gives the value again. */
export function comesBack({ affinity }: TableColumn, value: string): string {
  return `typeof(${value}) IN (${COMES_BACK[affinity].map(literal).join(', ')})`;
}

/** A table of others as one with the columns of EventCore's, `stream_key` and the rowid: to stand where a table's name may. */
export function foreignSource(
  layout: SqliteForeignLayout,
  columns: readonly TableColumn[],
  address: string,
): string {
  const { read, table, streamKey } = layout;
  assertNames(layout, columns, address);
  return `(SELECT ${read.id} AS event_id, ${read.stream} AS stream_id, ${read.version} AS stream_version,
    ${read.type} AS event_type, coalesce(${read.data}, 'null') AS event_data,
    ${envelope(layout, columns)} AS metadata, ${read.time} AS created_at, e.${quoted(streamKey.column)} AS stream_key,
    e.${rowidName(layout, columns, address)} AS _rowid_ FROM main.${quoted(table)} AS e)`;
}

/** Paths into JSON have no way to write these. */
function assertNames({ table }: SqliteForeignLayout, columns: readonly TableColumn[], address: string): void {
  const odd = columns.find(({ name }) => /["\\]/.test(name));
  if (odd === undefined) return;
  throw new BackupError(
    'store_unsupported',
    `table ${table} of ${address} has a column ${JSON.stringify(odd.name)}`,
    {
      hint: 'rename it without quotation marks and backslashes',
    },
  );
}

/** A column may have one of its names. */
function rowidName({ table }: SqliteForeignLayout, columns: readonly TableColumn[], address: string): string {
  const taken = new Set(columns.map(({ name }) => name.toLowerCase()));
  const name = ['_rowid_', 'rowid', 'oid'].find((known) => !taken.has(known));
  if (name !== undefined) return name;
  throw new BackupError('store_unsupported', `rows of table ${table} of ${address} cannot be told apart`, {
    hint: 'rename one of its columns _rowid_, rowid and oid: they hide the number that SQLite gives a row',
  });
}

/** NULL as metadata is a key that is not there. What is otherwise whole stands beside where it must. */
function envelope({ whole, metadata }: SqliteForeignLayout, columns: readonly TableColumn[]): string {
  const members = columns.flatMap((column) => {
    if (column.name === metadata) return [];
    const known = whole[column.name];
    return [known === undefined ? member(column) : exception(column, known.unless)];
  });
  const rest = `concat(${["''", ...members].join(', ')})`;
  const alone = `concat('{"columns":{', substr(${rest}, 2), '}}')`;
  const own = columns.find(({ name }) => name === metadata);
  if (own === undefined) return alone;
  const value = reference(own);
  return `CASE WHEN ${value} IS NULL THEN ${alone}
    WHEN ${isKept(value)} THEN concat('{"metadata":', ${value}, ',"columns":{', substr(${rest}, 2), '}}')
    ELSE concat('{"columns":{', substr(concat(${member(own)}, ${rest}), 2), '}}') END`;
}

/** Whether a text is JSON that stays the same, byte for byte, when it is a part of other JSON and taken out again. */
export function isKept(value: string): string {
  return `CASE WHEN typeof(${value}) <> 'text' OR NOT json_valid(concat('[', ${value}, ']')) OR NOT json_valid(${value})
    THEN 0 ELSE json(${value}) = ${value} END`;
}

function member(column: TableColumn): string {
  return `concat(${literal(`,${JSON.stringify(column.name)}:`)}, ${valueJson(column)})`;
}

/** Also a value of a class that its text would not come back as. */
function exception(column: TableColumn, unless: string | undefined): string {
  const classes = COMES_BACK[column.affinity].filter((name) => name !== 'real').map(literal);
  const isOdd = `typeof(${reference(column)}) NOT IN (${classes.join(', ')})`;
  const when = unless === undefined ? isOdd : `${isOdd} OR ${unless}`;
  return `CASE WHEN ${when} THEN ${member(column)} ELSE '' END`;
}

/** The text of a value; where that would come back as one of another storage class, an object that says which. */
function valueJson(column: TableColumn): string {
  const value = reference(column);
  const asText = (name: string, text: string): string =>
    COMES_BACK[column.affinity].includes(name)
      ? `concat('"', ${text}, '"')`
      : `concat('{"${name}":"', ${text}, '"}')`;
  return `CASE typeof(${value}) WHEN 'null' THEN 'null' WHEN 'text' THEN json_quote(${value})
    WHEN 'integer' THEN ${asText('integer', value)} WHEN 'real' THEN ${asText('real', realText(value))}
    ELSE ${asText('blob', `hex(${value})`)} END`;
}

/** Seventeen digits tell every number from its neighbours. SQLite reads its infinity only as a number that is too large. */
export function realText(value: string): string {
  return `CASE ${value} WHEN 9e999 THEN '9e999' WHEN -9e999 THEN '-9e999' ELSE format('%!.17g', ${value}) END`;
}

function reference({ name }: TableColumn): string {
  return `e.${quoted(name)}`;
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** A column's name, and the SQL that gives its value of a staged row `s`, which has EventCore's columns, and of its `number`. */
export interface WrittenColumn {
  readonly name: string;
  readonly sql: string;
}

/** All columns of a target that staged rows have values for, `given` being those that stand beside the metadata of any. */
export function foreignColumns(
  layout: SqliteForeignLayout,
  columns: readonly TableColumn[],
  given: ReadonlySet<string>,
): WrittenColumn[] {
  return columns.flatMap(({ name }) => {
    const sql = writtenSql(layout, name, given.has(name));
    return sql === null ? [] : [{ name, sql }];
  });
}

/** Null: nothing says what it had. */
function writtenSql(
  { whole, metadata, rewritten }: SqliteForeignLayout,
  name: string,
  isGiven: boolean,
): string | null {
  if (rewritten[name] !== undefined) return rewritten[name];
  const known = name === metadata ? "s.metadata -> '$.metadata'" : whole[name]?.sql;
  if (!isGiven) return known ?? null;
  const path = columnPath(name);
  if (known === undefined) return besideSql(path);
  return `CASE WHEN json_type(s.metadata, ${path}) IS NOT NULL THEN ${besideSql(path)} ELSE ${known} END`;
}

function besideSql(path: string): string {
  const of = (name: string): string => `s.metadata ->> concat(${path}, '.${name}')`;
  return `CASE json_type(s.metadata, ${path}) WHEN 'text' THEN s.metadata ->> ${path}
    WHEN 'object' THEN coalesce(unhex(${of('blob')}), CAST(${of('integer')} AS INTEGER), CAST(${of('real')} AS REAL)) END`;
}

function columnPath(name: string): string {
  return literal(`$.columns."${name}"`);
}
