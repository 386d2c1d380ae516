import type { Clock } from '../../core/clock.ts';
import type { EventStore } from '../../core/event-store.ts';
import type { Finding } from '../../core/finding.ts';
import type { Vault } from '../../core/vault.ts';
import type { Chain } from '../../format/chain.ts';
import type { RepairStepOutcome } from '../../format/repair-record.ts';
import type { RepairStep } from './plan.ts';

export interface RepairPorts {
  readonly store: EventStore;
  readonly vault: Vault;
  readonly clock: Clock;
  /** Where events are taken from: opened with what is needed to read it. Null where there is no backup. */
  readonly chain: Chain | null;
  /** Adds what the store lacks of these streams of the chain, by a merge, and gives how many events that were. */
  readonly reinstate: (streamIds: readonly string[], signal: AbortSignal | undefined) => Promise<number>;
  /** Runs checks again and gives what they find now. */
  readonly recheck: (checks: readonly string[]) => Promise<readonly Finding[]>;
}

export interface StepResult {
  readonly step: RepairStep;
  /** `refused`: store or data did not allow it, and it changed nothing. `failed`: it did not come about, or did not hold. */
  readonly outcome: RepairStepOutcome;
  /** Null where it is repaired. */
  readonly reason: string | null;
}

/** What became of the steps that are not repaired. */
export type StepFailures = Map<RepairStep, Pick<StepResult, 'outcome' | 'reason'>>;
