/** What retention decides over: all that is in one vault, as plain data. Times are milliseconds since 1970. */
export interface VaultFacts {
  /** Oldest first. */
  readonly backups: readonly BackupFacts[];
  readonly damaged: readonly DamagedFacts[];
  readonly unfinished: readonly UnfinishedFacts[];
  readonly logs: readonly LogFacts[];
  readonly holds: readonly HoldFacts[];
  /** Why nothing may be removed now; null when nothing is frozen. */
  readonly frozen: string | null;
  /** Null where old chains are not moved to another place. */
  readonly archive: ArchiveFacts | null;
  /** When the newest object of backups and logs was written, by the vault's clock; null when there is none. */
  readonly newestObjectMs: number | null;
  /** What time it is by the vault's clock; null where nobody asked. */
  readonly vaultNowMs: number | null;
}

export interface BackupFacts {
  readonly backupId: string;
  readonly folder: string;
  readonly kind: 'full' | 'incremental';
  readonly parentId: string | null;
  /** The full backup that its chain begins with. */
  readonly baseId: string;
  readonly createdAtMs: number;
  readonly sizeBytes: number;
  /** All that it builds on is there, and is what it was built on. */
  readonly isWhole: boolean;
  /** What the newest verification found; null where nothing is known of one. */
  readonly verified: boolean | null;
  /** Runs of logs that carry it on. */
  readonly carriedBy: readonly LogStart[];
}

/** Where a run of a log is read from, to carry on a backup. */
export interface LogStart {
  /** Of the log, and the place of the run in it. */
  readonly folder: string;
  readonly span: number;
  /** Name of the first file that is read. */
  readonly file: string;
}

export interface DamagedFacts {
  readonly backupId: string;
  readonly folder: string;
  readonly kind: 'full' | 'incremental';
  readonly isUnknownFormat: boolean;
  /** What it seems to build on; null where it cannot be read. */
  readonly parentId: string | null;
}

export interface UnfinishedFacts {
  readonly backupId: string;
  readonly folder: string;
  readonly kind: 'full' | 'incremental';
  readonly sizeBytes: number;
  readonly modifiedAtMs: number;
  /** A process is known to write it. */
  readonly isAtWork: boolean;
}

export interface LogFacts {
  readonly folder: string;
  readonly spans: readonly LogSpanFacts[];
  /** Held by longer files as well. */
  readonly covered: readonly LogFileFacts[];
  readonly gaps: readonly Omit<LogFileFacts, 'modifiedAtMs'>[];
  /** Marks that nothing was committed for a while; `from` and `to` are the position at which they stand. */
  readonly marks: readonly LogFileFacts[];
  readonly keyRecords: readonly KeyRecordFacts[];
}

export interface KeyRecordFacts {
  readonly name: string;
  readonly sizeBytes: number;
  /** Names of the files that have blocks sealed with its key; null where nobody looked. */
  readonly files: readonly string[] | null;
}

/** A run of files without a gap, in order. */
export interface LogSpanFacts {
  readonly files: readonly LogFileFacts[];
  /** It holds all that had committed by then, by the store's clock; null where it cannot be read. */
  readonly untilMs: number | null;
}

export interface LogFileFacts {
  readonly name: string;
  readonly from: bigint;
  readonly to: bigint;
  readonly sizeBytes: number;
  readonly modifiedAtMs: number;
}

export interface HoldFacts {
  readonly holdId: string;
  readonly backupId: string;
  readonly reason: string;
  /** Null: until it is taken off. */
  readonly untilMs: number | null;
}

export interface ArchiveFacts {
  /** Chains whose newest backup is older than this belong there. */
  readonly afterMs: number;
  /** Ids of the backups that are there, with all that they build on. */
  readonly holds: ReadonlySet<string>;
}

/** Whether something stays, with everything that speaks for it; of what goes, why nothing does. Never without a reason. */
export interface Decision<Item> {
  readonly item: Item;
  readonly kept: boolean;
  readonly reasons: readonly string[];
}

/** Clocks of hosts, stores and vaults may differ by this much. */
export const CLOCK_SLACK_MS = 15 * 60_000;

export function isFuture({ createdAtMs }: Pick<BackupFacts, 'createdAtMs'>, nowMs: number): boolean {
  return createdAtMs > nowMs + CLOCK_SLACK_MS;
}

/** Whether it can be counted on: whole, not known to be unsound, and not from the future. */
export function isUsable(backup: BackupFacts, nowMs: number): boolean {
  return backup.isWhole && backup.verified !== false && !isFuture(backup, nowMs);
}

export function shortId(backupId: string): string {
  return backupId.slice(0, 8);
}
