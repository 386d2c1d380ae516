import type { SqlNames, SqlRow } from '../../core/inspection.ts';
import {
  bucketColumn,
  type CheckDefinition,
  type CheckFound,
  type CheckSettings,
  inSample,
  literal,
} from './check.ts';

export const REQUIRED_METADATA: CheckDefinition = {
  name: 'required_metadata',
  proves: 'The metadata of each event of the sample has the keys that the policy asks for.',
  rung: 'streams',
  severity: 'risk',
  every: 'run',
  repaired: 'not by itself: what was never written can only be corrected by whoever writes',
  questions: (names, settings) =>
    settings.requiredMetadata.length === 0
      ? 'the policy asks for no keys'
      : [{ sql: lackingSql(names, settings), answer: (row) => lacking(row, settings) }],
};

function lackingSql(names: SqlNames, settings: CheckSettings): string {
  const { events, id, stream, version, metadata, dialect } = names;
  const lacks = dialect === 'postgres' ? lacksInPostgres : lacksInSqlite;
  return `SELECT ${id} AS id, ${stream} AS stream, ${version} AS version, ${bucketColumn(names, settings)} AS bucket
      FROM ${events} WHERE ${inSample(names, settings)} AND ${lacks(metadata, settings.requiredMetadata)}`;
}

function lacksInPostgres(metadata: string, keys: readonly string[]): string {
  return `(${metadata}::jsonb ?& ARRAY[${keys.map(literal).join(', ')}]::text[]) IS NOT TRUE`;
}

/** What is no JSON has no keys; that it is none is found elsewhere. */
function lacksInSqlite(metadata: string, keys: readonly string[]): string {
  const object = `CASE WHEN json_valid(${metadata}) THEN ${metadata} ELSE '{}' END`;
  const list = keys.map(literal).join(', ');
  return `(SELECT count(DISTINCT key) FROM json_each(${object}) WHERE key IN (${list})) < ${new Set(keys).size}`;
}

function lacking(row: SqlRow, { requiredMetadata }: CheckSettings): CheckFound {
  return {
    ...{
      streamId: row.stream!,
      version: row.version!,
      eventId: row.id!,
      events: 1,
      bucket: row.bucket ?? null,
    },
    message: `the metadata has not all of the keys ${requiredMetadata.join(', ')}`,
  };
}
