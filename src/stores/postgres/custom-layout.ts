import pg from 'pg';
import type { CustomMapping } from '../../core/custom-mapping.ts';
import type { ForeignLayout, ForeignSequence, WholeColumn } from '../layouts/foreign.ts';

/** What the columns of a mapping are, as far as it makes a difference. */
export interface ColumnType {
  /** As format_type() spells it, without length or precision; of a domain, that of what it is made of. */
  readonly base: string;
  /** Of any type of text, or an enum. */
  readonly isText: boolean;
}

/** Types that fit each part; `text` stands for any of text. */
export const PART_TYPES = {
  id: ['uuid', 'text', 'bigint', 'integer', 'smallint'],
  stream: ['text', 'uuid', 'bigint', 'integer', 'smallint'],
  version: ['bigint', 'integer', 'smallint'],
  type: ['text', 'bigint', 'integer', 'smallint'],
  data: ['jsonb', 'json', 'text', 'bytea'],
  time: ['timestamp with time zone', 'timestamp without time zone'],
} as const;

/** Turns a mapping into a layout. `types` has the columns that it names; sequences of its own are told beside. */
export function customLayout(
  name: string,
  mapping: CustomMapping,
  types: ReadonlyMap<string, ColumnType>,
  sequences: readonly ForeignSequence[],
): ForeignLayout {
  const { columns, order } = mapping;
  const id = readId(mapping, types);
  const data = readData(columns.data, types.get(columns.data)?.base ?? 'jsonb');
  const time = readTime(columns.time, types.get(columns.time)?.base);
  const whole: Record<string, WholeColumn> = {
    ...(columns.id === null || id.whole === null ? {} : { [columns.id]: id.whole }),
    [columns.stream]: { sql: 's.stream_id' },
    [columns.version]: { sql: 's.stream_version' },
    [columns.type]: { sql: 's.event_type' },
    [columns.data]: data.whole,
    [columns.time]: { sql: time.whole },
  };
  const isJsonb = columns.metadata !== null && types.get(columns.metadata)?.base === 'jsonb';
  return {
    name,
    ...{ schema: mapping.schema, table: mapping.table, versionBase: mapping.versionBase, columns: {} },
    metadata: isJsonb ? columns.metadata : null,
    read: {
      ...{ id: id.read, data: data.read, time: time.read },
      stream: textOf(columns.stream, types),
      version: column(columns.version),
      type: textOf(columns.type, types),
    },
    ...{ whole, rewritten: {} },
    order: order.map((of) => orderOf(of, whole, types)).join(', ') || 's.stream_id COLLATE "C"',
    sequences: [...sequences, ...mapping.sequences],
    companions: mapping.belongs.map((table) => ({ ...table, key: pg.escapeIdentifier(table.key) })),
    ...{ before: [], after: [], made: 'its own migrations' },
  };
}

function column(name: string): string {
  return `e.${pg.escapeIdentifier(name)}`;
}

/** Left as it is where it is text already: so that an index on it is of use. */
function textOf(name: string, types: ReadonlyMap<string, ColumnType>): string {
  return types.get(name)?.base === 'text' ? column(name) : `${column(name)}::text`;
}

const UUID = "'^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'";

interface PartSql {
  readonly read: string;
  /** Null: its value travels beside. */
  readonly whole: WholeColumn | null;
}

/** What is no uuid becomes one, made of all that names the event: so it is the same whenever it is read. */
function readId({ columns }: CustomMapping, types: ReadonlyMap<string, ColumnType>): PartSql {
  const { id, stream, version } = columns;
  const parts = [`${column(stream)}::text`, column(version), ...(id === null ? [] : [`${column(id)}::text`])];
  const made = `md5(jsonb_build_array(${parts.join(', ')})::text)::uuid`;
  const type = id === null ? undefined : types.get(id);
  if (id === null || type === undefined) return { read: made, whole: null };
  if (type.base === 'uuid') return { read: column(id), whole: { sql: 's.event_id' } };
  if (!type.isText) return { read: made, whole: null };
  const text = `${column(id)}::text`;
  return {
    read: `CASE WHEN ${text} ~ ${UUID} THEN ${text}::uuid ELSE ${made} END`,
    whole: { sql: 's.event_id::text', unless: `${text} !~ ${UUID}` },
  };
}

interface DataSql {
  readonly read: string;
  readonly whole: WholeColumn;
}

/**
 * jsonb has a place in a batch as it is. json has, too, but what it was written like travels beside where that is lost, and what jsonb does not
 * take becomes a string. Text and bytes become strings: nobody says that they are JSON.
 */
function readData(name: string, base: string): DataSql {
  const value = column(name);
  const unlessNull = `${value} IS NULL`;
  if (base === 'jsonb') return { read: value, whole: { sql: 's.event_data', unless: unlessNull } };
  if (base === 'bytea') {
    return {
      read: `to_jsonb(translate(encode(${value}, 'base64'), E'\\n', ''))`,
      whole: { sql: "decode(s.event_data #>> '{}', 'base64')", unless: unlessNull },
    };
  }
  const text = `${value}::text`;
  if (base !== 'json')
    return { read: `to_jsonb(${text})`, whole: { sql: "s.event_data #>> '{}'", unless: unlessNull } };
  const pairs = `'\\\\ud[89ab][0-9a-f]{2}\\\\ud[c-f][0-9a-f]{2}'`;
  const read = `CASE WHEN regexp_replace(${text}, ${pairs}, '', 'gi') ~* '\\\\u(0000|d[89a-f])' THEN to_jsonb(${text}) ELSE ${value}::jsonb END`;
  return {
    read,
    whole: { sql: 's.event_data::text', unless: `${unlessNull} OR ${text} <> (${read})::text` },
  };
}

function readTime(name: string, base: string | undefined): { read: string; whole: string } {
  if (base === 'timestamp without time zone')
    return { read: `${column(name)} AT TIME ZONE 'UTC'`, whole: "s.created_at AT TIME ZONE 'UTC'" };
  return { read: column(name), whole: 's.created_at' };
}

/** Over a staged row. What a cast to a whole type loses is of no use to an order. */
function orderOf(
  name: string,
  whole: Readonly<Record<string, WholeColumn>>,
  types: ReadonlyMap<string, ColumnType>,
): string {
  const base = types.get(name)?.base ?? 'text';
  const beside = `(s.metadata -> 'columns' ->> ${pg.escapeLiteral(name)})::${base}`;
  const known = whole[name];
  if (known === undefined) return beside;
  return known.unless === undefined ? known.sql : `coalesce(${beside}, (${known.sql})::${base})`;
}
