import { STEADY_RUN_MS } from '../core/job.ts';
import type { Schedule } from '../core/region-policy.ts';
import { lastRunMs, nextRunMs } from './schedule.ts';
import { type Spread, spreadStart } from './spread.ts';
import type { TurnCause } from './turns.ts';

/** Decides when jobs run: pure, from what is on record and the time. */

/** When a job is wanted. */
export type Timing =
  /** At the times of a schedule. */
  | { readonly kind: 'schedule'; readonly schedule: Schedule }
  /** So long after the last run began. */
  | { readonly kind: 'interval'; readonly everyMs: number }
  /** All the time: whenever it does not run. */
  | { readonly kind: 'always' }
  /** Only when somebody asks for it. */
  | { readonly kind: 'asked' };

type Timed = Exclude<Timing, { readonly kind: 'always' | 'asked' }>;

export interface AgendaJob {
  readonly name: string;
  readonly timing: Timing;
  /** Of a schedule: many stores do not all begin at once. */
  readonly spread: Spread;
}

/** The last run of a job that is on record. */
export interface LastRun {
  /** The time that it was wanted for. */
  readonly wantedAtMs: number;
  readonly startedAtMs: number;
  /** Null: it still runs, or died without a word; see `isHeld`. */
  readonly endedAtMs: number | null;
  readonly succeeded: boolean;
  /** How often it was tried for this time, this one included. */
  readonly attempt: number;
}

export interface JobFacts {
  readonly job: AgendaJob;
  readonly last: LastRun | null;
  /** Somebody holds the job's lease: here or in another daemon. */
  readonly isHeld: boolean;
  /** Who asked for a run that did not begin yet; null: nobody. */
  readonly askedBy: string | null;
  /** A job without an ended run, behind which this one's first run comes; null: none. */
  readonly waitsFor: string | null;
}

export type AgendaDecision =
  | {
      readonly action: 'run';
      readonly wantedAtMs: number;
      readonly attempt: number;
      /** Earlier times that went by without a run and are not made up for. */
      readonly missed: number;
      readonly cause: TurnCause;
      readonly reason: string;
    }
  /** `untilMs` null: until somebody asks for it. */
  | { readonly action: 'wait'; readonly untilMs: number | null; readonly reason: string };

/** A run that failed is tried again after this, then after twice as long, and so on up to the longest. */
const FIRST_RETRY_MS = 60_000;
/** Whether the job that comes first has ended is looked at again after this. */
const TURN_MS = 10_000;
const LONGEST_RETRY_MS = 30 * 60_000;
/** What is always to run begins again after this, then after twice as long. */
const FIRST_RESTART_MS = 1000;
const LONGEST_RESTART_MS = 60_000;
/** A record from further ahead than this was written by a clock that was wrong; clocks of hosts differ by less. */
const FUTURE_MS = 15 * 60_000;
/** Names of records have no room for more. */
const MOST_ATTEMPTS = 9999;
/** Missed times are counted up to this: each is looked for. */
const MOST_MISSED = 1000;

/** Why most jobs wait most of the time. */
export const NOT_DUE = 'it is not due';

/** From one time of a job to the next, as it is at `atMs`; null: it has no times. */
export function paceOf(timing: Timing, atMs: number): number | null {
  if (timing.kind === 'interval') return timing.everyMs;
  return timing.kind === 'schedule' ? nextRunMs(timing.schedule, atMs) - atMs : null;
}

/** Whether a job is to run now, for which time, and why; or until when there is nothing to do for it. */
export function decideJob(facts: JobFacts, nowMs: number): AgendaDecision {
  const { job, isHeld, askedBy, waitsFor } = facts;
  const last = believed(facts.last, nowMs);
  if (isHeld) return wait(nowMs + FIRST_RETRY_MS, 'it runs already');
  if (last === null && waitsFor !== null)
    return wait(nowMs + TURN_MS, `the first run of ${waitsFor} comes before it`);
  if (last?.endedAtMs === null) return takeUp(last, askedBy, nowMs);
  if (askedBy !== null) return decideAsked(last, askedBy, nowMs);
  if (job.timing.kind === 'asked') return wait(null, 'it runs when it is asked for');
  // What is wrong with it shows when the daemon is started, and not in the night.
  if (last === null) return run(nowMs, 1, 0, { cause: 'first', reason: 'it never ran' });
  const ended = { ...last, endedAtMs: last.endedAtMs };
  return job.timing.kind === 'always'
    ? decideAlways(ended, nowMs)
    : decideTimed(job, job.timing, ended, nowMs);
}

/** Whoever asks meanwhile gets this run. What died more often than names can count is for a time of its own. */
function takeUp({ wantedAtMs, attempt }: LastRun, askedBy: string | null, nowMs: number): AgendaDecision {
  const died = 'the run before this one died without a word';
  const reason = askedBy === null ? died : `${askedFor(askedBy)}, and ${died}`;
  const why = { cause: askedBy === null ? 'taken_up' : 'asked', reason } as const;
  if (attempt < MOST_ATTEMPTS) return run(wantedAtMs, attempt + 1, 0, why);
  return run(Math.max(nowMs, wantedAtMs + 1), 1, 0, why);
}

/** For a time of its own, behind all that it was run for: so it is the newest on record. */
function decideAsked(last: LastRun | null, askedBy: string, nowMs: number): AgendaDecision {
  const why = { cause: 'asked', reason: askedFor(askedBy) } as const;
  return run(last === null ? nowMs : Math.max(nowMs, last.wantedAtMs + 1), 1, 0, why);
}

function askedFor(who: string): string {
  return `asked for by ${who}`;
}

interface EndedRun extends LastRun {
  readonly endedAtMs: number;
}

function decideTimed(job: AgendaJob, timing: Timed, last: EndedRun, nowMs: number): AgendaDecision {
  const due = dueTime(job, timing, last, nowMs);
  if (due.startsAtMs <= nowMs) {
    const reason = due.missed === 0 ? 'it is due' : `it is due, and ${due.missed} earlier times were missed`;
    return run(due.wantedAtMs, 1, due.missed, { cause: 'due', reason });
  }
  if (last.succeeded) return wait(due.startsAtMs, NOT_DUE);
  const retryAtMs = endOf(last, nowMs) + backOff(FIRST_RETRY_MS, LONGEST_RETRY_MS, last.attempt);
  if (retryAtMs >= due.startsAtMs) return wait(due.startsAtMs, 'it failed, and is due again before a retry');
  if (retryAtMs > nowMs) return wait(retryAtMs, 'it failed, and is tried again then');
  const why = { cause: 'retry', reason: `it failed ${timesOf(last.attempt)}` } as const;
  return run(last.wantedAtMs, last.attempt + 1, 0, why);
}

/** A run from far ahead is taken for none: else a clock that was wrong once would keep the job from running for years. */
function believed(last: LastRun | null, nowMs: number): LastRun | null {
  return last !== null && last.wantedAtMs > newestBelieved(nowMs) ? null : last;
}

/** Of runs that were wanted for later than this nothing is believed. */
export function newestBelieved(nowMs: number): number {
  return nowMs + FUTURE_MS;
}

function decideAlways(
  { wantedAtMs, endedAtMs, succeeded, attempt }: EndedRun,
  nowMs: number,
): AgendaDecision {
  // Of one that was taken up, with all that went before.
  const wentWell = succeeded || endedAtMs - wantedAtMs >= STEADY_RUN_MS;
  const tries = wentWell ? 1 : attempt;
  const restartAtMs = endOf({ endedAtMs }, nowMs) + backOff(FIRST_RESTART_MS, LONGEST_RESTART_MS, tries);
  if (restartAtMs > nowMs) return wait(restartAtMs, 'it ended, and begins again then');
  // Each is for a time of its own, so that a number may stand for all behind it.
  const nextMs = Math.max(nowMs, wantedAtMs + 1);
  const why = { cause: 'due', reason: 'it is always to run' } as const;
  return run(nextMs, wentWell ? 1 : Math.min(attempt + 1, MOST_ATTEMPTS), 0, why);
}

/** Of an end that is still to come by a clock that was set back, nobody knows how long ago it was: nothing waits for it. */
function endOf({ endedAtMs }: Pick<EndedRun, 'endedAtMs'>, nowMs: number): number {
  return endedAtMs > nowMs ? Number.NEGATIVE_INFINITY : endedAtMs;
}

function backOff(firstMs: number, longestMs: number, attempt: number): number {
  return Math.min(longestMs, firstMs * 2 ** Math.min(attempt - 1, 20));
}

interface DueTime {
  readonly wantedAtMs: number;
  /** When it may begin. */
  readonly startsAtMs: number;
  readonly missed: number;
}

/**
 * The newest time that has come since the last run, where one has: what was missed is caught up once. Else the next one. A time that was run
 * for once is not run for again, though a clock is set back.
 */
function dueTime(job: AgendaJob, timing: Timed, last: EndedRun, nowMs: number): DueTime {
  if (timing.kind === 'schedule') return dueBySchedule(job, timing.schedule, last, nowMs);
  const { everyMs } = timing;
  const missed = Math.max(0, Math.floor((nowMs - last.wantedAtMs) / everyMs) - 1);
  const wantedAtMs = last.wantedAtMs + (missed + 1) * everyMs;
  return { wantedAtMs, startsAtMs: wantedAtMs, missed };
}

function dueBySchedule({ spread }: AgendaJob, schedule: Schedule, last: EndedRun, nowMs: number): DueTime {
  const { wantedAtMs: sinceMs, startedAtMs } = last;
  const startOf = (atMs: number): number => {
    const nextMs = nextRunMs(schedule, atMs);
    return spreadStart(spread, { atMs, nextMs, lastWantedMs: sinceMs, lastStartedMs: startedAtMs });
  };
  const newest = lastRunMs(schedule, nowMs);
  const before = newest === null ? null : lastRunMs(schedule, newest - 1);
  for (const atMs of [newest, before]) {
    if (atMs === null || atMs <= sinceMs) break;
    const startsAtMs = startOf(atMs);
    if (startsAtMs <= nowMs)
      return { wantedAtMs: atMs, startsAtMs, missed: countMissed(schedule, sinceMs, atMs) };
  }
  const wantedAtMs = nextRunMs(schedule, Math.max(sinceMs, before ?? sinceMs));
  return { wantedAtMs, startsAtMs: startOf(wantedAtMs), missed: 0 };
}

/** Times between two instants, both left out. */
function countMissed(schedule: Schedule, afterMs: number, beforeMs: number): number {
  let missed = 0;
  for (let at = nextRunMs(schedule, afterMs); at < beforeMs && missed < MOST_MISSED; missed += 1)
    at = nextRunMs(schedule, at);
  return missed;
}

interface Because {
  readonly cause: TurnCause;
  readonly reason: string;
}

function run(wantedAtMs: number, attempt: number, missed: number, why: Because): AgendaDecision {
  return { action: 'run', wantedAtMs, attempt, missed, ...why };
}

function wait(untilMs: number | null, reason: string): AgendaDecision {
  return { action: 'wait', untilMs, reason };
}

function timesOf(attempt: number): string {
  return attempt === 1 ? 'once' : `${attempt} times`;
}
