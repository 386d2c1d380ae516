import type { RecoveryOutcome } from '../core/disaster.ts';
import { isBackupError } from '../core/errors.ts';
import { type Journal, readJournal } from '../format/disaster-journal.ts';
import type { StoredPlan } from '../format/disaster-plan.ts';
import type { RecoveryPorts, RecoverySettings } from './context.ts';
import { outcomeOf } from './outcome.ts';
import { type RunState, readRunState } from './run-state.ts';
import { askVault, findPlan } from './runs.ts';

export interface RecoveryStatus {
  readonly plan: StoredPlan;
  readonly run: RunState;
  /** As far as it went. */
  readonly outcome: RecoveryOutcome;
  /** Address of the vault whose journal this is. */
  readonly vault: string;
  /** Whether that is the journal itself: a copy may lack the newest entries. */
  readonly isOwn: boolean;
  /** Where the journal is broken, and why; null when it is whole. */
  readonly broken: Journal['broken'];
  readonly problems: readonly { readonly vault: string; readonly reason: string }[];
}

/** What is known of a plan and its run, from the journal or its longest copy. Locks nothing. Throws `plan_not_found`. */
export async function readStatus(
  {
    ports,
    settings,
  }: { readonly ports: Pick<RecoveryPorts, 'vaults'>; readonly settings: Pick<RecoverySettings, 'probeMs'> },
  planId: string,
): Promise<RecoveryStatus> {
  const plan = await findPlan(ports.vaults, planId, settings);
  const problems: { vault: string; reason: string }[] = [];
  const found: { vault: string; journal: Journal }[] = [];
  for (const { vault } of ports.vaults.filter(({ keepsJournal }) => keepsJournal)) {
    try {
      const journal = await askVault(vault, settings, () =>
        readJournal(vault, { planId, digest: plan.digest }),
      );
      found.push({ vault: vault.address, journal });
    } catch (error) {
      if (!isBackupError(error)) throw error;
      problems.push({ vault: vault.address, reason: error.message });
    }
  }
  const own = found.find(({ vault }) => vault === plan.plan.journalVault);
  const longest = found.toSorted((a, b) => b.journal.entries.length - a.journal.entries.length)[0];
  const { vault, journal } = own ?? longest ?? { vault: plan.plan.journalVault, journal: null };
  const entries = journal?.entries ?? [];
  return {
    ...{ plan, run: readRunState(entries), outcome: outcomeOf(plan.plan, entries), vault },
    ...{ isOwn: own !== undefined, broken: journal?.broken ?? null, problems },
  };
}
