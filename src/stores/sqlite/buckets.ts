import type { DatabaseSync } from 'node:sqlite';
import type { StreamSample } from '../../core/inspection.ts';
import { bucketOf } from '../../core/stream-bucket.ts';

const FUNCTION = 'eventcore_bucket';
const defined = new WeakSet<DatabaseSync>();

/** Makes the function that `inBucketSql` calls known to a connection. Safe to repeat. */
export function defineBuckets(db: DatabaseSync): void {
  if (defined.has(db)) return;
  db.function(FUNCTION, { deterministic: true }, (name, seed, of) =>
    bucketOf({ seed: Number(seed), of: Number(of) }, name as Uint8Array),
  );
  defined.add(db);
}

/** SQL that is true for streams of the sample's buckets; `column` holds their names. */
export function inBucketSql(column: string, { seed, of, buckets }: StreamSample): string {
  return `${FUNCTION}(CAST(${column} AS BLOB), ${seed}, ${of}) IN (${buckets.join(', ')})`;
}
