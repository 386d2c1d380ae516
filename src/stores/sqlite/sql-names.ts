import type { DatabaseSync } from 'node:sqlite';
import type { SqlIndex, SqlNames } from '../../core/inspection.ts';
import type { OwnSqliteLayout } from '../layouts/eventcore-sqlite.ts';
import type { SqliteConfig } from './config.ts';
import { presentCompanions } from './inspector.ts';
import { endsOf, sourceOf } from './source.ts';
import { quoted } from './sql.ts';

/** The function that `bucketSql` calls. */
export const BUCKET_FUNCTION = 'eventcore_bucket';

/** What statements call the things of this database; of the companions, those that are there. */
export function sqlNames(db: DatabaseSync, config: SqliteConfig): SqlNames {
  const { layout } = config;
  const { name, versionBase, events } = layout;
  const present = presentCompanions(db, config);
  const checkpoints = present.find(({ role }) => role === 'checkpoints');
  const snapshots = present.find(({ role }) => role === 'snapshots');
  const { id, stream, version, type, data, metadata, time } = events.columns;
  const bucket = (seed: number, of: number, text = quoted(stream)): string =>
    `${BUCKET_FUNCTION}(${text}, ${Number(seed)}, ${Number(of)})`;
  return {
    ...{
      dialect: 'sqlite',
      layout: name,
      versionBase,
      events: sourceOf(db, config),
    },
    ...{ id: quoted(id), stream: quoted(stream), version: quoted(version), type: quoted(type) },
    ...{ data: quoted(data), metadata: quoted(metadata), time: quoted(time) },
    checkpoints:
      checkpoints === undefined
        ? null
        : { table: quoted(checkpoints.table), name: 'subscription_name', position: 'last_position' },
    // What EventCore keeps of its streams in there is no part of the layout.
    snapshots:
      snapshots === undefined ? null : { table: quoted(snapshots.table), id: 'snapshot_id', versions: null },
    ...{ schemaName: null, eventsName: events.table },
    tables: [events.table, ...present.map(({ table }) => table)],
    // EventCore has no triggers in SQLite: it alone keeps to the rules.
    guards: [],
    unindexed: layout.foreign === null ? 'NOT INDEXED' : '',
    // Others' are their own.
    indexes: layout.foreign === null ? indexesOf(layout) : [],
    bucket,
    inStreams: (streams) => {
      const isIn = (column: string, texts: readonly string[]): string =>
        `${quoted(column)} IN (SELECT value FROM json_each('${JSON.stringify(texts).replaceAll("'", "''")}'))`;
      const isOne = isIn(stream, streams);
      if (layout.foreign === null) return isOne;
      const { separator } = layout.foreign.streamKey;
      return `${isIn(
        'stream_key',
        streams.flatMap((name) => endsOf(name, separator)),
      )} AND ${isOne}`;
    },
    inBucket: ({ seed, of, buckets }) => `${bucket(seed, of)} IN (${buckets.map(Number).join(',')})`,
  };
}

function indexesOf({ events }: OwnSqliteLayout): SqlIndex[] {
  const about = { table: quoted(events.table), tableName: events.table };
  const key: SqlIndex = {
    ...{ ...about, name: null, unique: true, isKey: true, columns: [events.columns.id], create: null },
  };
  return [key, ...events.indexes.map((index) => ({ ...about, ...index, isKey: false }))];
}
