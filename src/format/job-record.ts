import { JOB_NAMES, type JobBegin, type JobEnd, type JobName, type JobRun } from '../core/job.ts';
import {
  cut,
  decodeRecord,
  encodeRecord,
  type Fields,
  isCount,
  isFields,
  isInstant,
  isNullOr,
  isNumber,
  isText,
  type RecordKind,
  timeInName,
} from './record.ts';

/** Runs of a daemon's jobs (FORMAT.md §23 is normative): the claim to one, written before it begins, and how it ended. */
export const JOBS_PREFIX = 'jobs/';
const NAME = /^jobs\/([a-z]+)\/(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\d{3})Z-(\d{4})(-ended)?\.json$/;
export const MOST_ATTEMPTS = 9999;
const MAX_BYTES = 1 << 16;

export function jobFolder(job: JobName): string {
  return `${JOBS_PREFIX}${job}/`;
}

export function beginName({ job, wantedAt, attempt }: JobRun): string {
  return `${jobFolder(job)}${timeInName(wantedAt)}-${String(attempt).padStart(4, '0')}.json`;
}

export function endName(run: JobRun): string {
  return beginName(run).replace(/\.json$/, '-ended.json');
}

export interface JobRecordName extends JobRun {
  readonly kind: 'begin' | 'end';
}

/** Null when an object of this name is no such record. */
export function parseJobRecordName(name: string): JobRecordName | null {
  const [, job, year, month, day, hour, minute, second, ms, attempt, ended] = NAME.exec(name) ?? [];
  if (job === undefined || !isJobName(job)) return null;
  const wantedAt = `${year}-${month}-${day}T${hour}:${minute}:${second}.${ms}Z`;
  if (!isInstant(wantedAt) || Number(attempt) === 0) return null;
  return { job, wantedAt, attempt: Number(attempt), kind: ended === undefined ? 'begin' : 'end' };
}

function isJobName(name: string): name is JobName {
  return (JOB_NAMES as readonly string[]).includes(name);
}

const BEGIN: RecordKind<JobBegin> = {
  what: 'the record of a job that began',
  versionKey: 'jobBeginVersion',
  signed: null,
  maxBytes: MAX_BYTES,
  isOne: (value) => {
    const { startedAt, daemon, software, reason, missed } = value;
    return (
      isRun(value) && isInstant(startedAt) && [daemon, software, reason].every(isText) && isCount(missed)
    );
  },
  pick: (record) => {
    const { job, wantedAt, attempt, startedAt, daemon, software, reason, missed } = record;
    const texts = { daemon: cut(daemon), software: cut(software), reason: cut(reason) };
    return { job, wantedAt, attempt, startedAt, ...texts, missed };
  },
};

const STATES: readonly unknown[] = ['succeeded', 'failed', 'interrupted'] satisfies JobEnd['state'][];
const MOST_FACTS = 50;
const FACT_NAME = /^[A-Za-z][A-Za-z0-9]{0,49}$/;

const END: RecordKind<JobEnd> = {
  what: 'the record of a job that ended',
  versionKey: 'jobEndVersion',
  signed: null,
  maxBytes: MAX_BYTES,
  isOne: (value) => {
    const { endedAt, durationMs, state, exitCode, code, facts } = value;
    return (
      isRun(value) &&
      isInstant(endedAt) &&
      isNumber(durationMs) &&
      STATES.includes(state) &&
      isNullOr(Number.isSafeInteger)(exitCode) &&
      isNullOr(isText)(code) &&
      isFields(facts) &&
      Object.values(facts).every(isNumber)
    );
  },
  pick: (record) => {
    const { job, wantedAt, attempt, endedAt, durationMs, state, exitCode, code, facts } = record;
    const kept = Object.entries(facts).filter(([name, fact]) => FACT_NAME.test(name) && isNumber(fact));
    return {
      ...{ job, wantedAt, attempt, endedAt, durationMs, state, exitCode },
      code: code === null ? null : cut(code),
      facts: Object.fromEntries(kept.slice(0, MOST_FACTS)),
    };
  },
};

function isRun({ job, wantedAt, attempt }: Fields): boolean {
  const isAttempt = isCount(attempt) && (attempt as number) > 0 && (attempt as number) <= MOST_ATTEMPTS;
  return isText(job) && isJobName(job) && isInstant(wantedAt) && isAttempt;
}

export function encodeBegin(record: JobBegin): Buffer {
  return encodeRecord(BEGIN, record, null);
}

export function encodeEnd(record: JobEnd): Buffer {
  return encodeRecord(END, record, null);
}

/** Throws `damaged`. */
export function decodeBegin(bytes: Uint8Array): JobBegin {
  return decodeRecord(BEGIN, bytes);
}

/** Throws `damaged`. */
export function decodeEnd(bytes: Uint8Array): JobEnd {
  return decodeRecord(END, bytes);
}

export { MAX_BYTES as MAX_JOB_RECORD_BYTES };
