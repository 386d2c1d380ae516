import { type BackupError, isBackupError } from '../core/errors.ts';
import type { JobEnd, JobName, RecordedRun } from '../core/job.ts';
import { readRuns } from './job-records.ts';
import { type JobPlan, type JobPorts, type Lane, runJob } from './run-job.ts';

export interface LoopPorts extends JobPorts {
  /** Resolves after a while by a clock that is not set, or as soon as the signal fires. */
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly lanes: Lanes;
  /** What is on record of the job when the loop begins, the newest run first. */
  readonly onRecords: (job: JobName, runs: readonly RecordedRun[]) => void;
  /** Awaited: what is told of a run is told before the next one. */
  readonly onEnd: (end: JobEnd, trouble: string | null) => Promise<void>;
  /** When it is due, as far as that is known now. */
  readonly onWait: (job: JobName, untilMs: number, reason: string) => void;
  /** It could not be looked at: the vault is away. It is tried again. */
  readonly onFailure: (job: JobName, failure: BackupError) => void;
}

/** Runs work when what came before it in its lane is over. */
export type Lanes = <Result>(lane: Lane, work: () => Promise<Result>) => Promise<Result>;

/** One at a time in each lane, first come, first served, for all stores of a daemon; in a lane of its own, at once. */
export function makeLanes(): Lanes {
  const tails = new Map<Lane, Promise<unknown>>();
  return async (lane, work) => {
    if (lane === 'own') return work();
    const before = tails.get(lane) ?? Promise.resolve();
    const result = before.then(work, work);
    tails.set(
      lane,
      result.catch(() => undefined),
    );
    return result;
  };
}

/** So long at most until it is looked at again: a clock may have been set, and another daemon may have died. */
const LONGEST_WAIT_MS = 5 * 60_000;
const FIRST_RETRY_MS = 5000;
const KNOWN_RUNS = 50;

/** Runs one job of one store whenever it is due, until the signal fires. What it meets is told, and never ends it. */
export async function jobLoop(ports: LoopPorts, plan: JobPlan): Promise<void> {
  const { signal, clock } = ports;
  let failures = 0;
  let isKnown = false;
  while (!signal.aborted) {
    let waitMs = 0;
    try {
      if (!isKnown) ports.onRecords(plan.name, await readRuns(ports.vault, plan.name, KNOWN_RUNS));
      isKnown = true;
      const outcome = await ports.lanes(plan.lane, () => tryJob(ports, plan));
      failures = 0;
      if (outcome !== null) {
        ports.onWait(plan.name, outcome.untilMs, outcome.reason);
        waitMs = Math.min(Math.max(outcome.untilMs - clock.now(), 0), LONGEST_WAIT_MS);
      }
    } catch (error) {
      if (!isBackupError(error)) throw error;
      if (signal.aborted) return;
      ports.onFailure(plan.name, error);
      waitMs = Math.min(FIRST_RETRY_MS * 2 ** failures, LONGEST_WAIT_MS);
      failures += 1;
    }
    await ports.pause(waitMs, signal);
  }
}

/** Null when it ran, and what is next is to be asked. */
async function tryJob(ports: LoopPorts, plan: JobPlan): Promise<{ untilMs: number; reason: string } | null> {
  if (ports.signal.aborted) return null;
  const outcome = await runJob(ports, plan);
  if (outcome.state === 'waits') return outcome.decision;
  await ports.onEnd(outcome.end, outcome.trouble);
  return null;
}
