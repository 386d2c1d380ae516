import type { Clock } from '../core/clock.ts';
import { isBackupError } from '../core/errors.ts';
import type { JobBegin, JobEnd, JobName, JobState, RecordedRun } from '../core/job.ts';
import type { UnderLease } from '../core/lease.ts';
import { formatTime, parseTime, timeFromUnixMs, timeToUnixMs } from '../core/time.ts';
import type { Vault } from '../core/vault.ts';
import {
  type AgendaDecision,
  type AgendaJob,
  decideJob,
  type LastRun,
  newestBelieved,
  paceOf,
} from '../policy/agenda.ts';
import type { TurnLane } from '../policy/turns.ts';
import { claimRun, readRuns, recordEnd } from './job-records.ts';
import type { WantedTurn } from './turns.ts';

/** How a command came out. */
export interface CommandResult {
  /** Null where a signal ended it. */
  readonly exitCode: number | null;
  /** Of the failure, as the command said it. */
  readonly code: string | null;
  /** What was wrong and the way out, in words; may name streams, so it goes on no record. Null when nothing was. */
  readonly trouble: string | null;
  readonly facts: Readonly<Record<string, number>>;
}

export interface JobPorts {
  readonly vault: Vault;
  readonly clock: Clock;
  /** Milliseconds by a clock that is never set: how long a run took. */
  readonly steadyMs: () => number;
  /** Runs work when it is its turn among all that the daemon does; null: it was given up before. */
  readonly takeTurn: TakeTurn;
  /** Of the job in this vault: one daemon at a time runs it. Throws `lease_held`. */
  readonly underLease: UnderLease;
  /** Who asked for a run that did not begin yet; null: nobody. */
  readonly askedBy: () => string | null;
  /** It is on record, and begins. */
  readonly onBegin: (begin: JobBegin) => void;
  /** Runs the job's command to its end; ends it when the signal fires. */
  readonly runCommand: (job: JobName, signal: AbortSignal, begin: JobBegin) => Promise<CommandResult>;
  /** Which process this is, for people. */
  readonly daemon: string;
  readonly software: string;
  readonly signal: AbortSignal;
}

/** Jobs of one lane take turns in a daemon (`policy/turns.ts`). `own`: a job that waits for nobody. */
export type Lane = TurnLane | 'own';

/** A turn of one job of one store. */
export type TakeTurn = <Result>(
  wanted: Omit<WantedTurn, 'server' | 'vault'>,
  work: () => Promise<Result>,
) => Promise<Result | null>;

export interface JobPlan extends AgendaJob {
  readonly name: JobName;
  /** Exit codes beside 0 that are a success: a drill that found something has run. */
  readonly succeedsWith: readonly number[];
  readonly lane: Lane;
  /** Its first run comes behind this job's first, in whichever daemon that runs. */
  readonly after?: JobName;
}

export type WaitDecision = Extract<AgendaDecision, { action: 'wait' }>;

/** `ran`: to its end, whatever that was. `waits`: there was nothing to do, or somebody else does it. */
export type JobOutcome =
  | { readonly state: 'ran'; readonly end: JobEnd; readonly trouble: string | null }
  | { readonly state: 'waits'; readonly decision: WaitDecision };

/**
 * Runs a job where it is due. What is due is asked of the records under the job's lease, so of several daemons one runs it, and one that comes
 * late finds it done. A daemon that dies leaves a begin without an end: whoever gets the lease next takes it up. Throws as the vault does.
 */
export async function runJob(ports: JobPorts, plan: JobPlan): Promise<JobOutcome> {
  const { decision, expectedMs } = await decide(ports, plan);
  if (decision.action === 'wait') return { state: 'waits', decision };
  const run = (): Promise<JobOutcome> =>
    ports.underLease((lease, signal) => {
      lease.assertHeld();
      return runUnderLease(ports, plan, AbortSignal.any([signal, ports.signal]));
    });
  try {
    const { lane, timing } = plan;
    if (lane === 'own') return await run();
    const { cause, wantedAtMs } = decision;
    const wanted = { lane, cause, wantedAtMs, expectedMs, periodMs: paceOf(timing, wantedAtMs) };
    return (await ports.takeTurn(wanted, run)) ?? GIVEN_UP;
  } catch (error) {
    if (!isBackupError(error, 'lease_held')) throw error;
    return { state: 'waits', decision: heldUntil(ports.clock.now()) };
  }
}

const GIVEN_UP: JobOutcome = {
  state: 'waits',
  decision: { action: 'wait', untilMs: null, reason: 'it is stopped' },
};

interface Decided {
  readonly decision: AgendaDecision;
  /** How long the last run took, where it went well; null: not known. */
  readonly expectedMs: number | null;
}

async function decide({ vault, clock, askedBy }: JobPorts, plan: JobPlan): Promise<Decided> {
  const nowMs = clock.now();
  const [newest] = await readRuns(vault, plan.name, 1, newestBelieved(nowMs));
  const waitsFor = newest === undefined ? await unendedBefore(vault, plan, nowMs) : null;
  const facts = { job: plan, last: lastOf(newest), isHeld: false, askedBy: askedBy(), waitsFor };
  const expectedMs = newest?.end?.state === 'succeeded' ? newest.end.durationMs : null;
  return { decision: decideJob(facts, nowMs), expectedMs };
}

async function unendedBefore(vault: Vault, { after }: JobPlan, nowMs: number): Promise<JobName | null> {
  if (after === undefined) return null;
  const [newest] = await readRuns(vault, after, 1, newestBelieved(nowMs));
  return lastOf(newest)?.endedAtMs == null ? after : null;
}

/** Again in a minute: whoever has the lease may be done then. */
const HELD_MS = 60_000;

function heldUntil(nowMs: number): WaitDecision {
  return { action: 'wait', untilMs: nowMs + HELD_MS, reason: 'another daemon runs it' };
}

async function runUnderLease(ports: JobPorts, plan: JobPlan, signal: AbortSignal): Promise<JobOutcome> {
  const { vault, clock, steadyMs } = ports;
  const { decision } = await decide(ports, plan);
  if (decision.action === 'wait') return { state: 'waits', decision };
  const run = { job: plan.name, wantedAt: instant(decision.wantedAtMs), attempt: decision.attempt };
  const [startedMs, begunMs] = [clock.now(), steadyMs()];
  const { reason, missed } = decision;
  const { daemon, software } = ports;
  const begin = { ...run, startedAt: instant(startedMs), daemon, software, reason, missed };
  if (!(await claimRun(vault, begin))) return { state: 'waits', decision: heldUntil(clock.now()) };
  ports.onBegin(begin);
  const result = await ports.runCommand(plan.name, signal, begin);
  const end: JobEnd = {
    ...run,
    ...{ endedAt: instant(clock.now()), durationMs: Math.round(steadyMs() - begunMs) },
    ...{
      state: stateOf(result, plan, signal),
      exitCode: result.exitCode,
      code: result.code,
      facts: result.facts,
    },
  };
  await recordEnd(vault, end);
  return { state: 'ran', end, trouble: result.trouble };
}

/** `signal`: of who told it to stop. */
export function stateOf(
  { exitCode }: Pick<CommandResult, 'exitCode'>,
  { succeedsWith }: Pick<JobPlan, 'succeedsWith'>,
  signal: AbortSignal,
): JobState {
  if (exitCode === 0 || (exitCode !== null && succeedsWith.includes(exitCode))) return 'succeeded';
  return signal.aborted ? 'interrupted' : 'failed';
}

/** What the agenda needs to know of a run. One that was interrupted is taken up as one that died is. */
function lastOf(run: RecordedRun | undefined): LastRun | null {
  if (run === undefined) return null;
  const { begin, end } = run;
  const isOver = end !== null && end.state !== 'interrupted';
  return {
    wantedAtMs: msOf(begin.wantedAt),
    startedAtMs: msOf(begin.startedAt),
    endedAtMs: isOver ? msOf(end.endedAt) : null,
    succeeded: end?.state === 'succeeded',
    attempt: begin.attempt,
  };
}

function msOf(time: string): number {
  return timeToUnixMs(parseTime(time) ?? 0n);
}

function instant(ms: number): string {
  return formatTime(timeFromUnixMs(ms), 3);
}
