import type { JobEnd, RecordedRun } from '../core/job.ts';
import { parseTime, timeToUnixMs } from '../core/time.ts';

/** Whether somebody is told of how a job came out: pure, from what is on record, so it does not matter which daemon tells it. */

export interface JobNotice {
  readonly state: 'raised' | 'repeated' | 'resolved';
  /** RFC 3339: when the first of the failures in a row ended. */
  readonly since: string;
  /** In a row. */
  readonly failures: number;
  /** Of the newest failure. */
  readonly code: string | null;
  /** It is tried again by itself. */
  readonly isTriedAgain: boolean;
}

/** One failure may pass by itself: the second in a row is told. */
const TOLD_FROM = 2;

/**
 * What to tell after a run, of which `runs` are the records, the newest first: a failure that came again, once a `repeatMs` while it goes on,
 * and the end of one that was told. Null: nothing. Of a job that failed more often than there are records (`mostRuns`), nobody knows when it
 * was told: it is then told at the first failure of each span of `repeatMs` since 1970.
 */
export function jobNotice(
  runs: readonly RecordedRun[],
  repeatMs: number,
  mostRuns = Number.POSITIVE_INFINITY,
): JobNotice | null {
  // One that was interrupted says nothing, and what was before it is told.
  if (runs[0]?.end?.state === 'interrupted') return null;
  const ends = endsOf(runs);
  const [newest, ...before] = ends;
  if (newest === undefined) return null;
  const failed = leadingFailures(before);
  if (newest.state === 'succeeded')
    return failed.length < TOLD_FROM ? null : { state: 'resolved', ...about(failed) };
  const all = [newest, ...failed];
  if (all.length < TOLD_FROM) return null;
  if (all.length === TOLD_FROM) return { state: 'raised', ...about(all) };
  const isCut = all.length === ends.length && runs.length >= mostRuns;
  const isDue = isCut ? isFirstOfSpan(all, repeatMs) : isToldAgain(all, repeatMs);
  return isDue ? { state: 'repeated', ...about(all) } : null;
}

function isFirstOfSpan([newest, before]: readonly JobEnd[], repeatMs: number): boolean {
  return Math.floor(endMs(newest!) / repeatMs) > Math.floor(endMs(before!) / repeatMs);
}

/** Whether the newest of these is told, when each is that comes `repeatMs` behind the one that was. */
function isToldAgain(failed: readonly JobEnd[], repeatMs: number): boolean {
  const [raised, ...later] = failed.toReversed().slice(TOLD_FROM - 1);
  let toldMs = endMs(raised!);
  let isTold = false;
  for (const end of later) {
    isTold = endMs(end) - toldMs >= repeatMs;
    if (isTold) toldMs = endMs(end);
  }
  return isTold;
}

/** As `jobNotice`, of a job that runs only when it is asked for: nothing tries it again, so each failure is told, once. */
export function askedNotice(runs: readonly RecordedRun[]): JobNotice | null {
  const [newest, ...before] = endsOf(runs);
  if (newest === undefined) return null;
  const failed = leadingFailures(before);
  const isOver = newest.state === 'succeeded';
  if (isOver && failed.length === 0) return null;
  const told = about(isOver ? failed : [newest, ...failed]);
  return { state: isOver ? 'resolved' : 'raised', ...told, isTriedAgain: false };
}

/** Whether the newest runs alone show that there is nothing to tell: the last two ended well. The others need not be read then. */
export function isNothingToTell([newest, before]: readonly RecordedRun[]): boolean {
  return newest?.end?.state === 'succeeded' && (before === undefined || before.end?.state === 'succeeded');
}

function endsOf(runs: readonly RecordedRun[]): JobEnd[] {
  return runs.flatMap(({ end }) => (end === null || end.state === 'interrupted' ? [] : [end]));
}

function leadingFailures(ends: readonly JobEnd[]): JobEnd[] {
  const at = ends.findIndex(({ state }) => state === 'succeeded');
  return at === -1 ? [...ends] : ends.slice(0, at);
}

function about(failed: readonly JobEnd[]): Omit<JobNotice, 'state'> {
  const { code } = failed[0]!;
  return { since: failed.at(-1)!.endedAt, failures: failed.length, code, isTriedAgain: true };
}

function endMs({ endedAt }: JobEnd): number {
  return timeToUnixMs(parseTime(endedAt) ?? 0n);
}
