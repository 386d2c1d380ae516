import type { DatabaseSync } from 'node:sqlite';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { StreamSummary } from '../../core/event-store.ts';
import { nameText } from '../../core/name-text.ts';
import type { SqliteConfig } from './config.ts';
import { storeError } from './errors.ts';
import { quoted } from './sql.ts';

const SUMMARIES_PER_TURN = 1000;

/** What the table holds of each stream, in byte order of the names. */
export async function* readSummaries(db: DatabaseSync, config: SqliteConfig): AsyncGenerator<StreamSummary> {
  const { table, columns } = config.layout.events;
  const stream = quoted(columns.stream);
  const version = quoted(columns.version);
  const from = quoted(table);
  // The index on (stream, version) gives the groups in their order, which the outer SELECT keeps: to sort there again
  // would cost as much as all of this. Summaries out of order would fail the comparison, not pass it.
  const streams = db.prepare(
    `SELECT name, events, first, last,
            (SELECT CAST(${quoted(columns.id)} AS TEXT) FROM ${from} WHERE ${stream} = s AND ${version} = last)
     FROM (SELECT ${stream} AS s, CAST(${stream} AS BLOB) AS name, count(*) AS events,
                  min(${version}) AS first, max(${version}) AS last
           FROM ${from} GROUP BY ${stream} ORDER BY ${stream})`,
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
