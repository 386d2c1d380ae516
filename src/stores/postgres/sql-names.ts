import pg from 'pg';
import type { SqlGuard, SqlIndex, SqlNames } from '../../core/inspection.ts';
import {
  CHECKPOINTS,
  EVENTS,
  LAYOUT_NAME,
  SNAPSHOTS,
  type TableLayout,
  TRIGGERS,
  type TriggerLayout,
  VERSION_BASE,
} from '../layouts/eventcore-postgres.ts';
import type { ForeignLayout } from '../layouts/foreign.ts';
import { bucketSql, inBucketSql } from './buckets.ts';
import { type FoundCompanion, type FoundEvents, qualified } from './catalog.ts';
import { functionSql, indexSql, primaryKeySql, triggerSql } from './schema.ts';

/** What statements call the things of a schema; of the companions, those that are there. */
export function sqlNames(
  schema: string,
  events: FoundEvents,
  companions: readonly FoundCompanion[],
): SqlNames {
  if (events.foreign !== null) return foreignNames(schema, events, events.foreign);
  const present = companions.map(({ layout }) => layout);
  const tableOf = (layout: TableLayout) =>
    present.some(({ name }) => name === layout.name) ? qualified(schema, layout.name) : null;
  const checkpoints = tableOf(CHECKPOINTS);
  const snapshots = tableOf(SNAPSHOTS);
  const indexed = present.filter(({ role }) => role !== 'ledger');
  return {
    dialect: 'postgres',
    unindexed: '',
    layout: LAYOUT_NAME,
    versionBase: VERSION_BASE,
    events: qualified(schema, EVENTS.name),
    ...COLUMNS,
    checkpoints:
      checkpoints === null
        ? null
        : { table: checkpoints, name: 'subscription_name', position: 'last_position' },
    snapshots:
      snapshots === null ? null : { table: snapshots, id: 'snapshot_id', versions: 'stream_versions' },
    schemaName: schema,
    eventsName: EVENTS.name,
    tables: [EVENTS, ...present].map(({ name }) => name),
    guards: TRIGGERS.map((trigger) => guardOf(schema, trigger)),
    indexes: [EVENTS, ...indexed].flatMap((table) => indexesOf(schema, table)),
    ...CONDITIONS,
  };
}

const COLUMNS = {
  id: 'event_id',
  stream: 'stream_id',
  version: 'stream_version',
  type: 'event_type',
  data: 'event_data',
  metadata: 'metadata',
  time: 'created_at',
} as const;

/** Stores of others have guards and indexes of their own, which are not ours to judge. */
function foreignNames(schema: string, { source }: FoundEvents, layout: ForeignLayout): SqlNames {
  return {
    ...{ dialect: 'postgres', unindexed: '', layout: layout.name, versionBase: layout.versionBase },
    events: `${source} AS events`,
    ...COLUMNS,
    ...{ checkpoints: null, snapshots: null, schemaName: schema, eventsName: layout.table },
    ...{ tables: [layout.table], guards: [], indexes: [], ...CONDITIONS },
  };
}

/** Over the columns. */
const CONDITIONS: Pick<SqlNames, 'bucket' | 'inBucket' | 'inStreams'> = {
  bucket: (seed, of, text = COLUMNS.stream) => `(${bucketSql(`${text}::text`, { seed, of })})`,
  inBucket: (sample) => inBucketSql(COLUMNS.stream, sample),
  inStreams: (streams) => `${COLUMNS.stream} = ANY (${pg.escapeLiteral(arrayText(streams))}::text[])`,
};

function arrayText(texts: readonly string[]): string {
  return `{${texts.map((text) => `"${text.replaceAll(/["\\]/g, '\\$&')}"`).join(',')}}`;
}

function guardOf(schema: string, trigger: TriggerLayout): SqlGuard {
  const table = qualified(schema, EVENTS.name);
  const name = pg.escapeIdentifier(trigger.name);
  return {
    name: trigger.name,
    event: trigger.event,
    functionName: trigger.functionName,
    functionBody: trigger.functionBody,
    create: [
      `CREATE OR REPLACE ${functionSql(schema, trigger)}`,
      `DROP TRIGGER IF EXISTS ${name} ON ${table}`,
      triggerSql(schema, trigger),
    ],
    enable: `ALTER TABLE ${table} ENABLE TRIGGER ${name}`,
  };
}

function indexesOf(schema: string, table: TableLayout): SqlIndex[] {
  const { name, column } = table.primaryKey;
  const about = { table: qualified(schema, table.name), tableName: table.name };
  const key: SqlIndex = {
    ...{ ...about, name, unique: true, isKey: true, columns: [column] },
    create: primaryKeySql(schema, table),
  };
  const others = table.indexes.map(
    (index): SqlIndex => ({
      ...{ ...about, name: index.name, unique: index.unique, isKey: false },
      columns: index.columns.split(', '),
      create: indexSql(schema, table, index),
    }),
  );
  return [key, ...others];
}
