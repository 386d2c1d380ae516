import type { SqlNames, SqlRow, SqlSnapshots } from '../../core/inspection.ts';
import type { CheckDefinition, CheckFound, CheckSettings } from './check.ts';

export const SNAPSHOTS: CheckDefinition = {
  name: 'snapshots',
  proves:
    'No snapshot knows of events that are not there: it would be taken for the state of what was never written.',
  rung: 'streams',
  severity: 'damage',
  every: 'run',
  repaired: 'dropped, since it can be made again; it is kept aside',
  questions: (names, settings) => {
    const { snapshots } = names;
    if (snapshots === null) return 'the store keeps no snapshots';
    const { versions } = snapshots;
    if (versions === null) return 'snapshots do not say here how far their streams were';
    const sql = aheadSql(names, settings, { ...snapshots, versions });
    return [{ sql, answer: (row) => ahead(row, snapshots) }];
  },
};

/** Each stream of a snapshot is looked up in the index. What is no number says nothing. */
function aheadSql(
  { events, stream, version, versionBase, bucket }: SqlNames,
  { sample }: CheckSettings,
  { table, id, versions }: SqlSnapshots & { readonly versions: string },
): string {
  const number = sample === null ? 'NULL' : bucket(sample.seed, sample.of, id);
  const picked =
    sample === null ? 'true' : `${number} = ANY ('{${sample.buckets.map(Number).join(',')}}'::int[])`;
  return `SELECT id, bucket, min(stream) AS stream, count(*) AS streams FROM (
      SELECT s.id, s.bucket, v.key AS stream
        FROM (SELECT ${id} AS id, ${number} AS bucket,
                CASE WHEN jsonb_typeof(${versions}) = 'object' THEN ${versions} ELSE '{}' END AS versions
                FROM ${table} WHERE ${picked}) AS s
       CROSS JOIN LATERAL jsonb_each_text(s.versions) AS v(key, value)
       WHERE v.value ~ '^[0-9]{1,18}$'
         AND v.value::bigint > coalesce((SELECT e.${version} FROM ${events} AS e WHERE e.${stream} = v.key
               ORDER BY e.${version} DESC LIMIT 1), ${versionBase} - 1)) AS ahead
    GROUP BY id, bucket`;
}

function ahead(row: SqlRow, { table, id }: SqlSnapshots): CheckFound {
  const object = row.id!;
  return {
    ...{ object, streamId: row.stream!, bucket: row.bucket ?? null },
    message: `a snapshot is ahead of ${Number(row.streams) === 1 ? 'its stream' : `${row.streams} of its streams`}`,
    repair: 'drop_snapshot',
    statements: [
      {
        sql: `DELETE FROM ${table} WHERE ${id} = $1`,
        parameters: [object],
        reason: 'drop a snapshot that knows of events that are not there',
        before: { sql: `SELECT * FROM ${table} WHERE ${id} = $1`, parameters: [object] },
      },
    ],
  };
}
