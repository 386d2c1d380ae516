import { MAX_VERSION } from '../../core/event-batch.ts';
import type { SqlNames, SqlRow } from '../../core/inspection.ts';
import {
  bucketColumn,
  type CheckDefinition,
  type CheckFound,
  type CheckSettings,
  inSample,
} from './check.ts';

export const EVENT_FIELDS: CheckDefinition = {
  name: 'event_fields',
  proves: 'Each event of the sample has an id, a stream, a type, data, and a version that can be one.',
  rung: 'streams',
  severity: 'damage',
  every: 'run',
  repaired:
    'put back as the newest backup has it, where it can be told which event it was; else a person has to decide',
  questions: (names, settings) =>
    [inSample(names, settings), `${names.stream} IS NULL`].map((which) => ({
      sql: oddFieldsSql(names, settings, which),
      answer: odd,
    })),
};

function oddFieldsSql(names: SqlNames, settings: CheckSettings, which: string): string {
  const { events, id, stream, version, type, data, dialect, versionBase } = names;
  const isNoVersion =
    dialect === 'postgres'
      ? `${version} IS NULL OR ${version} > ${MAX_VERSION}`
      : `typeof(${version}) <> 'integer' OR ${version} > ${MAX_VERSION}`;
  const text = (column: string): string => (dialect === 'postgres' ? `${column}::text` : column);
  return `SELECT * FROM (
      SELECT ${id} AS id, ${stream} AS stream, ${version} AS version, ${bucketColumn(names, settings)} AS bucket,
        CASE WHEN coalesce(${text(id)}, '') = '' THEN 'id' WHEN coalesce(${text(stream)}, '') = '' THEN 'stream'
             WHEN coalesce(${text(type)}, '') = '' THEN 'type' WHEN ${data} IS NULL THEN 'data'
             WHEN ${isNoVersion} THEN 'version' WHEN ${version} < ${versionBase} THEN 'low' END AS kind
        FROM ${events} WHERE ${which}) AS told
    WHERE kind IS NOT NULL`;
}

const MESSAGES: Readonly<Record<string, string>> = {
  id: 'it has no id',
  stream: 'it is of no stream',
  type: 'it has no type',
  data: 'it has no data',
  version: 'its version is no number that a version can be',
  low: 'its version is below the first one that a stream has',
};

function odd(row: SqlRow): CheckFound {
  return {
    ...{ streamId: row.stream ?? null, version: row.version ?? null, eventId: row.id ?? null },
    ...{ events: 1, bucket: row.bucket ?? null, message: MESSAGES[row.kind!]! },
    // Which event it is, its id tells as well as its place.
    ...(row.stream == null || row.version == null ? {} : { repair: 'put_back_events' }),
  };
}
