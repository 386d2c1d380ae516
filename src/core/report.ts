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
  /** A signature that its signer did not make, or one that the policy does not take. */
  | 'signature_invalid'
  /** A sealed backup whose manifest is not as it was sealed. */
  | 'tag_invalid'
  | 'key_record_missing'
  | 'key_record_damaged'
  | 'store_differs';

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
  readonly problems: readonly Problem[];
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
