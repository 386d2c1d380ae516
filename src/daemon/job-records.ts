import { isBackupError } from '../core/errors.ts';
import type { JobBegin, JobEnd, JobName, JobRun, RecordedRun } from '../core/job.ts';
import { formatTime, timeFromUnixMs } from '../core/time.ts';
import type { ObjectInfo, Vault } from '../core/vault.ts';
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
import { recordMemory } from './record-memory.ts';

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
  untilMs: number | null = null,
): Promise<RecordedRun[]> {
  const infos = await listRecords(vault, job);
  // Texts of this form are in the order of their times.
  const until = untilMs === null ? null : formatTime(timeFromUnixMs(untilMs), 3);
  const runs: RecordedRun[] = [];
  // A folder has hundreds of names, and mostly the newest is asked for: only what is looked at is parsed.
  for (let i = infos.length - 1; i >= 0 && runs.length < limit; i -= 1) {
    const [info, before] = [infos[i]!, infos[i - 1]];
    const run = parseJobRecordName(info.name);
    if (run?.kind !== 'begin' || (until !== null && run.wantedAt > until)) continue;
    const begin = await recallBegin(vault, info, () => readOne(vault, info.name, decodeBegin));
    // In the order of names the end of a run comes right before its begin.
    const hasEnded = before?.name === endName(run);
    const end = hasEnded
      ? await recallEnd(vault, before, () => readOne(vault, before.name, decodeEnd))
      : null;
    if (hasEnded) i -= 1;
    if (begin !== null) runs.push({ begin, end });
  }
  return runs;
}

const recallBegin = recordMemory<JobBegin>();
const recallEnd = recordMemory<JobEnd>();

/** Null when its beginning cannot be read. */
export async function readRun(vault: Vault, name: JobRun, hasEnded: boolean): Promise<RecordedRun | null> {
  const begin = await readOne(vault, beginName(name), decodeBegin);
  if (begin === null) return null;
  return { begin, end: hasEnded ? await readOne(vault, endName(name), decodeEnd) : null };
}

/** The oldest first. */
async function listRecords(vault: Vault, job: JobName): Promise<ObjectInfo[]> {
  const infos: ObjectInfo[] = [];
  for await (const info of vault.list(jobFolder(job))) infos.push(info);
  return infos;
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
  const parsed = (await listRecords(vault, end.job)).map(({ name }) => parseJobRecordName(name));
  const begins = parsed.filter((run): run is JobRecordName => run?.kind === 'begin');
  for (const run of begins.slice(0, Math.max(0, begins.length - KEPT_RUNS))) {
    // The end goes last: without it the run would look as if it had died.
    await vault.removeObject(beginName(run));
    await vault.removeObject(endName(run));
  }
}
