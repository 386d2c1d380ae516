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
 * and the end of one that was told. Null: nothing.
 */
export function jobNotice(runs: readonly RecordedRun[], repeatMs: number): JobNotice | null {
  const [newest, ...before] = endsOf(runs);
  if (newest === undefined) return null;
  const failed = leadingFailures(before);
  if (newest.state === 'succeeded')
    return failed.length < TOLD_FROM ? null : { state: 'resolved', ...about(failed) };
  const all = [newest, ...failed];
  if (all.length < TOLD_FROM) return null;
  if (all.length === TOLD_FROM) return { state: 'raised', ...about(all) };
  const sinceMs = endMs(all.at(-TOLD_FROM)!);
  const repeats = (end: JobEnd): number => Math.floor((endMs(end) - sinceMs) / repeatMs);
  return repeats(newest) > repeats(all[1]!) ? { state: 'repeated', ...about(all) } : null;
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
