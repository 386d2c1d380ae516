import { isBackupError } from '../core/errors.ts';
import type { JobBegin, JobEnd, JobName, JobRun, RecordedRun } from '../core/job.ts';
import { parseTime, timeToUnixMs } from '../core/time.ts';
import type { Vault } from '../core/vault.ts';
import {
  beginName,
  decodeBegin,
  decodeEnd,
  encodeBegin,
  encodeEnd,
  endName,
  type JobRecordName,
  jobFolder,
  MAX_JOB_RECORD_BYTES,
  parseJobRecordName,
} from '../format/job-record.ts';
import { putRecord, readRecord } from '../format/record.ts';

/** So many runs of a job stay on record. */
const KEPT_RUNS = 200;

/**
 * The newest runs of a job, the newest first; none that were wanted for later than `untilMs`. What cannot be read is passed over: another
 * daemon's version, or damage.
 */
export async function readRuns(
  vault: Vault,
  job: JobName,
  limit: number,
  untilMs = Number.POSITIVE_INFINITY,
): Promise<RecordedRun[]> {
  const names = await listNames(vault, job);
  const there = new Set(names);
  const runs: RecordedRun[] = [];
  // A folder has hundreds of names, and mostly the newest is asked for: only what is looked at is parsed.
  for (const name of names.toReversed()) {
    if (runs.length === limit) break;
    const run = parseJobRecordName(name);
    if (run?.kind !== 'begin' || timeToUnixMs(parseTime(run.wantedAt) ?? 0n) > untilMs) continue;
    const read = await readRun(vault, run, there.has(endName(run)));
    if (read !== null) runs.push(read);
  }
  return runs;
}

/** Null when its beginning cannot be read. */
export async function readRun(vault: Vault, name: JobRun, hasEnded: boolean): Promise<RecordedRun | null> {
  const begin = await readOne(vault, beginName(name), decodeBegin);
  if (begin === null) return null;
  return { begin, end: hasEnded ? await readOne(vault, endName(name), decodeEnd) : null };
}

/** The oldest first. */
async function listNames(vault: Vault, job: JobName): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of vault.list(jobFolder(job))) names.push(name);
  return names;
}

async function readOne<Record>(
  vault: Vault,
  name: string,
  decode: (bytes: Uint8Array) => Record,
): Promise<Record | null> {
  try {
    const bytes = await readRecord(vault, name, MAX_JOB_RECORD_BYTES);
    return bytes === null ? null : decode(bytes);
  } catch (error) {
    if (isBackupError(error, 'damaged', 'object_archived')) return null;
    throw error;
  }
}

/** Makes this attempt one's own. False where another daemon was quicker. */
export function claimRun(vault: Vault, begin: JobBegin): Promise<boolean> {
  return putRecord(vault, beginName(begin), encodeBegin(begin));
}

/** Puts on record how a run ended, and lets go of the oldest runs. */
export async function recordEnd(vault: Vault, end: JobEnd): Promise<void> {
  await putRecord(vault, endName(end), encodeEnd(end));
  const parsed = (await listNames(vault, end.job)).map(parseJobRecordName);
  const begins = parsed.filter((run): run is JobRecordName => run?.kind === 'begin');
  for (const run of begins.slice(0, Math.max(0, begins.length - KEPT_RUNS))) {
    // The end goes last: without it the run would look as if it had died.
    await vault.removeObject(beginName(run));
    await vault.removeObject(endName(run));
  }
}
