import type { RecoveryOutcome, RecoveryRisk } from '../core/disaster.ts';
import { BackupError, isBackupError } from '../core/errors.ts';
import type { StoredPlan } from '../format/disaster-plan.ts';
import { withDeadline } from './deadline.ts';
import { writeOutcome } from './finish.ts';
import { isBegun, type RunState, readListFacts, readRunState } from './run-state.ts';
import { findPlan, findRuns } from './runs.ts';
import {
  assertActive,
  contextOf,
  MAYBE_PRIMARY,
  type RecoveryRequest,
  type Session,
  signalOf,
  withSession,
} from './session.ts';
import { chosenServer, lookAt } from './steps/look.ts';
import { releaseMarks } from './steps/release.ts';

export interface AbandonOptions {
  /** Why, for those who read the journal. */
  readonly reason: string;
  readonly accept: readonly RecoveryRisk[];
  /** Lets applications back in at the old primary: only as long as nothing has begun to take its place. */
  readonly reopen: boolean;
}

/**
 * Gives a run up: nobody will go on with it, and another plan may be carried out. Fences stay, unless the old primary is opened again. Throws
 * `recovery_refused` when it must not be.
 */
export async function abandonRun(
  request: RecoveryRequest,
  planId: string,
  options: AbandonOptions,
): Promise<RecoveryOutcome> {
  const plan = await findPlan(request.ports.vaults, planId, request.settings);
  const { accept } = options;
  const give = (session: Session): Promise<RecoveryOutcome> => giveUp(session, options);
  try {
    return await withSession(request, plan, { accept, home: plan.plan.journalVault }, give);
  } catch (error) {
    const home = await homeInstead(request, plan, error, accept);
    return withSession(request, plan, { accept, home }, give);
  }
}

/** Where the journal itself is lost, its longest copy is ended: whoever accepts a minority accepts that it may lack the newest entries. */
async function homeInstead(
  { ports, settings }: RecoveryRequest,
  { plan }: StoredPlan,
  error: unknown,
  accept: readonly RecoveryRisk[],
): Promise<string> {
  const isLost = isBackupError(
    error,
    'vault_unreachable',
    'vault_refused',
    'action_failed',
    'config_invalid',
    'damaged',
  );
  if (!isLost || !accept.includes('minority')) throw error;
  const { runs } = await findRuns(
    ports.vaults.filter(({ vault, keepsJournal }) => keepsJournal && vault.address !== plan.journalVault),
    settings,
  );
  const copy = runs.find(({ planId }) => planId === plan.planId);
  if (copy === undefined) throw error;
  return copy.vault;
}

async function giveUp(session: Session, { reason, reopen }: AbandonOptions): Promise<RecoveryOutcome> {
  const { journal, plan } = session;
  const run = readRunState(journal.entries);
  const { planId } = plan.plan;
  if (run.approvedAt === null)
    throw new BackupError('usage', `the plan ${planId} was not begun: there is nothing to give up`);
  if (run.end !== null)
    throw new BackupError('usage', `the run of plan ${planId} is over`, { facts: { planId } });
  const context = contextOf(session, signalOf(session));
  const opened = reopen ? await reopenAll(session, run) : [];
  const released = reopen ? await releaseMarks(context) : [];
  const maybe = await maybePromoted(session, run);
  await journal.append({
    ...{ kind: 'abandoned', step: null, text: `given up: ${reason}` },
    facts: {
      ...{ [MAYBE_PRIMARY]: maybe, opened: opened.length, released: released.length },
    },
  });
  return writeOutcome(session);
}

/** Throws `recovery_refused` when something may have taken the place of the old primary: both would take writes. */
async function reopenAll(session: Session, run: RunState): Promise<string[]> {
  const { plan, request } = session;
  const begun = (['promote', 'restore', 'switch_name'] as const).find((step) => isBegun(run.steps[step]));
  if (begun !== undefined) {
    throw new BackupError('recovery_refused', `the old primary stays fenced: \`${begun}\` was begun`, {
      hint: 'give the run up without --reopen, and make a plan by what is so now',
      facts: { step: begun },
    });
  }
  const servers = new Set([
    ...(plan.plan.primary.server === null ? [] : [plan.plan.primary.server]),
    ...readListFacts(run.steps.fence.facts, 'server'),
  ]);
  await session.journal.append({
    ...{ kind: 'intent', step: null, text: `lets applications back in at ${[...servers].join(', ')}` },
    facts: {},
  });
  assertActive(session);
  const { settings } = request;
  const within = (what: string, work: (signal: AbortSignal) => Promise<void>): Promise<void> =>
    withDeadline(what, settings.deadlines.fence, signalOf(session), work);
  // Fences from outside first: the server may not be reached behind them.
  for (const address of servers)
    for (const fence of request.ports.fences.get(address) ?? [])
      await within(`lifting ${fence.describe}`, async (signal) => fence.lift?.({ signal }));
  const found = request.ports.servers.filter(({ address }) => servers.has(address));
  for (const server of found)
    await within(`opening ${server.address}`, (signal) => server.unfence({ signal }));
  return found.map(({ address }) => address);
}

/** What a later plan must fence although it does not answer. */
async function maybePromoted(session: Session, run: RunState): Promise<string | null> {
  if (!isBegun(run.steps.promote)) return null;
  const context = contextOf(session, signalOf(session));
  const server = chosenServer(context);
  if (server === null) return null;
  return (await lookAt(server, context)).state?.role === 'standby' ? null : server.address;
}
