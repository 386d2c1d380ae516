import type { Notifier } from '../core/alert.ts';
import type { Clock } from '../core/clock.ts';
import type { JournalEntry, RecoveryPlan, RecoveryRisk, RecoveryStep, StepFacts } from '../core/disaster.ts';
import type {
  Fence,
  Hook,
  Protector,
  PublicName,
  RegionServer,
  Rejoiner,
  Restorer,
  Salvager,
  Scaler,
  StoreTrials,
} from '../core/disaster-ports.ts';
import type { Signer } from '../core/key-ring.ts';
import type { TrustPolicy } from '../core/trust.ts';
import type { Vault } from '../core/vault.ts';
import type { RunState } from './run-state.ts';

/** What a recovery works with. Servers, stores and places go by their addresses, without passwords. */
export interface RecoveryPorts {
  readonly clock: Clock;
  /** Who does it: user and host, process. */
  readonly actor: string;
  readonly software: string;
  /** Null: the journal is chained, but not signed. */
  readonly signer: Signer | null;
  /** Whose plans and journals are gone by; left out: anybody's, but no forged ones. */
  readonly trust?: TrustPolicy;
  /** All that are configured. They need not be open, nor reachable. */
  readonly vaults: readonly RegionVault[];
  /** Servers of the table of events, of all regions. */
  readonly servers: readonly RegionServer[];
  /** Where a region restores to, by its name. */
  readonly places: ReadonlyMap<string, RestorePlace>;
  /** By the server that is fenced, in the order in which they are tried. For a switchover, the server's own comes first. */
  readonly fences: ReadonlyMap<string, readonly Fence[]>;
  /** Null: applications find the store by other means. */
  readonly publicName: PublicName | null;
  /** What the public name points to when this server, or place, has the events. */
  readonly values: ReadonlyMap<string, string>;
  /** By region. */
  readonly scalers: ReadonlyMap<string, Scaler>;
  /** By the server that becomes a standby. */
  readonly rejoiners: ReadonlyMap<string, Rejoiner>;
  readonly migrate: Hook | null;
  readonly restorer: Restorer;
  readonly trials: StoreTrials;
  readonly protector: Protector;
  readonly salvager: Salvager;
  readonly notifiers: readonly Notifier[];
}

export interface RegionVault {
  readonly region: string;
  readonly vault: Vault;
  /** Plan, journal and lease are kept there as well: not in copies and archives. */
  readonly keepsJournal: boolean;
}

export interface RestorePlace {
  readonly address: string;
  /** The server that it is in; null where it is none of PostgreSQL. */
  readonly server: RegionServer | null;
}

export interface RecoverySettings {
  /** What may be lost without `--accept-data-loss`; null: nothing is too much. */
  readonly maxLossBytes: bigint | null;
  /** Whether salvaged events that conflict with nothing are added to the new primary. */
  readonly mergeSalvaged: boolean;
  /** Milliseconds that a step may take. */
  readonly deadlines: Readonly<Record<RecoveryStep, number>>;
  /** Milliseconds that one question to a server, a fence or a vault may take. */
  readonly probeMs: number;
  /** Milliseconds between two looks where something is waited for. */
  readonly pollMs: number;
  /** Looks in a row at which standbys stand where they stood: nothing arrives any longer. */
  readonly equalLooks: number;
  /** Milliseconds: a plan that is older was made of what is no longer so. */
  readonly maxPlanAgeMs: number;
  readonly leaseTtlMs: number;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** Steps that move data wait as long as that may take; the others, as long as something that still works takes at most. */
const STEP_DEADLINES: Readonly<Record<RecoveryStep, number>> = {
  freeze: MINUTE,
  fence: 3 * MINUTE,
  drain: 2 * MINUTE,
  choose: MINUTE,
  promote: 2 * MINUTE,
  restore: 24 * HOUR,
  migrate: HOUR,
  check: HOUR,
  probe: MINUTE,
  scale: 15 * MINUTE,
  switch_name: 3 * MINUTE,
  verify_public: 10 * MINUTE,
  notify: 2 * MINUTE,
  reprotect: 24 * HOUR,
  salvage: 6 * HOUR,
  rejoin: 6 * HOUR,
  release: MINUTE,
};

export const RECOVERY_SETTINGS: RecoverySettings = {
  maxLossBytes: 0n,
  mergeSalvaged: false,
  deadlines: STEP_DEADLINES,
  probeMs: 5000,
  pollMs: 1000,
  equalLooks: 3,
  maxPlanAgeMs: HOUR,
  leaseTtlMs: MINUTE,
};

/** What a step knows and may use. */
export interface StepContext {
  readonly ports: RecoveryPorts;
  readonly settings: RecoverySettings;
  readonly plan: RecoveryPlan;
  /** What the journal says, up to the step. */
  readonly run: RunState;
  readonly entries: readonly JournalEntry[];
  /** Vaults that are locked by this run, in the order of their addresses. */
  readonly vaults: readonly RegionVault[];
  readonly accepted: ReadonlySet<RecoveryRisk>;
  /** Servers that runs which were given up may have promoted. */
  readonly maybePrimaries: ReadonlySet<string>;
  /** Servers that let the last question run into its deadline: the next one gets less time. */
  readonly silent: Set<string>;
  readonly epoch: number;
  /** Fires when the step has taken too long, when the lease is lost, and when the user wants to stop. */
  readonly signal: AbortSignal;
  /** Throws `lease_held` when another run may act now. */
  readonly assertHeld: () => void;
}

/** What a step found or did: one line for people, and facts for the steps behind it. */
export interface StepResult {
  readonly text: string;
  readonly facts: StepFacts;
}

/** One step of a recovery. Each may be called again after it died at any place. */
export interface StepCode {
  /**
   * What must be so before anything of it is done, proven now: it stands in the intent. Not asked again once there is an intent. Throws
   * why it must not be done.
   */
  readonly prepare?: (context: StepContext) => Promise<StepFacts>;
  /** Gives what is so when the postcondition holds already; null when it does not, or nobody can tell. Changes nothing. */
  readonly check: (context: StepContext) => Promise<StepResult | null>;
  /** Makes it so, and shows that it is so. Throws when it is not. */
  readonly act: (context: StepContext) => Promise<StepResult>;
  /** Why there is nothing to do here, in words; null when there is. */
  readonly skip?: (context: StepContext) => string | null;
  /** Whether what was done must be shown to hold once more when a run is taken up: others can undo it. */
  readonly isPerishable?: (context: StepContext) => boolean;
}
