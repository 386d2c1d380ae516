import type {
  DataLossEstimate,
  JournalEntry,
  RecoveryOutcome,
  RecoveryPlan,
  RecoveryStep,
  StepFacts,
} from '../core/disaster.ts';
import { RECOVERY_STEPS } from '../core/disaster.ts';
import { type RunState, readListFacts, readRunState, textFact } from './run-state.ts';

/** What came of a run, by its journal alone. */
export function outcomeOf(plan: RecoveryPlan, entries: readonly JournalEntry[]): RecoveryOutcome {
  const run = readRunState(entries);
  return {
    planId: plan.planId,
    strategyUsed: plan.strategy,
    state: stateOf(run),
    recoveryTimeMs: recoveryTime(run),
    dataLoss: lossOf(plan, run),
    systemsRecovered: recovered(run),
    unprotectedMs: sinceApproval(run, 'reprotect'),
    timeline: entries,
    reasons: [...plan.reasons, ...troubles(run)],
  };
}

function stateOf({ end, steps }: RunState): RecoveryOutcome['state'] {
  if (end === 'abandoned') return 'abandoned';
  if (end === null) return 'stopped';
  return RECOVERY_STEPS.some((step) => steps[step].state === 'failed') ? 'in_part' : 'recovered';
}

/** Until events could be written through the public name; where there is none, until they could be written at all. */
function recoveryTime(run: RunState): number | null {
  const { switch_name, verify_public } = run.steps;
  const hasNoName = verify_public.state === 'skipped' && switch_name.state === 'skipped';
  return sinceApproval(run, hasNoName ? 'probe' : 'verify_public');
}

function sinceApproval({ approvedAt, steps }: RunState, step: RecoveryStep): number | null {
  const { state, at } = steps[step];
  if (state !== 'done' || approvedAt === null || at === null) return null;
  return Date.parse(at) - Date.parse(approvedAt);
}

function lossOf(plan: RecoveryPlan, { steps }: RunState): RecoveryOutcome['dataLoss'] {
  const estimate = estimateOf(plan, steps.choose.facts);
  const { events, merged, spanMs, inDoubt } = steps.salvage.facts;
  if (steps.salvage.state === 'done' && typeof events === 'number') {
    const exactEvents = events - numberOr(merged, 0);
    return {
      estimate,
      exactEvents,
      exactMs: exactEvents === 0 ? 0 : numberOr(spanMs, null),
      inDoubt: numberOr(inDoubt, null),
    };
  }
  // The standby was shown to have all that the fenced primary had.
  const isComplete = steps.drain.state === 'done' && steps.drain.facts.isComplete === true;
  const isTaken = steps.promote.state === 'done';
  const none = isComplete && isTaken ? 0 : null;
  return { estimate, exactEvents: none, exactMs: none, inDoubt: null };
}

/** What the choice found counts more than what the plan expected. */
function estimateOf({ estimatedDataLoss }: RecoveryPlan, facts: StepFacts): DataLossEstimate {
  const basis = textFact(facts, 'lossBasis');
  if (basis === null) return estimatedDataLoss;
  return {
    bytes: textFact(facts, 'lossBytes'),
    events: numberOr(facts.lossEvents, null),
    timeMs: numberOr(facts.lossMs, null),
    sampleAgeMs: numberOr(facts.sampleAgeMs, null),
    basis,
  };
}

function numberOr<Other>(fact: StepFacts[string] | undefined, other: Other): number | Other {
  return typeof fact === 'number' ? fact : other;
}

/** In the order in which they came back. */
function recovered({ steps }: RunState): string[] {
  const store = textFact(steps.promote.facts, 'server') ?? textFact(steps.restore.facts, 'server');
  const name = textFact(steps.switch_name.facts, 'name');
  const standbys = [
    ...readListFacts(steps.reprotect.facts, 'standby'),
    ...readListFacts(steps.rejoin.facts, 'server'),
  ];
  return [
    ...(store !== null && steps.probe.state === 'done' ? [`store ${store}`] : []),
    ...(name !== null && steps.verify_public.state === 'done' ? [`name ${name}`] : []),
    ...(steps.scale.state === 'done' ? ['capacity'] : []),
    ...(steps.reprotect.state === 'done' ? ['backup and change log'] : []),
    ...standbys.map((server) => `standby ${server}`),
  ];
}

function troubles({ steps }: RunState): string[] {
  return RECOVERY_STEPS.flatMap((step) => {
    const { state, text } = steps[step];
    return state === 'failed' ? [`${step} failed: ${text}`] : [];
  });
}
