import type { Rung, RungResult } from './rungs.ts';
import type { SignatureFinding } from './trust.ts';

/** One thing that is wrong with a backup, placed as exactly as it can be. */
export interface Problem {
  /** Stable, for programs: `file_missing`, `file_size`, `file_checksum`, `chunk_checksum`, `stream_gap`, … */
  readonly code: ProblemCode;
  readonly file: string | null;
  /** Place in the file, from 0. */
  readonly chunk: number | null;
  readonly streamId: string | null;
  readonly version: string | null;
  readonly message: string;
}

export type ProblemCode =
  | 'manifest_missing'
  | 'manifest_damaged'
  | 'format_unknown'
  | 'file_missing'
  | 'file_size'
  | 'file_checksum'
  | 'index_damaged'
  | 'chunk_checksum'
  | 'chunk_undecodable'
  | 'chunk_mismatch'
  /** A piece does not open with its key: it is of another place, or somebody changed it. */
  | 'seal_broken'
  /** Events that break a rule which the store's did not break when they were backed up. */
  | 'event_invalid'
  | 'version_gap'
  | 'version_duplicate'
  | 'counts_differ'
  | 'heads_differ'
  | 'bundle_checksum'
  /** What an incremental backup builds on is missing, damaged or another backup. */
  | 'chain_broken'
  /** Files of the change log do not follow one another. */
  | 'log_broken'
  /** A file of the change log, or a block in it, is not what was written. */
  | 'log_damaged'
  /** A block has its checksum, and what is in it is not what its header says. */
  | 'log_undecodable'
  /** A signature that its signer did not make, or one that the policy does not take. */
  | 'signature_invalid'
  /** A sealed backup whose manifest is not as it was sealed. */
  | 'tag_invalid'
  | 'key_record_missing'
  | 'key_record_damaged'
  | 'store_differs';

/** The rung of the ladder that finds each kind of problem. */
export const RUNG_OF = {
  manifest_missing: 'existence',
  manifest_damaged: 'checksum',
  format_unknown: 'decode',
  file_missing: 'existence',
  file_size: 'size',
  file_checksum: 'checksum',
  index_damaged: 'size',
  chunk_checksum: 'checksum',
  chunk_undecodable: 'decode',
  chunk_mismatch: 'decode',
  seal_broken: 'seal',
  event_invalid: 'structure',
  version_gap: 'order',
  version_duplicate: 'order',
  counts_differ: 'counts',
  heads_differ: 'counts',
  bundle_checksum: 'checksum',
  chain_broken: 'counts',
  log_broken: 'size',
  log_damaged: 'checksum',
  log_undecodable: 'decode',
  signature_invalid: 'seal',
  tag_invalid: 'seal',
  key_record_missing: 'seal',
  key_record_damaged: 'seal',
  store_differs: 'completeness',
} as const satisfies Record<ProblemCode, Rung>;

/** A problem, and the rung that found it. */
export interface FoundProblem extends Problem {
  readonly rung: Rung;
}

/** The outcome for one backup; the field names are the command line's contract. */
export interface BackupVerification {
  readonly backupId: string;
  readonly checksumValid: boolean;
  readonly metadataConsistent: boolean;
  /** Null when the events were not decoded: with `--quick`, or where no key opens a sealed backup. */
  readonly eventsValid: boolean | null;
  /** True only after a comparison with the live store. */
  readonly completenessVerified: boolean;
  readonly missingEvents: number;
  readonly overallValid: boolean;
  readonly signature: SignatureFinding;
  readonly eventsChecked: number;
  /** Data and metadata that are no JSON, as the store had them; null where nobody looked. No problem of the backup. */
  readonly malformedPayloads: number | null;
  /** All rungs of the ladder, the lowest first. */
  readonly rungs: readonly RungResult[];
  /** Whether all of its files were checked, or some of them alone. */
  readonly isWhole: boolean;
  readonly problems: readonly FoundProblem[];
  /** More problems were found than are listed. */
  readonly problemsOmitted: number;
  readonly verificationTime: string;
  readonly durationMs: number;
}

/** What a long job has done so far; totals are estimates and may be null. */
export interface Progress {
  readonly events: number;
  readonly bytes: number;
  readonly totalEvents: number | null;
  readonly totalBytes: number | null;
}
