import type {
  DisasterAssessment,
  DisasterTrigger,
  RecoveryPlan,
  RecoveryRisk,
  RecoveryStrategy,
} from '../core/disaster.ts';
import { BackupError } from '../core/errors.ts';
import { formatAge } from '../policy/duration.ts';
import { lossFactsOf, newestPoint, SAMPLE_BOUND_MS } from './assess.ts';
import { chooseCandidate, isAhead } from './candidates.ts';
import { unsampledBytes } from './loss.ts';
import { answersOf } from './opinions.ts';
import { planSteps, type StepFactsOfPlan } from './plan-steps.ts';
import {
  decideStrategy,
  isReadable,
  type RegionFacts,
  type StrategyDecision,
  type StrategyFacts,
  type StrategyWish,
} from './strategy.ts';
import { NEEDS_INSTANT } from './strategy-table.ts';

/** What is configured that a plan depends on. */
export interface PlanFacts extends StrategyFacts, StepFactsOfPlan {
  readonly software: string;
  /** How many bytes of log may be lost without `--accept-data-loss`; null: nothing bounds it. */
  readonly maxLossBytes: bigint | null;
}

export interface PlanRequest {
  readonly planId: string;
  readonly trigger: DisasterTrigger;
  readonly wish: StrategyWish;
  readonly assessment: DisasterAssessment;
  readonly facts: PlanFacts;
}

/** What will be done, with what must be accepted before. Throws `recovery_refused`, with the way out as its hint. */
export function makePlan(request: PlanRequest): RecoveryPlan {
  const { planId, trigger, wish, assessment, facts } = request;
  const decision = decideStrategy({ assessment, trigger, wish, facts });
  if (decision.strategy === null)
    throw new BackupError('recovery_refused', `${decision.refusal}: ${decision.reasons.join('. ')}`, {
      hint: decision.hint,
    });
  const { strategy, candidate } = decision;
  const target = targetOf(strategy, assessment, facts);
  const vaults = vaultsOf(facts);
  const { recoverTo } = wish;
  const { primary } = assessment;
  return {
    ...{ planId, createdAt: new Date(facts.nowMs).toISOString(), software: facts.software },
    ...{ trigger, strategy, reasons: [...decision.reasons, ...assessment.warnings], recoverTo, primary },
    target: {
      region: target.region,
      server: candidate === null ? target.place : null,
    },
    estimatedDataLoss: decision.loss,
    journalVault: journalVaultOf(target, vaults, assessment),
    vaults,
    steps: planSteps({
      ...{ trigger, strategy, recoverTo, primary, target, facts },
      candidate: candidate?.server ?? null,
    }),
    risks: risksOf(request, decision, vaults),
  };
}

function targetOf(
  strategy: RecoveryStrategy,
  { primary }: DisasterAssessment,
  { regions }: PlanFacts,
): RegionFacts {
  const name = strategy.kind === 'local_restore' ? primary.region : strategy.targetRegion;
  const found = regions.find(({ region }) => region === name);
  if (found !== undefined) return found;
  throw new BackupError('recovery_refused', `nothing is configured for the region ${name ?? '(unknown)'}`, {
    hint: 'add it to `disaster.regions` of the configuration',
  });
}

/** One lease is taken in each, in this order. */
function vaultsOf({ regions }: PlanFacts): string[] {
  return [...new Set(regions.flatMap(({ vault }) => (vault === null ? [] : [vault])))].sort();
}

/** The target's own, since that survives; where it cannot be read, another one that can. */
function journalVaultOf(
  { vault }: RegionFacts,
  vaults: readonly string[],
  assessment: DisasterAssessment,
): string {
  if (vault !== null && isReadable(assessment, vault)) return vault;
  const found = vaults.find((address) => isReadable(assessment, address));
  if (found !== undefined) return found;
  throw new BackupError('recovery_refused', 'no vault can be read, so nothing could be written down', {
    hint: 'a recovery keeps its journal in a vault: make one reachable, or configure another region with a vault',
  });
}

type Risk = RecoveryPlan['risks'][number];
type Decided = Extract<StrategyDecision, { readonly loss: object }>;

function risksOf(
  { assessment, facts, wish }: PlanRequest,
  decided: Decided,
  vaults: readonly string[],
): Risk[] {
  const risks: readonly (readonly [RecoveryRisk, string | null])[] = [
    ['data_loss', lossRisk(decided, facts, wish, assessment)],
    ['split_brain', splitRisk(assessment, facts)],
    ['minority', minorityRisk(assessment, vaults)],
  ];
  return risks.flatMap(([risk, text]) => (text === null ? [] : [{ risk, text }]));
}

/** Null where no more is lost than may be, as far as that is shown. */
function lossRisk(
  { strategy, loss, candidate }: Decided,
  facts: PlanFacts,
  { recoverTo }: StrategyWish,
  assessment: DisasterAssessment,
): string | null {
  const { maxLossBytes, regions } = facts;
  if (strategy.kind === 'switchover') return null;
  if (candidate === null) return restoreRisk(recoverTo, loss.timeMs, assessment);
  if (maxLossBytes === null || (loss.bytes === '0' && loss.events === 0)) return null;
  if (loss.bytes === null) return `nobody knows how much is lost: ${loss.basis}`;
  if (BigInt(loss.bytes) > maxLossBytes)
    return `more is lost than may be (${maxLossBytes} bytes): ${loss.basis}`;
  const since = unsampledBytes(lossFactsOf(assessment, facts.samples, facts.nowMs));
  if (since === null || BigInt(loss.bytes) + since > maxLossBytes)
    return `with what came after the newest sample, more may be lost than may be (${maxLossBytes} bytes; ${since ?? 'nobody knows how many'} came since): ${loss.basis}`;
  const away = unaskedStandbys(assessment, regions);
  if (away.length > 0)
    return `${away.join(', ')} could not be asked, and may have more than ${candidate.server}`;
  if (loss.sampleAgeMs !== null && loss.sampleAgeMs <= SAMPLE_BOUND_MS) return null;
  return `the estimate is too old to rely on: ${loss.basis}`;
}

function restoreRisk(
  recoverTo: string | null,
  timeMs: number | null,
  assessment: DisasterAssessment,
): string {
  if (recoverTo !== null) return `what was written after ${recoverTo} is not in the new store`;
  const point = newestPoint(assessment.vaults);
  const span = timeMs === null ? 'which is nobody knows how much' : `which is about ${formatAge(timeMs)}`;
  return `what was written after ${point ?? 'the newest backup'} is not in the new store, ${span}`;
}

function unaskedStandbys(
  { observations, primary }: DisasterAssessment,
  regions: readonly RegionFacts[],
): string[] {
  const answers = answersOf(observations);
  return regions.flatMap(({ servers }) =>
    servers.filter((server) => server !== primary.server && !answers.has(server)),
  );
}

/** A server that cannot be asked can only be fenced from outside. */
function splitRisk({ primary, observations }: DisasterAssessment, { fences }: PlanFacts): string | null {
  if (primary.server === null)
    return 'it is not known whom to fence: whoever was the primary may still write';
  const isAsked = answersOf(observations).has(primary.server);
  if (isAsked || (fences[primary.server] ?? []).length > 0) return null;
  return `${primary.server} cannot be reached, and no fence from outside is configured: that it cannot write will not be shown; make sure of it by hand (switch its host off)`;
}

function minorityRisk(assessment: DisasterAssessment, vaults: readonly string[]): string | null {
  const readable = vaults.filter((vault) => isReadable(assessment, vault));
  if (readable.length * 2 > vaults.length) return null;
  return `${readable.length} of ${vaults.length} vaults can be read: another recovery could run where the others are`;
}

/** So long what was found is taken to be still so. */
export const PLAN_BOUND_MS = 3_600_000;

/** What has changed since that makes a plan void, in words; empty when it may be carried out. Only asked before a run begins. */
export function whyOutdated(plan: RecoveryPlan, assessment: DisasterAssessment, nowMs: number): string[] {
  const ageMs = nowMs - Date.parse(plan.createdAt);
  const found: (string | false)[] = [
    ageMs > PLAN_BOUND_MS && `the plan is ${formatAge(ageMs)} old`,
    ageMs < -PLAN_BOUND_MS && `the plan is of ${plan.createdAt}, which is not yet by this host's clock`,
    ...primaryChanges(plan, assessment),
    ...targetChanges(plan, assessment),
    !isReadable(assessment, plan.journalVault) &&
      `${plan.journalVault} cannot be read, and the journal is to be kept there`,
  ];
  return found.filter((text) => text !== false);
}

function primaryChanges(
  { primary: then, strategy, trigger }: RecoveryPlan,
  { primary: now }: DisasterAssessment,
): (string | false)[] {
  const restores = strategy.kind === 'local_restore' || strategy.kind === 'full_rebuild';
  return [
    then.server !== now.server &&
      `the primary is ${now.server ?? 'not known'}, and was ${then.server ?? 'not known'}`,
    then.server === now.server &&
      isOther(then.systemIdentifier, now.systemIdentifier) &&
      'the primary has another history: another system identifier',
    then.server === now.server &&
      isOther(then.timeline, now.timeline) &&
      `the primary is on timeline ${now.timeline}, and was on ${then.timeline}`,
    !NEEDS_INSTANT[trigger] && then.state !== 'alive' && now.state === 'alive' && 'the primary answers now',
    strategy.kind === 'switchover' &&
      now.state !== 'alive' &&
      `the primary is ${now.state}, and only one that is alive hands over`,
    !restores && now.state === 'doubled' && 'two servers take writes now',
  ];
}

function isOther(then: string | number | null, now: string | number | null): boolean {
  return then !== null && now !== null && then !== now;
}

function targetChanges(
  { strategy, target }: RecoveryPlan,
  assessment: DisasterAssessment,
): (string | false)[] {
  if (strategy.kind === 'local_restore' || strategy.kind === 'full_rebuild')
    return [
      newestPoint(assessment.vaults) === null && 'no vault can be read that anything can be recovered from',
    ];
  const { region } = target;
  const { candidates, primary } = assessment;
  const best = chooseCandidate(candidates, { region: null, primaryRegion: primary.region });
  const own = chooseCandidate(candidates, { region, primaryRegion: primary.region });
  if (own === null) return [`no standby in ${region} may take over any longer`];
  const isBehind = primary.state === 'dead' && best !== null && best.region !== region && isAhead(best, own);
  return [isBehind && `${best.server} in ${best.region} has more than all in ${region}`];
}
