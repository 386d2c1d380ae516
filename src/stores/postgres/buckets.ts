import pg from 'pg';
import type { StreamSample } from '../../core/inspection.ts';
import { bucketOf } from '../../core/stream-bucket.ts';

/** SQL that is true for streams of the sample's buckets; `column` holds their names. */
export function inBucketSql(column: string, sample: StreamSample): string {
  return `${bucketSql(column, sample)} = ANY (ARRAY[${sample.buckets.join(', ')}]::bigint[])`;
}

/** The bucket of a text, by its bytes, whatever order its column has. */
export function bucketSql(name: string, { seed, of }: Pick<StreamSample, 'seed' | 'of'>): string {
  return `(hashtextextended(${name} COLLATE "C", ${seed}) & 2147483647) % ${of}`;
}

/** Longer than three words of the hash, and not the same bytes in other encodings. */
const PROBE = 'größer-01-\u{1F600}-probe';

/** Whether the server puts names into the buckets that we do: not where it keeps them in another encoding, or hashes otherwise. */
export async function hashesAlike(
  client: pg.Client,
  sample: Pick<StreamSample, 'seed' | 'of'>,
): Promise<boolean> {
  const hashed = bucketSql(`${pg.escapeLiteral(PROBE)}::text`, { ...sample, of: 2 ** 31 });
  // A server with another encoding may have no such characters.
  const sql = `SELECT pg_encoding_to_char(encoding) AS encoding FROM pg_database WHERE datname = current_database()`;
  const { rows } = await client.query<{ encoding: string }>(sql);
  if (rows[0]!.encoding !== 'UTF8') return false;
  const found = await client.query<{ bucket: string }>(`SELECT (${hashed})::text AS bucket`);
  const ours = bucketOf({ seed: sample.seed, of: 2 ** 31 }, Buffer.from(PROBE));
  return Number(found.rows[0]!.bucket) === ours;
}
