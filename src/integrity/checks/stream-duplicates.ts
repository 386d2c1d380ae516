import type { SqlNames, SqlRow } from '../../core/inspection.ts';
import {
  bucketColumn,
  type CheckDefinition,
  type CheckFound,
  type CheckSettings,
  inSample,
} from './check.ts';

export const STREAM_DUPLICATES: CheckDefinition = {
  name: 'stream_duplicates',
  proves: 'No version of a stream is there twice.',
  rung: 'streams',
  severity: 'damage',
  every: 'run',
  repaired: 'the copies that the newest backup does not have are taken away and kept aside',
  questions: (names, settings) => [
    { sql: copiesSql(names, settings), answer: (row) => doubled(row, settings) },
  ],
};

/** Of all of the store from the table: an index that knows of no copies may be what let them in. */
function copiesSql(names: SqlNames, settings: CheckSettings): string {
  const { events, unindexed, stream, version, id } = names;
  const table = settings.sample === null ? `${events} ${unindexed}` : events;
  // An id is in no index over streams.
  return `SELECT stream, min(version) AS version, sum(copies - 1) AS copies, min(bucket) AS bucket FROM (
      SELECT ${stream} AS stream, ${version} AS version, count(${id}) AS copies, min(${bucketColumn(names, settings)}) AS bucket
        FROM ${table} WHERE ${inSample(names, settings)} GROUP BY ${stream}, ${version} HAVING count(*) > 1) AS doubled
    GROUP BY stream`;
}

function doubled(row: SqlRow, { known }: CheckSettings): CheckFound | null {
  const copies = Number(row.copies);
  if (copies <= (known(row.stream!)?.duplicates ?? 0)) return null;
  return {
    ...{ streamId: row.stream!, version: row.version!, events: copies, bucket: row.bucket ?? null },
    message: `version ${row.version} is there more than once: ${copies} events are too many`,
    repair: 'remove_copies',
  };
}
