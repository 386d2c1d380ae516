import type { Clock } from '../core/clock.ts';
import type { UnderLease } from '../core/lease.ts';
import type { Vault } from '../core/vault.ts';
import type { CopyHooks, CopyJob, CopyResult } from './copy-object.ts';

export type RunCopy = (job: CopyJob, hooks: CopyHooks) => Promise<CopyResult>;

/** One run that brings a vault up to date with another. */
export interface SyncRun {
  readonly source: Vault;
  readonly target: Vault;
  readonly clock: Clock;
  /** Of the target: what is removed there is removed under it. */
  readonly underLease: UnderLease;
  /** Left out: this process copies. */
  readonly runCopy?: RunCopy;
  /** Objects copied at the same time. */
  readonly parallel: number;
  /** Every copy is read from the target again. */
  readonly readBack: boolean;
  /** What is written to the target may not be read there. */
  readonly isArchive: boolean;
  readonly signal: AbortSignal | undefined;
  /** Size of what the target has, by name; grows as it is filled. */
  readonly there: Map<string, number>;
  /** Data files of the target's backups, by their digests: a backup that was made of a chain has the same. */
  readonly twins: Map<string, string>;
  readonly problems: SyncProblem[];
  readonly onBytes: (bytes: number) => void;
  /** By the target's own rules. */
  readonly keepsLogObject: (name: string) => boolean;
}

/** What was not copied, or cannot be right; the rest was all the same. */
export interface SyncProblem {
  /** The backup, or the folder of the log. */
  readonly of: string;
  /** Null: the whole of it. */
  readonly object: string | null;
  readonly where: 'source' | 'target';
  readonly message: string;
}

export function note(
  { problems }: SyncRun,
  of: string,
  object: string | null,
  where: SyncProblem['where'],
  message: string,
): void {
  problems.push({ of, object, where, message });
}
