import type { Rung } from './rungs.ts';

/**
 * What is known of how well a store is protected: the answer to "can I get my data back, to when, and how do I know?". `eventcore status`
 * answers with it, the daemon keeps the newest of each store, and metrics, objectives and the console are made of it. Names no stream and
 * holds nothing of an event.
 *
 * Times are RFC 3339 in UTC. Null is "not known" or "there is none", as each says; what could not be read is in `problems`, and never 0.
 */
export interface StoreStatus {
  /** When it was asked. */
  readonly at: string;
  /** Addresses without passwords; null where the configuration names none. */
  readonly store: string | null;
  readonly vault: string;
  /** The newest instant that can be brought back; null: none. */
  readonly newestPoint: string | null;
  /** Oldest first: the oldest one, and the newest ones of the rest, no more than `MOST_STATUS_BACKUPS`. */
  readonly windows: readonly StatusWindow[];
  /** The newest ones, oldest first: no more than `MOST_STATUS_BACKUPS`. */
  readonly gaps: readonly StatusGap[];
  /** The newest ones, oldest first: no more than `MOST_STATUS_BACKUPS`. */
  readonly backups: readonly StatusBackup[];
  /** All that are in the vault, also those that are not listed. */
  readonly backupCount: number;
  /** What all backups take in the vault. */
  readonly backupBytes: number;
  /** The change log against its store; null: there is no log, or the store does not tell. */
  readonly log: StatusLog | null;
  /** Of the policy; the vault that is worked with is among them. */
  readonly regions: readonly StatusRegion[];
  readonly verification: StatusVerification | null;
  /** The newest drill on record. */
  readonly drill: StatusDrill | null;
  readonly lastPassedDrillAt: string | null;
  /** The newest run of the monitor on record. */
  readonly monitor: StatusMonitor | null;
  readonly promises: StatusPromises;
  readonly problems: readonly StatusProblem[];
}

export const MOST_STATUS_BACKUPS = 400;

/** Every instant from `from` to `to` can be brought back; of a backup alone, that one. */
export interface StatusWindow {
  readonly source: 'log' | 'backup';
  readonly from: string;
  readonly to: string;
}

/** Commits that no recovery crosses. */
export interface StatusGap {
  /** The log holds all before it; null: nothing is before it. */
  readonly from: string | null;
  readonly reason: string;
}

export interface StatusBackup {
  readonly backupId: string;
  readonly kind: 'full' | 'incremental';
  /** The full backup that its chain begins with; null: the chain is broken. */
  readonly chainId: string | null;
  /** The instant that it is the state of. */
  readonly stateAt: string;
  readonly finishedAt: string;
  readonly durationMs: number;
  readonly events: number;
  readonly sizeBytes: number;
  readonly sealed: boolean;
  /** When all of it was verified last; null: never. */
  readonly verifiedAt: string | null;
  /** What that found; null: never verified. */
  readonly isSound: boolean | null;
}

export interface StatusLog {
  /** How long the newest commit is in the store that the log has not; 0: nothing is missing. */
  readonly lagSeconds: number;
  /** PostgreSQL: of its log. */
  readonly lagBytes: number | null;
  /** What the store keeps because the log has it not yet, and may still keep. */
  readonly retainedBytes: number | null;
  readonly spareBytes: number | null;
  /** Somebody captures. */
  readonly isCaptured: boolean;
}

export interface StatusRegion {
  readonly region: string;
  readonly kind: 'primary' | 'replica' | 'archive';
  readonly vault: string;
  /** The newest instant that can be brought back from there alone; null: none, or not known. */
  readonly newestPoint: string | null;
  readonly backups: number | null;
  /** How far its newest point is behind that of the primary region; 0: not at all; null: not known. */
  readonly lagSeconds: number | null;
}

export interface StatusVerification {
  /** How long ago that was verified which was verified longest ago (where never: was written). */
  readonly oldestSeconds: number | null;
  readonly never: number;
  readonly units: number;
  /** Backups and files of logs that were found unsound when they were verified last. */
  readonly unsound: number;
  /** Of how many units each rung was proven when they were verified last; in the order of the ladder, without those of none. */
  readonly proven: readonly { readonly rung: Rung; readonly units: number }[];
}

export interface StatusDrill {
  readonly at: string;
  readonly passed: boolean;
  /** Of the slowest whole restore of the newest drill that made one, which not every drill does; null: none did. */
  readonly rtoSeconds: number | null;
  /** How old the newest recoverable instant was; null: not measured. */
  readonly rpoSeconds: number | null;
  /** Somebody signed it. */
  readonly signed: boolean;
}

export interface StatusMonitor {
  readonly at: string;
  /** Of the round of the sweep that is under way, from 0 to 1, which is also between two rounds; null: nothing is swept. */
  readonly coverage: number | null;
  readonly openCritical: number;
  readonly openWarning: number;
}

/** What the policy promises, in ms; null: it promises nothing of the kind. */
export interface StatusPromises {
  readonly rpoMs: number | null;
  readonly regionRpoMs: number | null;
  readonly rtoMs: number | null;
  readonly verifiedWithinMs: number | null;
  readonly drilledWithinMs: number | null;
}

/** What could not be read. */
export interface StatusProblem {
  /** `store`, `vault`, `log`, `verification`, `drills`, `monitor`, or `region` and its name. */
  readonly of: string;
  readonly code: string;
  readonly message: string;
  readonly hint: string | null;
}

/** A promise of the policy, and whether it is kept now (`policy/objectives.ts`). */
export interface Objective {
  readonly name: 'rpo' | 'region_rpo' | 'rto' | 'verified_within' | 'drilled_within';
  /** Which region, of `region_rpo`; else null. */
  readonly region: string | null;
  readonly promisedMs: number;
  /** Null: not known. */
  readonly actualMs: number | null;
  /** `unknown` is not `kept`: somebody has to look. */
  readonly state: 'kept' | 'breached' | 'unknown';
  /** One sentence: what is, against what was promised. */
  readonly reason: string;
  /** What to do; null: it is kept. */
  readonly next: string | null;
}
