import type { SqlNames, SqlRow } from '../../core/inspection.ts';
import {
  bucketColumn,
  type CheckDefinition,
  type CheckFound,
  type CheckSettings,
  inSample,
} from './check.ts';

export const EVENT_TIMES: CheckDefinition = {
  name: 'event_times',
  proves: 'Each event of the sample has a time, which lies between the year 2000 and now.',
  rung: 'streams',
  severity: 'damage',
  every: 'run',
  repaired:
    'put back as the newest backup has it, once a comparison has shown that it does; a clock that is ahead is for a person to set',
  questions: (names, settings) => [{ sql: oddTimesSql(names, settings), answer: odd }],
};

function oddTimesSql(names: SqlNames, settings: CheckSettings): string {
  const { events, id, stream, version, time, dialect } = names;
  const toleranceS = settings.clockToleranceMs / 1000;
  const kind = dialect === 'postgres' ? oddInPostgres(time, toleranceS) : oddInSqlite(time, toleranceS);
  return `SELECT * FROM (
      SELECT ${id} AS id, ${stream} AS stream, ${version} AS version, ${bucketColumn(names, settings)} AS bucket, ${kind} AS kind
        FROM ${events} WHERE ${inSample(names, settings)}) AS told
    WHERE kind IS NOT NULL`;
}

function oddInPostgres(time: string, toleranceS: number): string {
  return `CASE WHEN ${time} IS NULL OR NOT isfinite(${time}) THEN 'none' WHEN ${time} < '2000-01-01Z'::timestamptz THEN 'early'
    WHEN ${time} > statement_timestamp() + ${toleranceS} * interval '1 second' THEN 'late' END`;
}

function oddInSqlite(time: string, toleranceS: number): string {
  const seconds = `unixepoch(${time}, 'subsec')`;
  return `CASE WHEN ${seconds} IS NULL THEN 'none' WHEN ${seconds} < unixepoch('2000-01-01') THEN 'early'
    WHEN ${seconds} > unixepoch('now', 'subsec') + ${toleranceS} THEN 'late' END`;
}

const MESSAGES: Readonly<Record<string, string>> = {
  none: 'it has no time',
  early: 'its time is before the year 2000',
  late: "its time is ahead of the store's clock",
};

/** A clock that is ahead does no damage yet: what is appended once it is right again seems to come first. */
function odd(row: SqlRow): CheckFound {
  return {
    ...{
      streamId: row.stream!,
      version: row.version!,
      eventId: row.id!,
      events: 1,
      bucket: row.bucket ?? null,
    },
    message: MESSAGES[row.kind!]!,
    ...(row.kind === 'late' ? { severity: 'risk' } : { repair: 'put_back_events' }),
  };
}
