import type { CompanionRow, StoreSnapshot } from '../../core/event-store.ts';

/**
 * Rows that belong to events are of their shard: a consumer has a position in each. So in a backup each has one value more, which no table has:
 * `2/3` of the second of three shards. A store that is no such store has no place for them, and says so.
 */
const SHARD = 'eventcore_shard';

export async function* tagCompanions(snapshots: readonly StoreSnapshot[]): AsyncGenerator<CompanionRow> {
  for (const [shard, snapshot] of snapshots.entries()) {
    for await (const row of snapshot.readCompanions())
      yield { ...row, values: { ...row.values, [SHARD]: `${shard + 1}/${snapshots.length}` } };
  }
}

/** The shard that a row is of, and the row as it was there; null: it is of none of so many shards. */
export function untag(
  row: CompanionRow,
  shards: number,
): { readonly shard: number; readonly row: CompanionRow } | null {
  const { [SHARD]: tag, ...values } = row.values;
  const [, shard, of] = /^([1-9]\d*)\/(\d+)$/.exec(tag ?? '') ?? [];
  if (Number(of) !== shards || Number(shard) > shards) return null;
  return { shard: Number(shard) - 1, row: { ...row, values } };
}
