import { RECOVERY_RISKS, type RecoveryPlan } from '../../core/disaster.ts';
import { isBackupError } from '../../core/errors.ts';
import type { RecoveryPorts } from '../../disaster/context.ts';
import { withDeadline } from '../../disaster/deadline.ts';
import { whyOutdated } from '../../disaster/plan.ts';
import { bad, type Check, exitCodeOf, failed, good, skipped, warn } from '../../doctor/check.ts';
import { checkFences, checkName, checkPlaces, type ServerFences } from '../../doctor/disaster-checks.ts';
import type { StoredPlan } from '../../format/disaster-plan.ts';
import { beginStep } from '../context.ts';
import { type Assessed, assessDisaster } from '../disaster/assessment.ts';
import { findName, findPlaces, findServerFences } from '../disaster/facts.ts';
import { type AcceptFlags, acceptedBy } from '../disaster/flags.ts';
import { withRecoveryPorts } from '../disaster/ports.ts';
import { viewRun } from '../disaster/runs.ts';
import type { DisasterWork } from '../disaster/work.ts';
import { checkLines } from '../render/checks.ts';
import { approveCommand, lossText, planLines } from '../render/disaster.ts';
import { systemClock } from '../wire.ts';

/**
 * Goes through a plan without doing anything of it: what has changed since, whether each way that it takes can be taken, what has to be
 * accepted. Exit code 0 when it could be carried out now.
 */
export async function rehearse(work: DisasterWork, plan: StoredPlan, flags: AcceptFlags): Promise<number> {
  const { context, vaults, keys } = work;
  const view = await viewRun(vaults, plan, keys.trust);
  const assessed = await assessDisaster(work);
  const options = { plan: plan.plan, waitForArchive: false };
  beginStep(context, 'trying the ways of the plan');
  const checks = await withRecoveryPorts(work, options, async (ports) => [
    checkPlan(plan.plan, assessed, view.state.approvedAt),
    checkRisks(plan.plan, flags),
    checkLocks(work, plan.plan),
    ...(await checkWays(work, plan.plan, { assessed, ports })),
  ]);
  context.progress.end();
  const exitCode = exitCodeOf(checks);
  const { output } = context;
  output.document({ dryRun: true, planId: plan.plan.planId, ready: exitCode === 0, checks, plan: plan.plan });
  output.answer([
    ...planLines(plan.plan, output.paint),
    ...checkLines(checks, output.paint),
    `Nothing was done.${exitCode === 0 ? ` It can be carried out: ${approveCommand(plan.plan)}` : ''}`,
  ]);
  return exitCode;
}

function checkPlan(plan: RecoveryPlan, { assessment }: Assessed, approvedAt: string | null): Check {
  const name = 'plan';
  if (approvedAt !== null) {
    const hint = `\`eventcore dr resume ${plan.planId}\` goes on with it, \`eventcore dr status\` shows how far it is`;
    return bad(name, 'plan_outdated', `it was begun at ${approvedAt}`, hint);
  }
  const changes = whyOutdated(plan, assessment, systemClock.now());
  if (changes.length === 0) return good(name, 'what it was made of is still so');
  return bad(name, 'plan_outdated', changes.join('; '), 'make a new one: `eventcore dr plan`');
}

function checkRisks({ risks, estimatedDataLoss }: RecoveryPlan, flags: AcceptFlags): Check {
  const name = 'risks';
  const accepted = acceptedBy(flags);
  const missing = risks.filter(({ risk }) => !accepted.includes(risk));
  if (missing.length === 0) {
    return good(
      name,
      `loss: ${lossText(estimatedDataLoss)}${risks.length === 0 ? '' : '; what is at risk is accepted'}`,
    );
  }
  const words = missing.map(({ text }) => text).join('; ');
  const needed = missing.map(({ risk }) => RECOVERY_RISKS[risk]).join(' ');
  return bad(name, 'recovery_refused', words, `whoever accepts that passes ${needed}`);
}

function checkLocks({ vaults }: DisasterWork, { journalVault }: RecoveryPlan): Check {
  const name = 'vaults';
  const wanted = vaults.all.filter(({ keepsJournal }) => keepsJournal);
  const open = vaults.open.filter(({ keepsJournal }) => keepsJournal);
  if (!open.some(({ vault }) => vault.address === journalVault)) {
    return bad(
      name,
      'vault_unreachable',
      `${journalVault}, where the journal is to be kept, cannot be used`,
      null,
    );
  }
  if (open.length * 2 > wanted.length) return good(name, `${open.length} of ${wanted.length} can be locked`);
  return warn(name, `only ${open.length} of ${wanted.length} can be locked`, 'it needs --accept-minority');
}

interface Ways {
  readonly assessed: Assessed;
  readonly ports: RecoveryPorts;
}

async function checkWays(
  work: DisasterWork,
  plan: RecoveryPlan,
  { assessed, ports }: Ways,
): Promise<Check[]> {
  const { signal } = work.context;
  const does = (step: string): boolean => plan.steps.some((one) => one.step === step && one.does);
  const whom = plan.primary.server === null ? [...ports.fences.keys()] : [plan.primary.server];
  const place = does('restore') ? await findPlaces(ports, [plan.target.region], signal) : null;
  return [
    checkThatFenceHolds(await findServerFences(ports, whom, signal), plan),
    checkCandidate(plan, assessed),
    place === null ? skipped('dr places', 'nothing is restored') : checkPlaces(place),
    checkName(await findName(work, ports.publicName, null)),
    await checkScale(work, plan, ports),
  ];
}

/** Of a server that is dead already, a fence that holds is all the better. */
function checkThatFenceHolds(servers: readonly ServerFences[], { primary }: RecoveryPlan): Check {
  const answering = servers.every(({ fences }) => fences.some(({ state }) => state !== 'unknown'));
  if (answering) return good('dr fences', `${primary.server ?? 'every server'} can be fenced`);
  return checkFences(servers);
}

function checkCandidate({ strategy, target }: RecoveryPlan, { assessment }: Assessed): Check {
  const name = 'dr standbys';
  if (strategy.kind === 'local_restore' || strategy.kind === 'full_rebuild')
    return skipped(name, 'none is promoted');
  const own = assessment.candidates.filter(({ region }) => region === target.region);
  const able = own.filter(({ refusals }) => refusals.length === 0);
  if (able.length > 0) return good(name, `${able.map(({ server }) => server).join(', ')} could take over`);
  const why = own.map(({ server, refusals }) => `${server}: ${refusals.join('; ')}`).join('; ');
  return bad(
    name,
    'recovery_refused',
    `none in ${target.region} could take over${why === '' ? '' : `: ${why}`}`,
    null,
  );
}

/** Only whether it can be asked: capacity that is not there yet is what the step is for. */
async function checkScale(
  { context }: DisasterWork,
  { target, steps }: RecoveryPlan,
  { scalers }: RecoveryPorts,
): Promise<Check> {
  const name = 'dr scale';
  const scaler = scalers.get(target.region);
  if (scaler === undefined || !steps.some(({ step, does }) => step === 'scale' && does))
    return skipped(name, 'no capacity is added');
  try {
    const isThere = await withDeadline(scaler.describe, ASK_MS, context.signal, (signal) =>
      scaler.check({ signal }),
    );
    return good(name, `${scaler.describe}: ${isThere ? 'it is there' : 'it will be asked for'}`);
  } catch (error) {
    if (!isBackupError(error) || error.code === 'interrupted') throw error;
    return failed(name, error);
  }
}

const ASK_MS = 20_000;
