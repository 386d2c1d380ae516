import type pg from 'pg';
import type { CustomMapping } from '../../core/custom-mapping.ts';
import { BackupError } from '../../core/errors.ts';
import type { ForeignLayout } from '../layouts/foreign.ts';
import { findTable, qualified } from './catalog.ts';
import { type ColumnType, customLayout, PART_TYPES } from './custom-layout.ts';
import { readTargetColumns } from './target-columns.ts';

interface MappedColumn extends ColumnType {
  readonly isNullable: boolean;
  readonly isGenerated: boolean;
}

type MappedColumns = ReadonlyMap<string, MappedColumn>;

/**
 * Holds a mapping of the configuration against the tables that are there. Null when there is no such table. Throws `store_unsupported`,
 * naming every column that does not fit, and the way out.
 */
export async function findCustomLayout(
  client: pg.Client,
  schema: string,
  name: string,
  mapping: CustomMapping,
): Promise<ForeignLayout | null> {
  const table = await findTable(client, schema, mapping.table);
  if (table === null) return null;
  const columns = await readMapped(client, table.oid);
  const faults = [
    ...findUnknown(mapping, columns),
    ...findUnfit(mapping, columns),
    ...(await findUnkeyed(client, table.oid, mapping)),
    ...(await findMissingTables(client, schema, mapping)),
    ...(await findMissingSequences(client, schema, mapping)),
  ];
  if (faults.length > 0) throw unfit(name, qualified(schema, mapping.table), faults);
  // Those of serial and identity columns, and those that a default takes its value from.
  const counted = (await readTargetColumns(client, table.oid)).flatMap(({ name: column, byDefault }) =>
    byDefault?.startsWith('nextval(') ? [{ column }] : [],
  );
  return customLayout(name, mapping, columns, counted);
}

interface Fault {
  readonly what: string;
  readonly wayOut: string;
}

function unfit(name: string, table: string, faults: readonly Fault[]): BackupError {
  const message = `${table} does not fit layouts.${name}: ${faults.map(({ what }) => what).join('; ')}`;
  return new BackupError('store_unsupported', message, {
    hint: [...new Set(faults.map(({ wayOut }) => wayOut))].join('; '),
  });
}

/** Of a domain, what it is made of. */
async function readMapped(client: pg.Client, oid: string): Promise<MappedColumns> {
  const { rows } = await client.query<{ name: string } & MappedColumn>(
    `SELECT attname AS name, NOT (attnotnull OR typnotnull) AS "isNullable", attgenerated <> '' AS "isGenerated",
            format_type(coalesce(nullif(typbasetype, 0), atttypid), NULL) AS base,
            typcategory = 'S' OR typtype = 'e' AS "isText"
       FROM pg_attribute JOIN pg_type t ON t.oid = atttypid
      WHERE attrelid = $1::oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum`,
    [oid],
  );
  return new Map(rows.map(({ name, ...about }) => [name, about]));
}

/** Where each column is named, as a path into the mapping. */
function namedColumns({ columns, order, sequences }: CustomMapping): [path: string, column: string][] {
  const parts = Object.entries(columns).flatMap(([part, column]): [string, string][] =>
    column === null ? [] : [[`columns.${part}`, column]],
  );
  return [
    ...parts,
    ...order.map((column): [string, string] => ['order', column]),
    ...sequences.map(({ name, column }): [string, string] => [`sequences.${name}`, column]),
  ];
}

function findUnknown(mapping: CustomMapping, columns: MappedColumns): Fault[] {
  return namedColumns(mapping).flatMap(([path, column]) =>
    columns.has(column)
      ? []
      : [
          {
            what: `${path}: there is no column ${column}`,
            wayOut: `the table has ${[...columns.keys()].join(', ')}`,
          },
        ],
  );
}

const MUST_BE_THERE = ['id', 'stream', 'version', 'type', 'time'];

/** Columns that are there, and cannot be what they are mapped to. */
function findUnfit({ columns, table }: CustomMapping, found: MappedColumns): Fault[] {
  return Object.entries(PART_TYPES).flatMap(([part, types]) => {
    const column = columns[part as keyof typeof PART_TYPES];
    const is = column === null ? undefined : found.get(column);
    if (column === null || is === undefined) return [];
    const path = `columns.${part}: column ${column}`;
    const faults: Fault[] = [];
    const fitting: readonly string[] = types;
    const fits = fitting.includes(is.base) || (is.isText && fitting.includes('text'));
    if (!fits) {
      faults.push({
        what: `${path} is ${is.base}`,
        wayOut: `${part} takes ${types.join(', ')}`,
      });
    }
    if (is.isNullable && MUST_BE_THERE.includes(part)) {
      faults.push({
        what: `${path} may be NULL`,
        wayOut: `ALTER TABLE ${table} ALTER COLUMN ${column} SET NOT NULL, or map another column`,
      });
    }
    if (is.isGenerated) {
      faults.push({
        what: `${path} is generated`,
        wayOut: `map the column that ${column} is made from: a restore cannot write it`,
      });
    }
    return faults;
  });
}

/** Stream and version name one event; so does the id. A partial or invalid index says nothing. */
async function findUnkeyed(
  client: pg.Client,
  oid: string,
  { table, columns: { id, stream, version } }: CustomMapping,
): Promise<Fault[]> {
  const { rows } = await client.query<{ names: string[] }>(
    `SELECT array(SELECT attname::text FROM pg_attribute
                   WHERE attrelid = indrelid AND attnum = ANY ((indkey::int2[])[0:indnkeyatts - 1])) AS names
       FROM pg_index
      WHERE indrelid = $1::oid AND indisunique AND indisvalid AND indpred IS NULL AND indexprs IS NULL`,
    [oid],
  );
  const isUnique = (...within: string[]): boolean =>
    rows.some(({ names }) => names.every((name) => within.includes(name)));
  const partitionedBy = await partitionKey(client, oid);
  /** The server makes a unique index over partitions only with what they are made by. */
  const makeUnique = (...columns: string[]): string => {
    const missing = partitionedBy.filter((column) => !columns.includes(column));
    return missing.length === 0
      ? `CREATE UNIQUE INDEX ON ${table} (${columns.join(', ')})`
      : `${table} is partitioned by ${partitionedBy.join(', ')}, and no unique index goes over such partitions without it: partition by ${columns[0]}`;
  };
  const faults: Fault[] = [];
  if (!isUnique(stream, version)) {
    faults.push({
      what: `no unique key says that ${stream} and ${version} name one event`,
      wayOut: makeUnique(stream, version),
    });
  }
  if (id !== null && !isUnique(id)) {
    faults.push({
      what: `columns.id: column ${id} is not unique by itself`,
      wayOut: `${makeUnique(id)}, or leave \`id\` out: ids are made of stream and version then`,
    });
  }
  return faults;
}

/** Empty where the table has no partitions; what is no column stands for itself. */
async function partitionKey(client: pg.Client, oid: string): Promise<string[]> {
  const { rows } = await client.query<{ names: string[] }>(
    `SELECT array(SELECT coalesce((SELECT attname::text FROM pg_attribute WHERE attrelid = partrelid AND attnum = key),
                                  'an expression') FROM unnest(partattrs::int2[]) AS key) AS names
       FROM pg_partitioned_table WHERE partrelid = $1::oid`,
    [oid],
  );
  return rows[0]?.names ?? [];
}

async function findMissingTables(
  client: pg.Client,
  schema: string,
  { belongs }: CustomMapping,
): Promise<Fault[]> {
  const faults: Fault[] = [];
  for (const { name, key } of belongs) {
    const found = await findTable(client, schema, name);
    if (found === null) {
      faults.push({
        what: `belongs: there is no table ${name}`,
        wayOut: `make ${name} in schema ${schema}, or leave it out`,
      });
    } else if (!found.columns.has(key)) {
      faults.push({
        what: `belongs: table ${name} has no column ${key}`,
        wayOut: `${name} has ${[...found.columns.keys()].join(', ')}`,
      });
    }
  }
  return faults;
}

async function findMissingSequences(
  client: pg.Client,
  schema: string,
  { sequences }: CustomMapping,
): Promise<Fault[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT relname AS name FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
      WHERE nspname = $1 AND relkind = 'S' AND relname = ANY ($2::text[])`,
    [schema, sequences.map(({ name }) => name)],
  );
  const there = new Set(rows.map(({ name }) => name));
  return sequences.flatMap(({ name }) =>
    there.has(name)
      ? []
      : [
          {
            what: `sequences: there is no sequence ${name}`,
            wayOut: `make it in schema ${schema}, or leave it out`,
          },
        ],
  );
}
