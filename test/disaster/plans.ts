import { randomUUID } from 'node:crypto';
import {
  type DisasterTrigger,
  RECOVERY_STEPS,
  type RecoveryPlan,
  type RecoveryStrategy,
  type StrategyKind,
} from '../../src/core/disaster.ts';
import { STRATEGY_STEPS, TRIGGER_STEPS } from '../../src/disaster/steps-table.ts';
import { encodePlan, putPlan } from '../../src/format/disaster-plan.ts';
import { EAST, HOME, lsn, PLACE, SYSTEM, VAULTS, type World } from './world.ts';

/** A plan as it would be made of this world, in the vault of the target. */
export async function makePlan(
  world: World,
  kind: StrategyKind,
  change: Partial<RecoveryPlan> & { readonly trigger?: DisasterTrigger } = {},
): Promise<RecoveryPlan> {
  const isRestore = kind === 'local_restore' || kind === 'full_rebuild';
  const trigger = change.trigger ?? 'manual_trigger';
  const rules = { ...STRATEGY_STEPS[kind], ...TRIGGER_STEPS[trigger] };
  const plan: RecoveryPlan = {
    ...{ planId: randomUUID(), createdAt: new Date(world.nowMs).toISOString(), software: 'test', trigger },
    strategy: (kind === 'local_restore' ? { kind } : { kind, targetRegion: 'west' }) as RecoveryStrategy,
    ...{ reasons: ['somebody wanted it'], recoverTo: null },
    primary: {
      ...{ state: world.servers.get(EAST)!.isUp ? 'alive' : 'dead', region: 'east', server: EAST },
      ...{ systemIdentifier: SYSTEM, timeline: 1, lastPosition: lsn(5000), reasons: [] },
    },
    target: { region: 'west', server: isRestore ? PLACE : null },
    estimatedDataLoss: { bytes: null, events: null, timeMs: null, sampleAgeMs: null, basis: 'nothing' },
    journalVault: HOME,
    vaults: [...VAULTS],
    steps: RECOVERY_STEPS.map((step) => ({ step, does: rules[step]!.does, text: rules[step]!.text })),
    risks: [],
    ...change,
  };
  await putPlan(world.vaults.get(plan.journalVault)!, encodePlan(plan, null));
  return plan;
}
