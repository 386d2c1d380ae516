import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { BackupError } from '../../core/errors.ts';
import type { StreamSummary } from '../../core/event-store.ts';
import type { StreamSample } from '../../core/inspection.ts';
import { nameBytes, nameText } from '../../core/name-text.ts';
import { bucketFilter } from '../../core/stream-bucket.ts';
import type { SqliteConfig } from './config.ts';
import { storeError } from './errors.ts';
import { onStore } from './events.ts';
import { sourceOf, streamCondition } from './source.ts';
import { quoted } from './sql.ts';

const SUMMARIES_PER_TURN = 1000;

/** What the table holds of each stream, in byte order of the names. */
export async function* readSummaries(db: DatabaseSync, config: SqliteConfig): AsyncGenerator<StreamSummary> {
  const { groups, idOf } = groupsSql(db, config);
  const streams = prepare(db, `SELECT name, events, first, last, (${idOf}) FROM (${groups})`);
  for await (const row of rowsOf(streams, config)) yield toSummary(row, row[4]);
}

/** Only of the streams of some buckets: of the others nothing but the index is read. */
export async function* readSampledSummaries(
  db: DatabaseSync,
  config: SqliteConfig,
  sample: StreamSample,
): AsyncGenerator<StreamSummary> {
  const isWanted = bucketFilter(sample);
  const { groups, idOf } = groupsSql(db, config);
  const streams = prepare(db, `SELECT name, events, first, last, typeof(s) = 'text', k FROM (${groups})`);
  const findId = prepare(
    db,
    `SELECT (${idOf}) FROM (SELECT iif(?1, CAST(?2 AS TEXT), ?2) AS s, ?3 AS last, ?4 AS k)`,
  );
  for await (const row of rowsOf(streams, config)) {
    const [name, , , last, isText, key] = row;
    if (!isWanted(name as Uint8Array)) continue;
    const found = findId.get(isText as number, name as Uint8Array, last as number, key as number);
    yield toSummary(row, (found as unknown as readonly unknown[])[0]);
  }
}

/** Of one stream, by the index on stream and version; null when there is none. A name may be a BLOB. */
export function findSummary(config: SqliteConfig, streamId: string): StreamSummary | null {
  const { foreign, events } = config.layout;
  const [stream, version] = [quoted(events.columns.stream), quoted(events.columns.version)];
  const isIt =
    foreign === null
      ? { sql: `${stream} IN (CAST(?1 AS TEXT), ?1)`, valuesOf: (name: string) => [nameBytes(name)] }
      : streamCondition(foreign, stream);
  return onStore(config, 'read', (db) => {
    const rows = `FROM ${sourceOf(db, config)} WHERE ${isIt.sql}`;
    const values = isIt.valuesOf(streamId);
    const find = prepare(db, `SELECT count(*), min(${version}), max(${version}) ${rows}`);
    const [count, first, last] = find.get(...values) as unknown as readonly unknown[];
    if (count === 0) return null;
    const id = `CAST(${quoted(events.columns.id)} AS TEXT)`;
    const found = prepare(db, `SELECT ${id} ${rows} AND ${version} = ?`).get(...values, last as number);
    const [lastId] = found as unknown as readonly unknown[];
    return toSummary([nameBytes(streamId), count, first, last], lastId);
  });
}

/**
 * The streams, with what tells where the id of the last event of each lies, and SQL that finds it there. An index on (stream, version) gives
 * EventCore's in their order, which an outer SELECT keeps: to sort there again would cost as much as all of this. Summaries out of order would
 * fail the comparison, not pass it.
 *
 * Others' streams may be computed, and no index find them: the row with the last version is taken along, which SQLite does for max() alone.
 */
function groupsSql(db: DatabaseSync, config: SqliteConfig): { groups: string; idOf: string } {
  const { foreign, events } = config.layout;
  const from = sourceOf(db, config);
  const [stream, version] = [quoted(events.columns.stream), quoted(events.columns.version)];
  const select = `SELECT CAST(${quoted(events.columns.id)} AS TEXT) FROM ${from}`;
  const group = `${stream} AS s, CAST(${stream} AS BLOB) AS name, count(*) AS events`;
  if (foreign === null) {
    return {
      groups: `SELECT ${group}, min(${version}) AS first, max(${version}) AS last, NULL AS k
                 FROM ${from} GROUP BY ${stream} ORDER BY ${stream}`,
      idOf: `${select} WHERE ${stream} = s AND ${version} = last`,
    };
  }
  return {
    groups: `SELECT * FROM (SELECT ${group}, max(${version}) AS last, _rowid_ AS k FROM ${from} GROUP BY ${stream})
               JOIN (SELECT ${stream} AS s, min(${version}) AS first FROM ${from} GROUP BY ${stream}) USING (s) ORDER BY s`,
    idOf: `${select} WHERE _rowid_ = k`,
  };
}

function prepare(db: DatabaseSync, sql: string): StatementSync {
  const statement = db.prepare(sql);
  statement.setReturnArrays(true);
  return statement;
}

async function* rowsOf(
  statement: StatementSync,
  { address }: SqliteConfig,
): AsyncGenerator<readonly unknown[]> {
  let read = 0;
  try {
    for (const row of statement.iterate()) {
      yield row as unknown as readonly unknown[];
      read += 1;
      if (read % SUMMARIES_PER_TURN === 0) await nextTurn();
    }
  } catch (error) {
    throw storeError(address, error);
  }
}

function toSummary([name, events, first, last]: readonly unknown[], id: unknown): StreamSummary {
  if (id == null) {
    throw new BackupError('damaged', 'an index of the events tells of some that the table does not have', {
      hint: 'REINDEX the table, then look again',
    });
  }
  return {
    streamId: nameText(name as Uint8Array),
    events: Number(events),
    firstVersion: Number(first),
    lastVersion: Number(last),
    lastEventId: String(id),
  };
}
