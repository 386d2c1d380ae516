import pg from 'pg';
import type { ForeignLayout } from '../layouts/foreign.ts';
import type { TargetColumn } from './target-columns.ts';

/** How rows of others' tables are read as events of a batch, and written back (FORMAT.md §25). */

/** Name and type, as format_type() spells it, of all columns that a table has. */
type Columns = ReadonlyMap<string, string>;

/** Where a layout's SQL is to run: its schema, and what columns the events' table has there. */
export interface ForeignPlace {
  readonly schema: string;
  readonly columns: Columns;
}

/** SQL of a layout with what depends on the place put in. */
export function placed(sql: string, { schema, columns }: ForeignPlace): string {
  return sql
    .replaceAll('{schema}', () => pg.escapeIdentifier(schema))
    .replaceAll(/\{type of (\w+)\}/g, (_, name: string) => columns.get(name) ?? 'text');
}

/** A table of others as one with the columns of EventCore's, and with ctid and xmin: to stand where a table's name may. */
export function foreignSource(layout: ForeignLayout, table: string, place: ForeignPlace): string {
  return placed(sourceSql(layout, table, place.columns), place);
}

function sourceSql(layout: ForeignLayout, table: string, columns: Columns): string {
  const { read } = layout;
  return `(SELECT ${read.id} AS event_id, ${read.stream} AS stream_id, (${read.version})::bigint AS stream_version,
    ${read.type} AS event_type, coalesce(${read.data}, 'null'::jsonb) AS event_data,
    ${envelope(layout, columns)} AS metadata, ${read.time} AS created_at, e.ctid, e.xmin FROM ${table} AS e)`;
}

/** NULL as metadata is a key that is not there. What is otherwise whole stands beside where it must, which is seldom. */
function envelope({ whole, metadata }: ForeignLayout, columns: Columns): string {
  const others = textsOf([...columns.keys()].filter((name) => !(name in whole) && name !== metadata));
  const exceptions = Object.entries(whole).flatMap(([name, { unless }]) =>
    unless === undefined || !columns.has(name) ? [] : [{ name, unless: `(${unless})` }],
  );
  const beside = exceptions.map(
    ({ name, unless }) => `CASE WHEN ${unless} THEN ${textsOf([name])} ELSE '{}'::jsonb END`,
  );
  const any = exceptions.map(({ unless }) => unless).join(' OR ');
  const all =
    exceptions.length === 0
      ? others
      : `CASE WHEN ${any} THEN ${[others, ...beside].join(' || ')} ELSE ${others} END`;
  const object = `jsonb_build_object('columns', ${all})`;
  if (metadata === null) return object;
  const own = `e.${pg.escapeIdentifier(metadata)}`;
  return `CASE WHEN ${own} IS NULL THEN ${object} ELSE jsonb_build_object('metadata', ${own}, 'columns', ${all}) END`;
}

function textsOf(names: readonly string[]): string {
  const pairs = names.map((name) => `${pg.escapeLiteral(name)}, e.${pg.escapeIdentifier(name)}::text`);
  return `jsonb_build_object(${pairs.join(', ')})`;
}

/** A column's name, and the SQL that gives its value of a staged row `s`, which has EventCore's columns, and of its `number`. */
export interface WrittenColumn {
  readonly name: string;
  readonly sql: string;
}

/** All columns of a target, and what goes into them. */
export function foreignColumns(
  layout: ForeignLayout,
  place: ForeignPlace,
  target: readonly TargetColumn[],
): WrittenColumn[] {
  return target.map((column) => ({ name: column.name, sql: placed(writtenSql(layout, column), place) }));
}

function writtenSql(
  { whole, metadata, rewritten }: ForeignLayout,
  { name, type, byDefault }: TargetColumn,
): string {
  if (rewritten[name] !== undefined) return rewritten[name];
  if (name === metadata) return "s.metadata -> 'metadata'";
  const beside = `(s.metadata -> 'columns' ->> ${pg.escapeLiteral(name)})::${type}`;
  const known = whole[name];
  // An event from before the column was there has what the column gives to such.
  if (known === undefined && byDefault === null) return beside;
  if (known === undefined)
    return `CASE WHEN s.metadata -> 'columns' ? ${pg.escapeLiteral(name)} THEN ${beside} ELSE (${byDefault})::${type} END`;
  const given = `(${known.sql})::${type}`;
  if (known.unless === undefined) return given;
  return `CASE WHEN s.metadata -> 'columns' ? ${pg.escapeLiteral(name)} THEN ${beside} ELSE ${given} END`;
}
