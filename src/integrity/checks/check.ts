import type { Finding, FindingRung, RepairKind } from '../../core/finding.ts';
import type { SqlNames, SqlRow, SqlValue, StreamSample } from '../../core/inspection.ts';
import type { RepairStatement } from '../../core/repair.ts';
import type { HeadLine } from '../../format/heads.ts';

/** One thing that is asked of a live store, and what its answers mean. Holds no state: it may run again at any time. */
export interface CheckDefinition {
  /** In lower case with underscores. Stable: findings and records name it. */
  readonly name: string;
  /** What holds when nothing is found, in one sentence. */
  readonly proves: string;
  readonly rung: FindingRung;
  /** Of its findings, where they do not say otherwise. */
  readonly severity: Finding['severity'];
  /** `run`: each time, on the streams of the sample. `sweep`: costly, and on all of the store; once in each sweep. */
  readonly every: 'run' | 'sweep';
  /** What can be done about its findings, in words. */
  readonly repaired: string;
  /** What to ask, or why there is nothing to ask here, in words. */
  questions(names: SqlNames, settings: CheckSettings): readonly CheckQuestion[] | string;
}

/** A statement that only reads. */
export interface CheckQuestion {
  readonly sql: string;
  readonly parameters?: readonly SqlValue[];
  /** Settings of the PostgreSQL server for this statement. */
  readonly settings?: Readonly<Record<string, string>>;
  /** No more rows than these are asked for. */
  readonly limit?: number;
  /** What a row means: something found, something to ask next, why there is nothing to ask, or nothing. */
  answer(row: SqlRow): CheckFound | CheckQuestion | CheckSkip | null;
  /** What it means when the store cannot read what the statement asks for, in its words. Left out: that it cannot be read. */
  unreadable?(message: string, sqlState: string | null): CheckFound | null;
}

/** Why a check does not apply to this store. */
export interface CheckSkip {
  readonly skipped: string;
}

/** What a row says is wrong. Names what it does not leave out, as `Finding` does. */
export interface CheckFound {
  /** Names no stream and no content: those stand in fields of their own, which can be kept from others. */
  readonly message: string;
  readonly severity?: Finding['severity'];
  readonly streamId?: string | null;
  readonly version?: string | null;
  readonly eventId?: string | null;
  readonly object?: string | null;
  readonly events?: number;
  /** The bucket of the sample that it is in, as the statement gives it. */
  readonly bucket?: string | null;
  /** Left out where a person has to decide. */
  readonly repair?: RepairKind;
  /** What puts it right, where statements do: in one transaction, in this order. */
  readonly statements?: readonly RepairStatement[];
}

/** Why what the layout has to keep events as they are is not asked about: another program made the tables, and keeps its own; else null. */
export function keptByOthers({ layout }: SqlNames): string | null {
  return layout === 'eventcore' ? null : `constraints and indexes of a store of ${layout} are its own`;
}

/** A finding with what puts it right, where statements do. */
export interface CheckFinding extends Finding {
  readonly statements: readonly RepairStatement[];
}

export interface CheckSettings {
  /** The streams that are looked at; null for all. */
  readonly sample: StreamSample | null;
  /** How far an event may be ahead of the store's clock, or behind the event before it in its stream. */
  readonly clockToleranceMs: number;
  /** Keys that the metadata of each event must have. */
  readonly requiredMetadata: readonly string[];
  /**
   * What is known of a stream from earlier, the heads of the newest backup say: gaps and copies that it names are the store's own. Null
   * where nothing is.
   */
  readonly known: (streamId: string) => Pick<HeadLine, 'firstVersion' | 'gaps' | 'duplicates'> | null;
}

/** A transaction takes this long at most: its events have the time at which it began, or were appended. */
export const CLOCK_TOLERANCE_MS = 5 * 60_000;

/** SQL that is true for the events that are looked at. An event of no stream is found by a check of its own, and in no other way. */
export function inSample(names: SqlNames, { sample }: CheckSettings): string {
  return sample === null ? `${names.stream} IS NOT NULL` : names.inBucket(sample);
}

/** SQL for the bucket of an event, to be named `bucket`; null where all are looked at. */
export function bucketColumn(names: SqlNames, { sample }: CheckSettings): string {
  return sample === null ? 'NULL' : names.bucket(sample.seed, sample.of);
}

/** A text of SQL. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
