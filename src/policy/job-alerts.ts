import type { JobEnd, RecordedRun } from '../core/job.ts';

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
export function judgeJob(runs: readonly RecordedRun[], countsFrom = TRIED_AGAIN_FROM): JobStanding {
  const ends = endsOf(runs);
  if (ends[0]?.state === 'succeeded') return { state: 'well' };
  const failed = leadingFailures(ends);
  if (failed.length === 0 || failed.length < countsFrom) return { state: 'unknown' };
  const [newest, first] = [failed[0]!, failed.at(-1)!];
  return { state: 'failing', since: first.endedAt, failures: failed.length, code: newest.code };
}

function endsOf(runs: readonly RecordedRun[]): JobEnd[] {
  return runs.flatMap(({ end }) => (end === null || end.state === 'interrupted' ? [] : [end]));
}

function leadingFailures(ends: readonly JobEnd[]): JobEnd[] {
  const at = ends.findIndex(({ state }) => state === 'succeeded');
  return at === -1 ? [...ends] : ends.slice(0, at);
}
