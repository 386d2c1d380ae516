import type { JournalEntry, RecoveryRisk } from '../core/disaster.ts';
import { BackupError, isBackupError, throwIfAborted } from '../core/errors.ts';
import { NO_TRUST_POLICY, type TrustPolicy, whyNotTrusted } from '../core/trust.ts';
import type { Vault } from '../core/vault.ts';
import { findEntrySignature, type Journal } from '../format/disaster-journal.ts';
import { findPlanSignature, type StoredPlan } from '../format/disaster-plan.ts';
import { newestOf, type PrimaryRecord, readNewestPrimary } from '../format/disaster-primary.ts';
import type { RecoveryPorts, RecoverySettings, RegionVault, StepContext } from './context.ts';
import { type JournalWriter, openJournal, readWholeJournal } from './journal.ts';
import { type Locks, withLocks } from './locks.ts';
import { readRunState } from './run-state.ts';
import { askVault, type FoundRun, findRuns } from './runs.ts';

export interface RecoveryRequest {
  readonly ports: RecoveryPorts;
  readonly settings: RecoverySettings;
  /** Called for each entry, when it is durable. */
  readonly onEntry?: (entry: JournalEntry) => void;
  readonly signal?: AbortSignal;
}

/** A run under its locks. */
export interface Session {
  readonly request: RecoveryRequest;
  readonly plan: StoredPlan;
  readonly locks: Locks;
  readonly journal: JournalWriter;
  /** Where the journal is. */
  readonly home: Vault;
  readonly runs: readonly FoundRun[];
  /** Who the primary is, by the newest record; null when there never was a recovery. */
  readonly newestPrimary: PrimaryRecord | null;
  /** Servers that runs which were given up may have promoted, and no later recovery has taken care of. */
  readonly maybePrimaries: ReadonlySet<string>;
  readonly silent: Set<string>;
}

export interface SessionOptions {
  readonly accept: readonly RecoveryRisk[];
  /** Address of the vault that the journal is read from and written to. */
  readonly home: string;
}

/** Locks the vaults, reads what stands there, and has work done on it. Copies are finished in any case. */
export function withSession<Result>(
  request: RecoveryRequest,
  plan: StoredPlan,
  { accept, home }: SessionOptions,
  work: (session: Session) => Promise<Result>,
): Promise<Result> {
  const { ports, settings, signal } = request;
  const lock = {
    ...{ ports, settings, planned: plan.plan.vaults, journalVault: home, signal },
    acceptsMinority: accept.includes('minority'),
  };
  return withLocks(lock, async (locks) => {
    const session = await openSession(request, plan, locks, home);
    try {
      return await work(session);
    } finally {
      await session.journal.finishCopies();
    }
  });
}

async function openSession(
  request: RecoveryRequest,
  plan: StoredPlan,
  locks: Locks,
  address: string,
): Promise<Session> {
  const { ports, settings, onEntry } = request;
  const home = locks.vaults.find(({ vault }) => vault.address === address)!.vault;
  const { runs } = await findRuns(locks.vaults, settings);
  const found = await askVault(home, settings, () => readWholeJournal(home, plan));
  refuseDistrusted(plan, found, ports.trust ?? NO_TRUST_POLICY);
  const own = runs.find(({ planId }) => planId === plan.plan.planId);
  if (own !== undefined && own.entries > found.entries.length)
    throw lostEntries(own, found.entries.length, address);
  const newestPrimary = await readPrimary(locks.vaults, settings);
  const epoch = epochOf(locks, newestPrimary, plan);
  const journal = openJournal({
    ports,
    settings,
    plan,
    vaults: locks.vaults,
    home: address,
    epoch,
    found,
    onEntry,
  });
  const maybePrimaries = new Set(runs.flatMap((run) => maybePromoted(run, newestPrimary)));
  const silent = new Set<string>();
  return { request, plan, locks, journal, home, runs, newestPrimary, maybePrimaries, silent };
}

/** What somebody else wrote into the vault is not carried out. Throws `signature_invalid`. */
function refuseDistrusted({ plan }: StoredPlan, { entries }: Journal, trust: TrustPolicy): void {
  const found = [
    { what: 'the plan', finding: findPlanSignature(plan, trust) },
    ...entries.map((entry) => ({
      what: `entry ${entry.number} of its journal`,
      finding: findEntrySignature(entry, trust),
    })),
  ];
  for (const { what, finding } of found) {
    const reason = whyNotTrusted(finding, trust);
    if (reason === null) continue;
    throw new BackupError('signature_invalid', `${what} (${plan.planId}) is not to be trusted: ${reason}`, {
      hint: 'find out who wrote it; nothing is done on it',
      facts: { planId: plan.planId },
    });
  }
}

/** Of the newest records of all that answer. */
async function readPrimary(
  vaults: readonly RegionVault[],
  settings: RecoverySettings,
): Promise<PrimaryRecord | null> {
  const found = await Promise.all(
    vaults.map(({ vault }) =>
      askVault(vault, settings, () => readNewestPrimary(vault)).catch((error: unknown) => {
        if (!isBackupError(error)) throw error;
        return { record: null };
      }),
    ),
  );
  return newestOf(found.flatMap(({ record }) => (record === null ? [] : [record])));
}

/** Leases of other vaults may have counted further when the recovery before this one was made: its record must not count more than ours. */
function epochOf({ epoch }: Locks, newest: PrimaryRecord | null, { plan }: StoredPlan): number {
  if (newest === null) return epoch;
  return Math.max(epoch, newest.planId === plan.planId ? newest.epoch : newest.epoch + 1);
}

/** Key under which a run that was given up says what it may have promoted. */
export const MAYBE_PRIMARY = 'maybePrimary';

function maybePromoted({ last }: FoundRun, newest: PrimaryRecord | null): string[] {
  if (last?.kind !== 'abandoned' || (newest !== null && newest.recordedAt > last.at)) return [];
  const server = last.facts[MAYBE_PRIMARY];
  return typeof server === 'string' ? [server] : [];
}

function lostEntries(copy: FoundRun, entries: number, home: string): BackupError {
  return new BackupError(
    'damaged',
    `the journal in ${home} has ${entries} entries, its copy in ${copy.vault} ${copy.entries}`,
    {
      hint: 'entries of the journal are lost: what they say was done is not known here; give the run up and make a new plan',
      facts: { planId: copy.planId },
    },
  );
}

/** Throws `run_unfinished` when another run has begun and did not end. */
export function refuseOthers({ runs, plan }: Session): void {
  const other = runs.find(({ planId, isOver }) => !isOver && planId !== plan.plan.planId);
  if (other === undefined) return;
  throw new BackupError(
    'run_unfinished',
    `the run of plan ${other.planId} did not end: ${other.last?.text ?? 'its newest entry cannot be read'}`,
    {
      hint: `take it up with \`eventcore dr resume ${other.planId}\`, or give it up with \`eventcore dr abandon ${other.planId}\``,
      facts: { planId: other.planId },
    },
  );
}

/** Throws `plan_outdated` when another recovery has decided who the primary is since then. */
export function refuseOutdated({ newestPrimary, plan }: Session, since: string): void {
  if (newestPrimary === null || newestPrimary.planId === plan.plan.planId) return;
  if (newestPrimary.recordedAt <= since) return;
  const { server, planId, recordedAt } = newestPrimary;
  throw new BackupError('plan_outdated', `since ${recordedAt} the primary is ${server}, by plan ${planId}`, {
    hint: 'another recovery came after this plan: assess anew and make a new one',
  });
}

/** What a step sees now. Throws `interrupted` when the user wants to stop, and `lease_held` when the locks are lost. */
export function contextOf(session: Session, signal: AbortSignal): StepContext {
  const { request, plan, locks, journal, maybePrimaries, silent } = session;
  const run = readRunState(journal.entries);
  const { ports, settings } = request;
  return {
    ...{ ports, settings, plan: plan.plan, run, entries: journal.entries, maybePrimaries, signal },
    ...{ vaults: locks.vaults, silent },
    accepted: run.accepted,
    epoch: journal.entries.at(-1)?.epoch ?? locks.epoch,
    assertHeld: () => assertActive(session),
  };
}

export function assertActive({ locks, request }: Session): void {
  throwIfAborted(request.signal);
  locks.assertHeld();
}

/** Fires when the user wants to stop, and when the locks are lost. */
export function signalOf({ locks, request }: Session): AbortSignal {
  return request.signal === undefined ? locks.signal : AbortSignal.any([request.signal, locks.signal]);
}
