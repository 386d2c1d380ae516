import type { SqlNames, SqlRow } from '../../core/inspection.ts';
import {
  bucketColumn,
  type CheckDefinition,
  type CheckFound,
  type CheckSettings,
  inSample,
} from './check.ts';

export const STREAM_TIMES: CheckDefinition = {
  name: 'clock_jump',
  proves: 'No event is earlier than the one before it in its stream by more than a transaction may take.',
  rung: 'streams',
  severity: 'risk',
  every: 'run',
  repaired:
    'not by itself: times are kept as they were recorded; let the clocks of the writers keep time by NTP',
  questions: (names, settings) => [{ sql: jumpsSql(names, settings), answer: jumped }],
};

function jumpsSql(names: SqlNames, settings: CheckSettings): string {
  const { events, stream, version, id, time, dialect } = names;
  const toleranceS = settings.clockToleranceMs / 1000;
  const seconds = dialect === 'postgres' ? finite(time) : `unixepoch(${time}, 'subsec')`;
  return `SELECT stream, version, id, bucket, round(previous - at) AS seconds FROM (
      SELECT ${stream} AS stream, ${version} AS version, ${id} AS id, ${bucketColumn(names, settings)} AS bucket, ${seconds} AS at,
             lag(${seconds}) OVER (PARTITION BY ${stream} ORDER BY ${version}) AS previous
        FROM ${events} WHERE ${inSample(names, settings)}) AS followed
    WHERE at < previous - ${toleranceS}`;
}

/** Seconds; null for infinity, which is found elsewhere. */
function finite(time: string): string {
  return `CASE WHEN isfinite(${time}) THEN extract(epoch FROM ${time}) END`;
}

function jumped(row: SqlRow): CheckFound {
  return {
    ...{
      streamId: row.stream!,
      version: row.version!,
      eventId: row.id!,
      events: 1,
      bucket: row.bucket ?? null,
    },
    message: `version ${row.version} is ${Number(row.seconds)} s earlier than the version before it: a clock was set back, or the order is wrong`,
  };
}
