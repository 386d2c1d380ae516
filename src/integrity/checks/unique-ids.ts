import type { SqlNames, SqlRow } from '../../core/inspection.ts';
import {
  bucketColumn,
  type CheckDefinition,
  type CheckFound,
  type CheckSettings,
  inSample,
  keptByOthers,
} from './check.ts';

export const UNIQUE_IDS: CheckDefinition = {
  name: 'unique_ids',
  proves:
    'No event of the sample has the id of an event of another stream or version, as the index of the ids tells.',
  rung: 'streams',
  severity: 'damage',
  every: 'run',
  repaired: 'not by itself: which of the events has the right to the id is for a person to say',
  questions: (names, settings) =>
    keptByOthers(names) ?? [
      {
        sql: sharedSql(names, settings),
        ...(names.dialect === 'postgres' && settings.sample !== null ? { settings: BY_INDEX } : {}),
        answer: shared,
      },
    ],
};

/** Rows of the sample were read a moment ago: to look up their ids costs less than the planner believes. */
const BY_INDEX = { enable_seqscan: 'off', enable_mergejoin: 'off' };

/** Copies of one event are found as such (`stream_duplicates`). */
function sharedSql(names: SqlNames, settings: CheckSettings): string {
  const { events, id, stream, version } = names;
  return `SELECT o.${id} AS id, min(o.${stream}) AS stream, min(o.${version}) AS version, count(*) AS events, min(e.bucket) AS bucket
      FROM (SELECT ${id} AS id, min(${bucketColumn(names, settings)}) AS bucket FROM ${events} WHERE ${inSample(names, settings)}
             GROUP BY ${id}) AS e
      JOIN ${events} AS o ON o.${id} = e.id
     GROUP BY o.${id}
    HAVING min(o.${stream}) <> max(o.${stream}) OR min(o.${version}) <> max(o.${version})`;
}

export function shared(row: SqlRow): CheckFound {
  return {
    ...{ streamId: row.stream!, version: row.version!, eventId: row.id!, bucket: row.bucket ?? null },
    events: Number(row.events),
    message: `the id is also that of another event`,
  };
}
