/** Why somebody begins a recovery. The names are the specification's. */
export const DISASTER_TRIGGERS = [
  'database_failure',
  'region_outage',
  'data_corruption',
  'security_breach',
  'manual_trigger',
] as const;

export type DisasterTrigger = (typeof DISASTER_TRIGGERS)[number];

export type RecoveryStrategy =
  /** Backups and change log into a clean place of the region of the primary. */
  | { readonly kind: 'local_restore' }
  /** A standby takes over, in whatever region it stands. */
  | { readonly kind: 'regional_failover'; readonly targetRegion: string }
  /** Backups and change log into a clean place of a region: nothing that runs is taken over. */
  | { readonly kind: 'full_rebuild'; readonly targetRegion: string }
  /** The primary is alive: it hands over, and nothing is lost. */
  | { readonly kind: 'switchover'; readonly targetRegion: string };

export type StrategyKind = RecoveryStrategy['kind'];

export const STRATEGY_KINDS = [
  'local_restore',
  'regional_failover',
  'full_rebuild',
  'switchover',
] as const satisfies readonly StrategyKind[];

/** The steps of a recovery, in the order in which they are taken. */
export const RECOVERY_STEPS = [
  /** Nothing is removed from any vault from now on. */
  'freeze',
  /** No old primary can write any longer. */
  'fence',
  /** What the old primary still sends arrives; the log in the vault catches up. */
  'drain',
  /** The standby that takes over, by what it has now. */
  'choose',
  'promote',
  /** Backups and log into the clean place. */
  'restore',
  /** The application's own command, such as one that brings the schema up to date. */
  'migrate',
  /** Checks of the store, and its consumers' checkpoints. */
  'check',
  /** An event is appended to a stream of its own and read back. */
  'probe',
  'scale',
  /** The public name points to the new place. The clock of the recovery time ends with the step after it. */
  'switch_name',
  'verify_public',
  'notify',
  /** A new full backup and log on the new timeline; other standbys follow the new primary. */
  'reprotect',
  /** Events that only the old primary has. */
  'salvage',
  /** The old primary becomes a standby. */
  'rejoin',
  /** What `freeze` did is taken back. */
  'release',
] as const;

export type RecoveryStep = (typeof RECOVERY_STEPS)[number];

/** How a server looks from one place. */
export type ProbeOutcome =
  /** It said what it is. */
  | 'answered'
  /** It is there and lets nobody in: starting up, too many connections, wrong password, fenced. */
  | 'refused'
  | 'unreachable'
  /** Nothing came before the deadline, which says less than a refusal. */
  | 'timed_out';

/** What a server of PostgreSQL says of itself. LSNs as `0/5000028`. */
export interface ServerState {
  readonly role: 'primary' | 'standby';
  readonly systemIdentifier: string;
  /** The one that is written to now, or replayed: not the control file's. */
  readonly timeline: number;
  readonly serverVersion: string;
  /** Of a primary: flushed. Of a standby: the greater one of received and replayed. */
  readonly position: string;
  /** Of a standby; null of a primary. */
  readonly replayed: string | null;
  readonly isReplayPaused: boolean;
  /** `recovery_min_apply_delay`. */
  readonly applyDelayMs: number;
  /**
   * Of a standby: how long ago the primary was last heard, by the standby's own clock, and where it is. Null when its receiver does not
   * run. What it says of the connection's state is not worth anything: it still says `streaming` long after the network was cut.
   */
  readonly upstream: { readonly heardAgoMs: number; readonly host: string; readonly port: number } | null;
  /** Whether it stands behind a fence of ours. */
  readonly isFenced: boolean;
  /** Connections of others than ours that could write; null where this role may not see them. */
  readonly clients: number | null;
  /** Its clock less this host's, in milliseconds. */
  readonly clockAheadMs: number;
}

/** One probe of one server from one vantage point. */
export interface Observation {
  /** `here`, a configured vantage point, or the standby whose receiver says it. */
  readonly vantage: string;
  readonly region: string;
  /** Without a password. */
  readonly server: string;
  readonly outcome: ProbeOutcome;
  readonly ms: number;
  /** Null unless it answered. */
  readonly state: ServerState | null;
  /** Why it did not answer; null where it did. */
  readonly reason: string | null;
}

/** Whether a vault can be read, and what can be recovered from it. */
export interface VaultObservation {
  readonly region: string;
  readonly vault: string;
  readonly isReadable: boolean;
  readonly reason: string | null;
  /** RFC 3339; null where nothing can be recovered. */
  readonly newestPoint: string | null;
  readonly backups: number;
  /** Of an archive, what must be recalled first. */
  readonly isArchive: boolean;
}

/** Where a primary stood, as somebody outside its region saw it. */
export interface PositionSample {
  /** RFC 3339, by the clock of the host that took it. */
  readonly sampledAt: string;
  readonly region: string;
  /** Without a password. */
  readonly server: string;
  readonly systemIdentifier: string;
  readonly timeline: number;
  readonly position: string;
  /** Rows that were inserted into the table of events since the statistics were reset; null where that is not known. */
  readonly eventsInserted: number | null;
}

/** How much would be lost, before it can be counted. */
export interface DataLossEstimate {
  /** WAL that the candidate lacks of the newest sample; null where there is no sample to say so. */
  readonly bytes: string | null;
  /** How many events those are at the rate of the samples. */
  readonly events: number | null;
  /** Between the candidate's newest commit, or the newest restore point, and now or the last sign of the primary. */
  readonly timeMs: number | null;
  /** How old the newest sample is: what was written since is not in the estimate. */
  readonly sampleAgeMs: number | null;
  /** How it was arrived at, in words. */
  readonly basis: string;
}

/** What was found, before anything is decided. */
export interface DisasterAssessment {
  readonly assessedAt: string;
  /** Somebody writes, or could: see `primary`. */
  readonly primaryDbAccessible: boolean;
  readonly backupAccessible: boolean;
  /** By region: whether a standby there could take over. */
  readonly replicaRegions: Readonly<Record<string, boolean>>;
  readonly estimatedDataLoss: DataLossEstimate;
  readonly primary: PrimaryFinding;
  readonly candidates: readonly Candidate[];
  readonly vaults: readonly VaultObservation[];
  readonly observations: readonly Observation[];
  /** What whoever decides should know, in words: two primaries, a vantage point that did not answer, clocks apart. */
  readonly warnings: readonly string[];
}

export interface PrimaryFinding {
  /**
   * `alive` from all vantage points, `dead` from all, `disputed` where they disagree (a partition), `doubled` where two servers take
   * writes, `unknown` where nobody knows which one it was.
   */
  readonly state: 'alive' | 'dead' | 'disputed' | 'doubled' | 'unknown';
  readonly region: string | null;
  readonly server: string | null;
  readonly systemIdentifier: string | null;
  readonly timeline: number | null;
  /** The greatest position that it was ever seen at, from samples as well. */
  readonly lastPosition: string | null;
  readonly reasons: readonly string[];
}

/** A standby, and whether it may take over. */
export interface Candidate {
  readonly region: string;
  readonly server: string;
  readonly state: ServerState;
  /** Bytes of WAL that it lacks of the primary's last known position; null where that is not known. */
  readonly behindBytes: string | null;
  /** Why it must not be promoted, in words; empty when it may. */
  readonly refusals: readonly string[];
}

/** What an operator must accept by name before a plan is carried out. */
export const RECOVERY_RISKS = {
  data_loss: '--accept-data-loss',
  split_brain: '--accept-split-brain',
  minority: '--accept-minority',
} as const;

export type RecoveryRisk = keyof typeof RECOVERY_RISKS;

export interface PlannedStep {
  readonly step: RecoveryStep;
  readonly does: boolean;
  /** What it will do, or why it is left out, in words. */
  readonly text: string;
}

export interface RecoveryPlan {
  readonly planId: string;
  readonly createdAt: string;
  readonly software: string;
  readonly trigger: DisasterTrigger;
  readonly strategy: RecoveryStrategy;
  readonly reasons: readonly string[];
  /** RFC 3339: the instant to restore to; null for the newest. */
  readonly recoverTo: string | null;
  readonly primary: PrimaryFinding;
  /** Where events will be written afterwards. `server` is null where the candidate is chosen after the fence. */
  readonly target: { readonly region: string; readonly server: string | null };
  readonly estimatedDataLoss: DataLossEstimate;
  /** Address of the vault that the journal is kept in: it must survive, so it is the target's. */
  readonly journalVault: string;
  /** All vaults whose lease is taken, and that get a copy of the journal. */
  readonly vaults: readonly string[];
  readonly steps: readonly PlannedStep[];
  readonly risks: readonly { readonly risk: RecoveryRisk; readonly text: string }[];
}

/** What happened, in the order in which it did. Each entry names the one before by digest. */
export interface JournalEntry {
  readonly planId: string;
  /** From 1, without a gap. */
  readonly number: number;
  /** Of the lease under which it was written: a later run's is greater. */
  readonly epoch: number;
  /** RFC 3339. */
  readonly at: string;
  /** Who did it: user and host, process. */
  readonly actor: string;
  readonly kind: JournalKind;
  /** Null for what concerns the whole run. */
  readonly step: RecoveryStep | null;
  /** One line for people. */
  readonly text: string;
  readonly facts: StepFacts;
  /** SHA-256 (hex) of the entry before; of the plan for the first. */
  readonly previous: string;
}

export type JournalKind =
  | 'approved'
  | 'resumed'
  /** Written before anything is done. */
  | 'intent'
  /** The postcondition holds. */
  | 'done'
  | 'skipped'
  /** It failed, and the run goes on without it, or stops. */
  | 'failed'
  | 'ended'
  | 'abandoned';

export type StepFacts = Readonly<Record<string, string | number | boolean | null>>;

/** What came of a recovery. The names are the specification's. */
export interface RecoveryOutcome {
  readonly planId: string;
  readonly strategyUsed: RecoveryStrategy;
  readonly state: 'recovered' | 'in_part' | 'stopped' | 'abandoned';
  /** From the approval until the events could be written through the public name. */
  readonly recoveryTimeMs: number | null;
  readonly dataLoss: {
    readonly estimate: DataLossEstimate;
    /** Events, once salvage has counted them; null before. */
    readonly exactEvents: number | null;
    /** From the first lost event to the last one. */
    readonly exactMs: number | null;
    /** Events that were there although their writers were never told so, where that could be told. */
    readonly inDoubt: number | null;
  };
  readonly systemsRecovered: readonly string[];
  /** From the approval until backup and log run again; null while they do not. */
  readonly unprotectedMs: number | null;
  readonly timeline: readonly JournalEntry[];
  readonly reasons: readonly string[];
}
