import { runLimited } from '../core/concurrency.ts';
import type { RecordedRun } from '../core/job.ts';
import type { Vault } from '../core/vault.ts';
import { JOBS_PREFIX, type JobRecordName, parseJobRecordName } from '../format/job-record.ts';
import { readRun } from './job-records.ts';

const AT_ONCE = 8;

/** The newest runs of all jobs together, the newest first. What cannot be read is passed over. */
export async function readAllRuns(vault: Vault, limit: number, signal?: AbortSignal): Promise<RecordedRun[]> {
  const [begins, ended] = [[] as JobRecordName[], new Set<string>()];
  for await (const { name } of vault.list(JOBS_PREFIX)) {
    const parsed = parseJobRecordName(name);
    if (parsed?.kind === 'begin') begins.push(parsed);
    else if (parsed !== null) ended.add(keyOf(parsed));
  }
  const newest = begins.sort((a, b) => (keyOf(a) < keyOf(b) ? 1 : -1)).slice(0, limit);
  const runs = await runLimited(
    newest,
    AT_ONCE,
    (name) => readRun(vault, name, ended.has(keyOf(name))),
    signal,
  );
  return runs.filter((run) => run !== null).sort((a, b) => (a.begin.startedAt < b.begin.startedAt ? 1 : -1));
}

/** In the order of the times that they were wanted for. */
function keyOf({ wantedAt, job, attempt }: JobRecordName): string {
  return `${wantedAt} ${job} ${String(attempt).padStart(4, '0')}`;
}
