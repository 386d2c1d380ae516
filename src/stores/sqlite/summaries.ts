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
import { quoted } from './sql.ts';

const SUMMARIES_PER_TURN = 1000;

/** What the table holds of each stream, in byte order of the names. */
export async function* readSummaries(db: DatabaseSync, config: SqliteConfig): AsyncGenerator<StreamSummary> {
  const { from, stream, version, id } = namesOf(config);
  // The index on (stream, version) gives the groups in their order, which the outer SELECT keeps: to sort there again
  // would cost as much as all of this. Summaries out of order would fail the comparison, not pass it.
  const streams = prepare(
    db,
    `SELECT name, events, first, last,
            (SELECT ${id} FROM ${from} WHERE ${stream} = s AND ${version} = last)
     FROM (${groupsSql(config)})`,
  );
  for await (const row of rowsOf(streams, config)) yield toSummary(row, row[4]);
}

/** Only of the streams of some buckets: of the others nothing but the index is read. */
export async function* readSampledSummaries(
  db: DatabaseSync,
  config: SqliteConfig,
  sample: StreamSample,
): AsyncGenerator<StreamSummary> {
  const { from, stream, version, id } = namesOf(config);
  const isWanted = bucketFilter(sample);
  const groups = prepare(db, `SELECT name, events, first, last FROM (${groupsSql(config)})`);
  // A name may be a BLOB.
  const findId = prepare(
    db,
    `SELECT ${id} FROM ${from} WHERE ${stream} IN (CAST(?1 AS TEXT), ?1) AND ${version} = ?2`,
  );
  for await (const row of rowsOf(groups, config)) {
    const name = row[0] as Uint8Array;
    if (!isWanted(name)) continue;
    const found = findId.get(name, row[3] as number) as unknown as readonly unknown[] | undefined;
    yield toSummary(row, found?.[0]);
  }
}

/** Of one stream, by the index on stream and version; null when there is none. A name may be a BLOB. */
export function findSummary(config: SqliteConfig, streamId: string): StreamSummary | null {
  const { from, stream, version, id } = namesOf(config);
  const isIt = `${stream} IN (CAST(?1 AS TEXT), ?1)`;
  return onStore(config, 'read', (db) => {
    const find = prepare(
      db,
      `SELECT ?1, events, first, last, (SELECT ${id} FROM ${from} WHERE ${isIt} AND ${version} = last)
         FROM (SELECT count(*) AS events, min(${version}) AS first, max(${version}) AS last
                 FROM ${from} WHERE ${isIt})`,
    );
    const row = find.get(nameBytes(streamId)) as unknown as readonly unknown[];
    return row[1] === 0 ? null : toSummary(row, row[4]);
  });
}

function namesOf({ layout }: SqliteConfig) {
  const { table, columns } = layout.events;
  const [stream, version] = [quoted(columns.stream), quoted(columns.version)];
  return { from: quoted(table), stream, version, id: `CAST(${quoted(columns.id)} AS TEXT)` };
}

function groupsSql(config: SqliteConfig): string {
  const { from, stream, version } = namesOf(config);
  return `SELECT ${stream} AS s, CAST(${stream} AS BLOB) AS name, count(*) AS events,
                 min(${version}) AS first, max(${version}) AS last
            FROM ${from} GROUP BY ${stream} ORDER BY ${stream}`;
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
