import type { RetentionRule } from '../core/retention-rule.ts';
import type { Vault } from '../core/vault.ts';
import type { Writers } from '../core/writers.ts';
import { planRetention } from '../policy/retention.ts';
import type { BackupFacts, VaultFacts } from '../policy/retention-facts.ts';
import type { SyncRules } from './sync.ts';
import { surveyVault } from './vault-facts.ts';

export interface RulesOptions {
  /** Of the target. */
  readonly rule: RetentionRule;
  readonly nowMs: number;
  readonly writers: Writers;
}

/**
 * What the target's own retention would keep, were all of the source in it: the rest is not copied, else each sync would bring what
 * each prune takes away. `target` null: what it holds already is not looked at, as in an archive that cannot be read.
 */
export async function rulesOf(
  source: Vault,
  target: Vault | null,
  { rule, nowMs, writers }: RulesOptions,
): Promise<SyncRules> {
  const look = async (vault: Vault): Promise<VaultFacts> =>
    (await surveyVault(vault, { rule, nowMs, writers, archive: null })).facts;
  const here = await look(source);
  const there = target === null ? null : await look(target);
  const facts: VaultFacts = {
    ...here,
    backups: joinBackups(here.backups, there?.backups ?? []),
    // Holds are copied too.
    holds: [...here.holds, ...(there?.holds ?? [])],
    frozen: null,
  };
  const plan = planRetention(facts, rule, { nowMs, trustClock: true });
  const backups = new Set(plan.backups.filter(({ kept }) => kept).map(({ item }) => item.backupId));
  const gone = new Set(
    plan.logs.flatMap(({ objects }) => objects.filter(({ kept }) => !kept).map(({ item }) => item.name)),
  );
  return {
    keepsBackup: ({ backupId }) => backups.has(backupId),
    keepsLogObject: (name) => !gone.has(name),
  };
}

/** Oldest first. */
function joinBackups(here: readonly BackupFacts[], there: readonly BackupFacts[]): BackupFacts[] {
  const ids = new Set(here.map(({ backupId }) => backupId));
  const others = there.filter(({ backupId }) => !ids.has(backupId));
  return [...here, ...others].sort((a, b) => a.createdAtMs - b.createdAtMs);
}
