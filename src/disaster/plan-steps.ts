import {
  type DisasterTrigger,
  type PlannedStep,
  type PrimaryFinding,
  RECOVERY_STEPS,
  type RecoveryStep,
  type RecoveryStrategy,
} from '../core/disaster.ts';
import { MERGES_SALVAGED, STRATEGY_STEPS, type StepRule, TRIGGER_STEPS } from './steps-table.ts';
import type { RegionFacts } from './strategy.ts';

/** What is configured that steps need. */
export interface StepFactsOfPlan {
  /** By server: fences from outside, in words. Each server has its own besides. */
  readonly fences: Readonly<Record<string, readonly string[]>>;
  /** In words; null: applications find the store by other means. */
  readonly publicName: string | null;
  readonly hasMigrate: boolean;
  readonly hasNotifiers: boolean;
  /** Servers that can be made standbys again. */
  readonly rejoins: readonly string[];
  /** Whether salvaged events that conflict with nothing are added. */
  readonly mergesSalvaged: boolean;
}

interface PlannedFor {
  readonly trigger: DisasterTrigger;
  readonly strategy: RecoveryStrategy;
  readonly recoverTo: string | null;
  readonly primary: PrimaryFinding;
  readonly target: RegionFacts | null;
  /** Who would take over as things are. */
  readonly candidate: string | null;
  readonly facts: StepFactsOfPlan;
}

/** All steps in their order, those that are left out as well, with the reason. */
export function planSteps(plan: PlannedFor): PlannedStep[] {
  return RECOVERY_STEPS.map((step) => {
    const rule = TRIGGER_STEPS[plan.trigger][step] ?? STRATEGY_STEPS[plan.strategy.kind][step];
    return { step, ...(rule.does ? fit(step, rule, plan) : rule) };
  });
}

const leftOut = (text: string): StepRule => ({ does: false, text });
type Fit = (rule: StepRule, plan: PlannedFor) => StepRule;
const asItIs: Fit = (rule) => rule;

/** What the configuration makes of a step. */
const FITS: Readonly<Record<RecoveryStep, Fit>> = {
  freeze: asItIs,
  fence: ({ text }, { primary, facts, strategy }) => {
    const outside = primary.server === null ? [] : (facts.fences[primary.server] ?? []);
    // Whoever hands over has to go on sending.
    const ways = strategy.kind === 'switchover' ? [OWN_FENCE, ...outside] : [...outside, OWN_FENCE];
    const whom = primary.server ?? 'every server that does not answer';
    return {
      does: true,
      text: `${whom}, and whatever else answers as a primary: ${text} (${ways.join(', ')})`,
    };
  },
  drain: (rule, { recoverTo }) =>
    recoverTo === null ? rule : leftOut('what was written after the instant is not wanted'),
  choose: ({ text }, { candidate }) => ({
    does: true,
    text: candidate === null ? text : `${text}; as things are, ${candidate}`,
  }),
  promote: asItIs,
  restore: ({ text }, { target, recoverTo }) => ({
    does: true,
    text: `${text}: ${target?.place ?? 'the place that is configured'}, up to ${recoverTo ?? 'the newest point'}`,
  }),
  migrate: (rule, { facts }) => (facts.hasMigrate ? rule : leftOut('no command is configured')),
  check: asItIs,
  probe: asItIs,
  scale: ({ text }, { target, primary }) => {
    if (target !== null && target.region === primary.region) return leftOut('the region stays the same');
    if (target?.scale == null) return leftOut('no way to add capacity is configured for the region');
    return { does: true, text: `${text}: ${target.scale}` };
  },
  switch_name: ({ text }, { facts }) =>
    facts.publicName === null ? leftOut(NO_NAME) : { does: true, text: `${text}: ${facts.publicName}` },
  verify_public: (rule, { facts }) => (facts.publicName === null ? leftOut(NO_NAME) : rule),
  notify: (rule, { facts }) => (facts.hasNotifiers ? rule : leftOut('nobody is configured to be told')),
  reprotect: asItIs,
  salvage: (rule, { trigger, facts }) => {
    if (!MERGES_SALVAGED[trigger]) return rule;
    const kept = facts.mergesSalvaged ? 'adds those that conflict with nothing' : 'adds nothing by itself';
    return {
      does: true,
      text: `finds what only the old primary has, keeps it beside the journal, and ${kept}`,
    };
  },
  rejoin: (rule, { primary, facts }) =>
    primary.server !== null && facts.rejoins.includes(primary.server)
      ? rule
      : leftOut('no way is configured to make the old primary a standby: do it by hand after the salvage'),
  release: asItIs,
};

const OWN_FENCE = 'its own pg_hba';
const NO_NAME = 'no public name is configured: lead applications to the new place by hand';

function fit(step: RecoveryStep, rule: StepRule, plan: PlannedFor): StepRule {
  return FITS[step](rule, plan);
}
