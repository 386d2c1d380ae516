import type { RecoveryOutcome } from '../../core/disaster.ts';
import { BackupError, isBackupError } from '../../core/errors.ts';
import { NO_TRUST_POLICY, type TrustPolicy, whyNotTrusted } from '../../core/trust.ts';
import { outcomeOf } from '../../disaster/outcome.ts';
import { type RunState, readRunState } from '../../disaster/run-state.ts';
import { findEntrySignature, type Journal, listRuns, readJournal } from '../../format/disaster-journal.ts';
import { findPlanSignature, listPlans, readPlan, type StoredPlan } from '../../format/disaster-plan.ts';
import { type DisasterVaults, type PlacedVault, requireOpen } from './vaults.ts';

/** Plans and runs as the vaults have them: which one is meant, how far it is, and whether its journal can be believed. */

/** What the vaults say of a run. */
export interface RunView {
  readonly plan: StoredPlan;
  readonly journal: Journal;
  /** Vault that the journal was read from. */
  readonly readFrom: string;
  /** False: its own vault cannot be read, and a copy may lack the newest entries. */
  readonly isAuthoritative: boolean;
  readonly state: RunState;
  /** By the journal, however far it is. */
  readonly outcome: RecoveryOutcome;
  readonly chain: ChainVerdict;
  readonly copies: readonly JournalCopy[];
}

export interface ChainVerdict {
  /** Each entry names the one before by its digest, and every signature is worth something. */
  readonly isWhole: boolean;
  readonly entries: number;
  /** Names of those who signed; none where nothing is signed. */
  readonly signers: readonly string[];
  /** What is wrong; null when nothing is. */
  readonly reason: string | null;
}

export interface JournalCopy {
  readonly region: string;
  readonly vault: string;
  readonly entries: number;
  /** `other`: it is not a beginning of the journal. */
  readonly state: 'whole' | 'behind' | 'other';
}

/** The run of a plan. Throws `plan_not_found`, and `damaged` for a plan that cannot be read. */
export async function viewRun(
  vaults: DisasterVaults,
  plan: StoredPlan,
  trust: TrustPolicy,
): Promise<RunView> {
  const { journalVault, planId } = plan.plan;
  const read = await Promise.all(requireOpen(vaults).map((place) => readCopy(place, plan)));
  const copies = read.filter((copy) => copy !== null);
  const own = copies.find(({ place }) => place.vault.address === journalVault);
  const chosen = own ?? copies.toSorted((a, b) => b.journal.entries.length - a.journal.entries.length)[0];
  if (chosen === undefined) {
    throw new BackupError('vault_unreachable', `no vault can say how far plan ${planId} is`, {
      hint: `its journal is kept in ${journalVault}`,
    });
  }
  const { journal, place } = chosen;
  return {
    ...{ plan, journal, readFrom: place.vault.address, isAuthoritative: own !== undefined },
    state: readRunState(journal.entries),
    outcome: outcomeOf(plan.plan, journal.entries),
    chain: judgeChain(plan, journal, trust),
    copies: copies
      .filter((copy) => copy !== chosen && copy.place.keepsJournal)
      .map((copy) => ({
        ...{ region: copy.place.region, vault: copy.place.vault.address },
        ...{ entries: copy.journal.entries.length, state: compareCopy(copy.journal, journal) },
      })),
  };
}

interface ReadCopy {
  readonly place: PlacedVault;
  readonly journal: Journal;
}

/** Null where the vault cannot be read. */
async function readCopy(place: PlacedVault, plan: StoredPlan): Promise<ReadCopy | null> {
  try {
    const journal = await readJournal(place.vault, { planId: plan.plan.planId, digest: plan.digest });
    return { place, journal };
  } catch (error) {
    if (isBackupError(error) && error.code.startsWith('vault_')) return null;
    throw error;
  }
}

/** The digests chain each entry to all before it, so that the last one of the shorter decides. */
function compareCopy(copy: Journal, journal: Journal): JournalCopy['state'] {
  if (copy.digest === journal.digest) return 'whole';
  const last = copy.entries.length;
  const next = journal.entries[last];
  return copy.broken === null && last < journal.entries.length && next!.previous === copy.digest
    ? 'behind'
    : 'other';
}

function judgeChain(plan: StoredPlan, journal: Journal, trust: TrustPolicy): ChainVerdict {
  const findings = [
    { what: 'the plan', finding: findPlanSignature(plan.plan, trust) },
    ...journal.entries.map((entry) => ({
      what: `entry ${entry.number}`,
      finding: findEntrySignature(entry, trust),
    })),
  ];
  const distrusted = findings
    .map(({ what, finding }) => ({ what, reason: whyNotTrusted(finding, trust) }))
    .find(({ reason }) => reason !== null);
  const { broken } = journal;
  const reason =
    broken !== null
      ? `${broken.name} ${broken.reason}`
      : distrusted === undefined
        ? null
        : `${distrusted.what}: ${distrusted.reason}`;
  const signers = findings.flatMap(({ finding: { signer, state } }) =>
    signer === null || state === 'forged' ? [] : [signer],
  );
  return {
    isWhole: reason === null,
    entries: journal.entries.length,
    signers: [...new Set(signers)],
    reason,
  };
}

/** The plan that an id or its first characters name. Throws `plan_not_found`. */
export async function findPlan(vaults: DisasterVaults, id: string): Promise<StoredPlan> {
  const ids = new Set(
    (await allPlans(vaults)).map(({ planId }) => planId).filter((planId) => planId.startsWith(id)),
  );
  const [planId, ...others] = ids;
  if (planId !== undefined && others.length === 0) return readFirst(vaults, planId);
  const hint =
    planId === undefined
      ? '`eventcore dr plan --trigger TRIGGER` makes one; `eventcore dr status --all` lists what there is'
      : 'give more of its characters';
  throw new BackupError(
    'plan_not_found',
    `${planId === undefined ? 'no plan' : 'more than one plan'} has the id ${id}`,
    {
      hint,
    },
  );
}

/** The plan that somebody who names none means: one that was begun and is not at its end, else the newest. */
export async function findCurrentPlan(vaults: DisasterVaults, wanted: 'any' | 'begun'): Promise<StoredPlan> {
  const plans = await allPlans(vaults);
  const begun = new Set((await Promise.all(requireOpen(vaults).map(({ vault }) => listRuns(vault)))).flat());
  const newestFirst = plans.toReversed();
  for (const { planId } of newestFirst.filter((plan) => begun.has(plan.planId))) {
    const plan = await readFirst(vaults, planId);
    if (!(await isOver(vaults, plan))) return plan;
  }
  const newest = wanted === 'any' ? newestFirst[0] : newestFirst.find(({ planId }) => begun.has(planId));
  if (newest !== undefined) return readFirst(vaults, newest.planId);
  throw new BackupError(
    'plan_not_found',
    wanted === 'any' ? 'there is no plan of a recovery' : 'no recovery was begun',
    { hint: '`eventcore dr plan --trigger TRIGGER` makes a plan, and `eventcore dr execute` carries it out' },
  );
}

async function isOver(vaults: DisasterVaults, plan: StoredPlan): Promise<boolean> {
  const { state } = await viewRun(vaults, plan, NO_TRUST_POLICY);
  return state.end !== null;
}

/** Plans of all vaults that can be read, the oldest first; names begin with the time. */
export async function allPlans(
  vaults: DisasterVaults,
): Promise<{ readonly name: string; readonly planId: string }[]> {
  const found = (await Promise.all(requireOpen(vaults).map(({ vault }) => listPlans(vault)))).flat();
  const byName = new Map(found.map((plan) => [plan.name, plan]));
  return [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** From the first vault that has it whole. */
async function readFirst(vaults: DisasterVaults, planId: string): Promise<StoredPlan> {
  let damage: unknown = null;
  for (const { vault } of requireOpen(vaults)) {
    try {
      const plan = await readPlan(vault, planId);
      if (plan !== null) return plan;
    } catch (error) {
      if (!isBackupError(error, 'damaged', 'vault_unreachable', 'vault_refused')) throw error;
      damage = error;
    }
  }
  throw damage ?? new BackupError('plan_not_found', `plan ${planId} is gone`, { hint: 'make a new one' });
}
