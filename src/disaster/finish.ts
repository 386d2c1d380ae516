import type { RecoveryOutcome } from '../core/disaster.ts';
import { isBackupError } from '../core/errors.ts';
import type { Vault } from '../core/vault.ts';
import { runFolder } from '../format/disaster-journal.ts';
import { encodeOutcome, putOutcome } from '../format/disaster-outcome.ts';
import { readNewestPrimary, recordPrimary } from '../format/disaster-primary.ts';
import { putRecord } from '../format/record.ts';
import { outcomeOf } from './outcome.ts';
import { readRunState } from './run-state.ts';
import { askVault } from './runs.ts';
import type { Session } from './session.ts';

/** Ends a run: who the primary is stands in all vaults that answer, then the end in the journal, then the outcome. Done again it changes nothing. */
export async function finishRun(session: Session): Promise<RecoveryOutcome> {
  const { journal, plan } = session;
  if (readRunState(journal.entries).end === null) {
    await copyPrimary(session);
    const outcome = outcomeOf(plan.plan, [...journal.entries]);
    const failed = outcome.reasons.length - plan.plan.reasons.length;
    await journal.append({
      ...{ kind: 'ended', step: null },
      text: failed === 0 ? 'recovered' : `recovered in part: ${failed} left`,
      facts: { recoveryTimeMs: outcome.recoveryTimeMs, unprotectedMs: outcome.unprotectedMs, failed },
    });
  }
  return writeOutcome(session);
}

/** Beside the journal, and beside its copies. */
export async function writeOutcome(session: Session): Promise<RecoveryOutcome> {
  const { journal, plan, request, home } = session;
  const outcome = outcomeOf(plan.plan, [...journal.entries]);
  const bytes = encodeOutcome(outcome, request.ports.signer);
  const write = async (vault: Vault): Promise<void> => {
    if (await putOutcome(vault, bytes)) return;
    // One that ended in part has another outcome when it ends once more.
    await putRecord(vault, `${runFolder(outcome.planId)}outcome-${journal.entries.length}.json`, bytes);
  };
  await askVault(home, request.settings, () => write(home));
  await inOthers(session, write);
  return outcome;
}

/** A vault that did not answer when the primary became one may do so now. */
async function copyPrimary(session: Session): Promise<void> {
  const { home, plan } = session;
  const { record } = await askVault(home, session.request.settings, () => readNewestPrimary(home));
  if (record?.planId === plan.plan.planId) await inOthers(session, (vault) => recordPrimary(vault, record));
}

/** As far as they answer. */
async function inOthers(
  { locks, home, request }: Session,
  work: (vault: Vault) => Promise<void>,
): Promise<void> {
  const others = locks.vaults.map(({ vault }) => vault).filter((vault) => vault !== home);
  await Promise.all(
    others.map((vault) =>
      askVault(vault, request.settings, () => work(vault)).catch((error: unknown) => {
        if (!isBackupError(error)) throw error;
      }),
    ),
  );
}
