import type { SqlNames, SqlRow } from '../../core/inspection.ts';
import {
  bucketColumn,
  type CheckDefinition,
  type CheckFound,
  type CheckSettings,
  inSample,
} from './check.ts';

export const PAYLOADS: CheckDefinition = {
  name: 'payloads',
  proves: 'Data and metadata of each event of the sample are well-formed JSON.',
  rung: 'streams',
  severity: 'damage',
  every: 'run',
  repaired: 'put back as the newest backup has it, once a comparison has shown that it does',
  questions: (names, settings) =>
    names.dialect === 'postgres'
      ? 'PostgreSQL takes nothing but JSON; what can no longer be read is found where blocks are read'
      : [{ sql: malformedSql(names, settings), answer: malformed }],
};

function malformedSql(names: SqlNames, settings: CheckSettings): string {
  const { events, id, stream, version, data, metadata } = names;
  const isJson = (column: string): string => `json_valid(CAST(${column} AS TEXT))`;
  return `SELECT * FROM (
      SELECT ${id} AS id, ${stream} AS stream, ${version} AS version, ${bucketColumn(names, settings)} AS bucket,
             coalesce(${isJson(data)}, 0) AS data, coalesce(${isJson(metadata)}, 1) AS metadata
        FROM ${events} WHERE ${inSample(names, settings)}) AS parsed
    WHERE data = 0 OR metadata = 0`;
}

function malformed(row: SqlRow): CheckFound {
  const parts = (['data', 'metadata'] as const).filter((part) => row[part] === '0');
  return {
    ...{
      streamId: row.stream!,
      version: row.version!,
      eventId: row.id!,
      events: 1,
      bucket: row.bucket ?? null,
    },
    message: `${parts.join(' and ')} cannot be parsed as JSON`,
    repair: 'put_back_events',
  };
}
