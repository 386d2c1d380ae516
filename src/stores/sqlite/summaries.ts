import type { DatabaseSync } from 'node:sqlite';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { StreamSummary } from '../../core/event-store.ts';
import type { StreamSample } from '../../core/inspection.ts';
import { nameText } from '../../core/name-text.ts';
import { defineBuckets, inBucketSql } from './buckets.ts';
import type { SqliteConfig } from './config.ts';
import { storeError } from './errors.ts';
import { quoted } from './sql.ts';

const SUMMARIES_PER_TURN = 1000;

/** What the table holds of each stream, or of those of a sample, in byte order of the names. */
export async function* readSummaries(
  db: DatabaseSync,
  config: SqliteConfig,
  sample?: StreamSample,
): AsyncGenerator<StreamSummary> {
  const { table, columns } = config.layout.events;
  const stream = quoted(columns.stream);
  const version = quoted(columns.version);
  const from = quoted(table);
  // The index on (stream, version) gives the groups in their order, which the outer SELECT keeps: to sort there again
  // would cost as much as all of this. Summaries out of order would fail the comparison, not pass it.
  const where = sample === undefined ? '' : sampledStreams(db, sample, { stream, from });
  const streams = db.prepare(
    `SELECT name, events, first, last,
            (SELECT CAST(${quoted(columns.id)} AS TEXT) FROM ${from} WHERE ${stream} = s AND ${version} = last)
     FROM (SELECT ${stream} AS s, CAST(${stream} AS BLOB) AS name, count(*) AS events,
                  min(${version}) AS first, max(${version}) AS last
           FROM ${from} ${where} GROUP BY ${stream} ORDER BY ${stream})`,
  );
  streams.setReturnArrays(true);
  let read = 0;
  try {
    for (const row of streams.iterate()) {
      const [name, events, first, last, id] = row as unknown as readonly unknown[];
      yield {
        streamId: nameText(name as Uint8Array),
        events: Number(events),
        firstVersion: Number(first),
        lastVersion: Number(last),
        lastEventId: String(id),
      };
      read += 1;
      if (read % SUMMARIES_PER_TURN === 0) await nextTurn();
    }
  } catch (error) {
    throw storeError(config.address, error);
  }
}

/** Each stream's name is hashed once, as the index gives one behind the other, and not the one of each event. */
function sampledStreams(
  db: DatabaseSync,
  sample: StreamSample,
  { stream, from }: { readonly stream: string; readonly from: string },
): string {
  defineBuckets(db);
  const names = `SELECT DISTINCT ${stream} AS s FROM ${from}`;
  return `WHERE ${stream} IN (SELECT s FROM (${names}) WHERE ${inBucketSql('s', sample)})`;
}
