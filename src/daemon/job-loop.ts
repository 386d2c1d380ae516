import { type BackupError, isBackupError } from '../core/errors.ts';
import type { JobEnd, JobName, RecordedRun } from '../core/job.ts';
import { newestBelieved } from '../policy/agenda.ts';
import type { Demand } from './demand.ts';
import { readRuns } from './job-records.ts';
import { type JobPlan, type JobPorts, runJob, type WaitDecision } from './run-job.ts';

export interface LoopPorts extends Omit<JobPorts, 'askedBy'> {
  readonly demand: Demand;
  /** Of all jobs of the daemon. */
  readonly jobCount: () => number;
  /** What is on record of the job when the loop begins, the newest run first. */
  readonly onRecords: (job: JobName, runs: readonly RecordedRun[]) => void;
  readonly onEnd: (end: JobEnd, trouble: string | null) => void;
  /** When it is due, as far as that is known now; null: when it is asked for. */
  readonly onWait: (job: JobName, untilMs: number | null, reason: string) => void;
  /** It could not be looked at: the vault is away. It is tried again. */
  readonly onFailure: (job: JobName, failure: BackupError) => void;
}

/**
 * So long at most until it is looked at again: a clock may have been set, and another daemon may have died. Each look lists what is in the vault,
 * so of many jobs no more than two in a second are looked at.
 */
const LONGEST_WAIT_MS = 5 * 60_000;
const EACH_JOB_MS = 500;
/** What runs only when it is asked for: another daemon may have died in it, and nothing is late. */
const LONGEST_REST_MS = 60 * 60_000;
const FIRST_RETRY_MS = 5000;
/** Of many jobs fewer: each is an object in the vault, and all are read when a daemon begins. */
const KNOWN_RUNS = 50;
const KNOWN_OF_MANY = 4;
const MANY_JOBS = 200;

/** Runs one job of one store whenever it is due, until the signal fires. What it meets is told, and never ends it. */
export async function jobLoop(ports: LoopPorts, plan: JobPlan): Promise<void> {
  const { signal, clock, demand } = ports;
  let failures = 0;
  let isKnown = false;
  while (!signal.aborted) {
    let waitMs = 0;
    try {
      if (!isKnown) ports.onRecords(plan.name, await knownRuns(ports, plan.name));
      isKnown = true;
      const outcome = await tryJob(ports, plan);
      failures = 0;
      if (outcome !== null) {
        ports.onWait(plan.name, outcome.untilMs, outcome.reason);
        waitMs = waitOf(outcome.untilMs, clock.now(), ports.jobCount());
      }
    } catch (error) {
      if (!isBackupError(error)) throw error;
      if (signal.aborted) return;
      ports.onFailure(plan.name, error);
      waitMs = Math.min(FIRST_RETRY_MS * 2 ** failures, LONGEST_WAIT_MS);
      failures += 1;
    }
    await demand.wait(waitMs, signal);
  }
}

function knownRuns({ vault, clock, jobCount }: LoopPorts, job: JobName): Promise<RecordedRun[]> {
  const count = jobCount() > MANY_JOBS ? KNOWN_OF_MANY : KNOWN_RUNS;
  return readRuns(vault, job, count, newestBelieved(clock.now()));
}

function waitOf(untilMs: number | null, nowMs: number, jobs: number): number {
  if (untilMs === null) return Math.max(LONGEST_REST_MS, jobs * EACH_JOB_MS);
  return Math.min(Math.max(untilMs - nowMs, 0), Math.max(LONGEST_WAIT_MS, jobs * EACH_JOB_MS));
}

/** Null when it ran, and what is next is to be asked. */
async function tryJob(ports: LoopPorts, plan: JobPlan): Promise<WaitDecision | null> {
  if (ports.signal.aborted) return null;
  const { demand } = ports;
  const outcome = await runJob({ ...ports, askedBy: () => demand.pending()?.who ?? null }, plan);
  if (outcome.state === 'waits') return outcome.decision;
  ports.onEnd(outcome.end, outcome.trouble);
  return null;
}
