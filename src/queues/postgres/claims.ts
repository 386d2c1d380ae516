import type { Db as BossDatabase, GroupConcurrencyConfig } from 'pg-boss';
import type { TakeOptions } from '../../core/work-queue.ts';
import type { QueueDatabase } from './database.ts';

const NO_LIMIT = 1_000_000;

/** For pg-boss: so many jobs of each group at a time; null where there is no limit. */
export function groupLimits({
  perStore,
  perVault,
}: Pick<TakeOptions, 'perStore' | 'perVault'>): GroupConcurrencyConfig | null {
  if (perStore === null && perVault === null) return null;
  return { default: NO_LIMIT, tiers: { store: perStore ?? NO_LIMIT, vault: perVault ?? NO_LIMIT } };
}

/**
 * The database as pg-boss is to have it. It counts what a group has under way, and claims a job, in one statement: two at the same time
 * count the same, and both claim. Where there are limits one claims after the other.
 */
export function claimingInTurn(database: QueueDatabase): BossDatabase {
  const turn = `claims of ${database.schema} by eventcore`;
  return {
    ...database,
    executeSql: (text, values) =>
      isLimitedClaim(values) ? database.executeInTurn(turn, text, values) : database.executeSql(text, values),
  };
}

/** Nothing else bears the limits of the tiers. */
function isLimitedClaim(values: readonly unknown[] | undefined): boolean {
  return values?.some((value) => typeof value === 'string' && value.startsWith('{"store":')) ?? false;
}
