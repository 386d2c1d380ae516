import type { RetentionRule } from './retention-rule.ts';

/**
 * Where copies of backups live, how they get there and how long they stay: the sections `primary`, `replicas` and
 * `archive` of the configuration.
 */
export interface RegionPolicy {
  readonly primary: PrimaryRegion;
  readonly replicas: readonly ReplicaRegion[];
  readonly archive: ArchiveTier | null;
  /** What is promised to others; only compared with what the rest can give. */
  readonly objectives?: RecoveryObjectives;
}

/** How much of the newest events may be lost, as a time, and how sure and how quick it is that the rest comes back. */
export interface RecoveryObjectives {
  /** When the store is lost. */
  readonly rpoMs?: number;
  /** When the store and the vault of its region are lost. */
  readonly regionRpoMs?: number;
  /** How long it may take to restore all of the store. */
  readonly rtoMs?: number;
  /** How long ago the last drill that passed may be. */
  readonly drilledWithinMs?: number;
  /** Everything in a vault is verified again within this time. */
  readonly verifiedWithinMs?: number;
}

interface Region {
  /** Unique among all regions of a policy. */
  readonly region: string;
  /** Address of a vault. */
  readonly storage: string;
  /** Null: nothing is ever removed. */
  readonly retention: RetentionRule | null;
}

export interface PrimaryRegion extends Region {
  readonly schedule: Schedule | null;
}

export interface ReplicaRegion extends Region {
  readonly syncSchedule: Schedule | null;
}

export interface ArchiveTier extends Region {
  /** Chains whose newest backup is older than this are moved there. */
  readonly afterDays: number;
}

/** Five fields of cron, in a time zone of IANA. */
export interface Schedule {
  readonly cron: string;
  readonly timeZone: string;
}
