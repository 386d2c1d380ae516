import type { RecoveryPlan, StepFacts } from '../core/disaster.ts';
import type { SalvageRecovery } from '../core/disaster-ports.ts';
import { type RunState, readListFacts, textFact } from './run-state.ts';

/** What consumers outside of the store have to be told after a recovery, out of the facts of its steps. */

/** What the record of the events that are no more says of the recovery that left them behind. */
export function recoveryOf({ strategy }: RecoveryPlan, { steps }: Pick<RunState, 'steps'>): SalvageRecovery {
  const { promote, restore } = steps;
  return {
    strategy: strategy.kind,
    recoveredAt: (promote.state === 'done' ? promote.at : restore.at) ?? null,
    cutLsn: textFact(promote.facts, 'forkLsn'),
  };
}

/** One line for each step that took events back. */
export function consumerLines({ steps }: Pick<RunState, 'steps'>): string[] {
  return [steps.restore.facts, steps.salvage.facts].flatMap((facts) => [
    ...vanishedWords(facts),
    ...ghostWords(facts),
  ]);
}

/** `12 events vanished: consumers compare with epochs/epoch-….json`; nothing when none has. */
export function vanishedWords(facts: StepFacts): string[] {
  const { vanished } = facts;
  if (typeof vanished !== 'number' || vanished === 0) return [];
  const records = [textFact(facts, 'epochRecord') ?? [], readListFacts(facts, 'epochRecord')].flat();
  const compare =
    records.length === 0 ? 'there is no record of them' : `consumers compare with ${records.join(', ')}`;
  return [`${vanished} ${vanished === 1 ? 'event' : 'events'} vanished: ${compare}`];
}

const MOST_NAMED = 10;

export function ghostFacts(ghosts: readonly string[]): StepFacts {
  const more = ghosts.length > MOST_NAMED ? ', …' : '';
  return { ghosts: ghosts.length, ghostNames: ghosts.slice(0, MOST_NAMED).join(', ') + more || null };
}

/** `2 checkpoints at events that are not there (billing, mail): …`; nothing when there are none. */
export function ghostWords(facts: StepFacts): string[] {
  const { ghosts } = facts;
  if (typeof ghosts !== 'number' || ghosts === 0) return [];
  const named = `${ghosts} ${ghosts === 1 ? 'checkpoint' : 'checkpoints'} at events that are not there`;
  return [`${named}: their consumers (${textFact(facts, 'ghostNames') ?? ''}) have seen what is no more`];
}
