import { ENDLESS_JOBS, type JobEnd, type RecordedRun, STEADY_RUN_MS } from '../core/job.ts';
import { parseTime, timeToUnixMs } from '../core/time.ts';

/** How a job goes, by what is on record, so it does not matter which daemon looks: pure. */

export type JobStanding =
  | { readonly state: 'well' }
  /** Nothing can be said yet: it never ran, or one failure may pass by itself. */
  | { readonly state: 'unknown' }
  | {
      readonly state: 'failing';
      /** RFC 3339: when the first of the failures in a row ended. */
      readonly since: string;
      /** In a row, as far back as was looked. */
      readonly failures: number;
      /** Of the newest failure. */
      readonly code: string | null;
    };

/** The second failure in a row counts; of what nothing tries again by itself, each. */
export const TRIED_AGAIN_FROM = 2;

/** `runs`: the records, the newest first. Runs that died or were interrupted say nothing. */
export function judgeJob(
  runs: readonly RecordedRun[],
  nowMs: number,
  countsFrom = TRIED_AGAIN_FROM,
): JobStanding {
  const said = runs.flatMap((run, i) => whatItSays(run, i === 0, nowMs));
  if (said[0] === 'well') return { state: 'well' };
  const failed = leadingFailures(said);
  if (failed.length === 0 || failed.length < countsFrom) return { state: 'unknown' };
  const [newest, first] = [failed[0]!, failed.at(-1)!];
  return { state: 'failing', since: first.endedAt, failures: failed.length, code: newest.code };
}

/** Newest first: of what never ends well, a run that went on for a while went well until it ended. */
function whatItSays({ begin, end }: RecordedRun, isNewest: boolean, nowMs: number): ('well' | JobEnd)[] {
  const isEndless = ENDLESS_JOBS.has(begin.job);
  if (end === null) {
    const runsForMs = nowMs - timeToUnixMs(parseTime(begin.startedAt) ?? 0n);
    return isEndless && isNewest && runsForMs >= STEADY_RUN_MS ? ['well'] : [];
  }
  if (end.state === 'succeeded') return ['well'];
  const wentWell: 'well'[] = isEndless && end.durationMs >= STEADY_RUN_MS ? ['well'] : [];
  return end.state === 'interrupted' ? wentWell : [end, ...wentWell];
}

function leadingFailures(said: readonly ('well' | JobEnd)[]): JobEnd[] {
  const failed: JobEnd[] = [];
  for (const one of said) {
    if (one === 'well') break;
    failed.push(one);
  }
  return failed;
}
