import type { RecoveryOutcome, RecoveryRisk, StepFacts } from '../core/disaster.ts';
import { RECOVERY_RISKS } from '../core/disaster.ts';
import { BackupError, isBackupError } from '../core/errors.ts';
import type { StoredPlan } from '../format/disaster-plan.ts';
import { withDeadline } from './deadline.ts';
import { finishRun } from './finish.ts';
import { refuseChanged } from './freshness.ts';
import { acceptedFacts, readRunState } from './run-state.ts';
import { runSteps } from './run-steps.ts';
import { findPlan } from './runs.ts';
import { type RecoveryRequest, refuseOthers, refuseOutdated, type Session, withSession } from './session.ts';
import { NAME_BEFORE } from './steps/switch-name.ts';

export interface Approval {
  readonly accept: readonly RecoveryRisk[];
}

/**
 * Carries out a plan. Throws `plan_not_found`, `plan_outdated`, `run_unfinished`, `recovery_refused` (naming the flag), `lease_held` before anything
 * was done, and `recovery_stopped` where a step failed: what to do stands in the hint.
 */
export async function beginRun(
  request: RecoveryRequest,
  planId: string,
  { accept }: Approval,
): Promise<RecoveryOutcome> {
  const { ports, settings } = request;
  const plan = await findPlan(ports.vaults, planId, settings);
  refuseUnaccepted(plan, accept);
  refuseOld(request, plan);
  return withSession(request, plan, { accept, home: plan.plan.journalVault }, async (session) => {
    refuseBegun(session);
    refuseOthers(session);
    refuseOutdated(session, plan.plan.createdAt);
    await refuseChanged(session);
    await session.journal.append({
      ...{
        kind: 'approved',
        step: null,
        text: `${plan.plan.strategy.kind} approved${acceptedWords(accept)}`,
      },
      facts: { ...approvalFacts(session, accept), ...(await nameFacts(session)) },
    });
    return carryOut(session);
  });
}

/**
 * Takes a run up again, from the first step that is not over, on any host. One that ended in part goes on with what is left. Throws as
 * `beginRun`.
 */
export async function resumeRun(
  request: RecoveryRequest,
  planId: string,
  { accept }: Approval,
): Promise<RecoveryOutcome> {
  const plan = await findPlan(request.ports.vaults, planId, request.settings);
  return withSession(request, plan, { accept, home: plan.plan.journalVault }, async (session) => {
    const run = readRunState(session.journal.entries);
    if (run.approvedAt === null) throw notBegun(planId);
    if (run.end === 'abandoned') throw isGivenUp(planId);
    refuseOthers(session);
    refuseOutdated(session, run.approvedAt);
    const isWhole = run.end === 'ended' && Object.values(run.steps).every(({ state }) => state !== 'failed');
    if (isWhole) return finishRun(session);
    await session.journal.append({
      ...{ kind: 'resumed', step: null, text: `taken up again${acceptedWords(accept)}` },
      facts: approvalFacts(session, accept),
    });
    return carryOut(session);
  });
}

async function carryOut(session: Session): Promise<RecoveryOutcome> {
  await runSteps(session);
  return finishRun(session);
}

/** Whoever approves has read what the plan says of its risks. */
function refuseUnaccepted({ plan }: StoredPlan, accept: readonly RecoveryRisk[]): void {
  const missing = plan.risks.filter(({ risk }) => !accept.includes(risk));
  if (missing.length === 0) return;
  const flags = missing.map(({ risk }) => RECOVERY_RISKS[risk]).join(' ');
  throw new BackupError('recovery_refused', missing.map(({ text }) => text).join('; '), {
    hint: `whoever accepts that says so with ${flags}`,
    facts: { flag: flags, planId: plan.planId },
  });
}

function refuseOld({ ports, settings }: RecoveryRequest, { plan }: StoredPlan): void {
  const ageMs = ports.clock.now() - Date.parse(plan.createdAt);
  if (ageMs <= settings.maxPlanAgeMs) return;
  const minutes = Math.floor(ageMs / 60_000);
  throw new BackupError('plan_outdated', `the plan was made ${minutes} minutes ago`, {
    hint: 'assess anew and make a new plan: what it was made of may no longer be so',
    facts: { planId: plan.planId, createdAt: plan.createdAt },
  });
}

function refuseBegun({ journal, plan }: Session): void {
  const { approvedAt, end } = readRunState(journal.entries);
  const { planId } = plan.plan;
  if (approvedAt === null) return;
  if (end === null) {
    throw new BackupError('run_unfinished', `this plan was begun at ${approvedAt} and did not end`, {
      hint: `take it up with \`eventcore dr resume ${planId}\``,
      facts: { planId },
    });
  }
  throw new BackupError('plan_outdated', `this plan was carried out at ${approvedAt}`, {
    hint: 'a plan is carried out once: assess anew and make a new one',
    facts: { planId },
  });
}

function notBegun(planId: string): BackupError {
  return new BackupError('usage', `the plan ${planId} was not begun`, {
    hint: `carry it out with \`eventcore dr execute --approve ${planId}\``,
    facts: { planId },
  });
}

function isGivenUp(planId: string): BackupError {
  return new BackupError('plan_outdated', `the run of plan ${planId} was given up`, {
    hint: 'assess anew and make a new plan',
    facts: { planId },
  });
}

function acceptedWords(accept: readonly RecoveryRisk[]): string {
  return accept.length === 0 ? '' : `, accepting ${[...accept].sort().join(', ')}`;
}

function approvalFacts({ locks, plan }: Session, accept: readonly RecoveryRisk[]): StepFacts {
  return {
    ...acceptedFacts(accept),
    ...{ locked: locks.vaults.length, missing: locks.missing.length, plan: plan.digest },
  };
}

/** What the name leads to now is what it is switched from; where it cannot be asked, that is asked when it is switched. */
async function nameFacts({ request }: Session): Promise<StepFacts> {
  const { publicName } = request.ports;
  if (publicName === null) return {};
  try {
    const value = await withDeadline(
      `asking what ${publicName.name} leads to`,
      request.settings.probeMs,
      request.signal,
      (signal) => publicName.read({ signal }),
    );
    return { [NAME_BEFORE]: value };
  } catch (error) {
    if (!isBackupError(error) || error.code === 'interrupted') throw error;
    return {};
  }
}
