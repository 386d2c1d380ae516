import type { BackupError } from '../core/errors.ts';
import type { JobEnd, JobName, RecordedRun } from '../core/job.ts';
import type { UnderLease } from '../core/lease.ts';
import { parseTime, timeToUnixMs } from '../core/time.ts';
import { isNothingToTell, type JobNotice, jobNotice } from '../policy/job-alerts.ts';
import { jobLoop, type LoopPorts } from './job-loop.ts';
import { readRuns } from './job-records.ts';
import type { Registry } from './registry.ts';
import type { JobPlan } from './run-job.ts';

export interface StorePorts
  extends Pick<LoopPorts, 'vault' | 'clock' | 'daemon' | 'software' | 'pause' | 'lanes' | 'runCommand'> {
  /** As the daemon calls it. */
  readonly store: string;
  readonly leaseOf: (job: JobName) => UnderLease;
  readonly registry: Registry;
  readonly notify: (job: JobName, notice: JobNotice, trouble: string | null) => Promise<void>;
  readonly onFailure: (job: JobName, failure: BackupError) => void;
  readonly onEnd: (end: JobEnd, trouble: string | null) => void;
}

export interface StoreService {
  /** Goes on with jobs that are as they were, stops those that are gone or changed, and begins the new ones. */
  change(plans: readonly JobPlan[]): Promise<void>;
  /** What runs is told to stop, and awaited. */
  stop(): Promise<void>;
}

interface Running {
  readonly key: string;
  readonly stop: AbortController;
  readonly done: Promise<void>;
}

/** A failure that goes on is told again after this. */
const REPEAT_MS = 24 * 3_600_000;
/** More than a job fails in that time. */
const TOLD_RUNS = 200;

/** Runs the jobs of one store. */
export function serveStore(ports: StorePorts): StoreService {
  const running = new Map<JobName, Running>();
  const stopOne = async (name: JobName): Promise<void> => {
    const one = running.get(name);
    running.delete(name);
    one?.stop.abort();
    await one?.done;
  };
  return {
    change: async (plans) => {
      const wanted = new Map(plans.map((plan) => [plan.name, plan]));
      const gone = [...running.keys()].filter((name) => {
        const plan = wanted.get(name);
        return plan === undefined || keyOf(plan) !== running.get(name)!.key;
      });
      await Promise.all(gone.map(stopOne));
      for (const name of gone) if (!wanted.has(name)) ports.registry.remove(ports.store, name);
      for (const plan of plans) {
        if (running.has(plan.name)) continue;
        const stop = new AbortController();
        ports.registry.add(ports.store, plan.name);
        running.set(plan.name, { key: keyOf(plan), stop, done: runLoop(ports, plan, stop.signal) });
      }
    },
    stop: async () => {
      await Promise.all([...running.keys()].map(stopOne));
    },
  };
}

function keyOf(plan: JobPlan): string {
  return JSON.stringify(plan);
}

function runLoop(ports: StorePorts, plan: JobPlan, signal: AbortSignal): Promise<void> {
  const { store, registry, clock } = ports;
  return jobLoop(
    {
      ...ports,
      signal,
      underLease: ports.leaseOf(plan.name),
      runCommand: (job, stop) => {
        registry.change(store, job, { runningSinceMs: clock.now() });
        return ports.runCommand(job, stop);
      },
      onRecords: (job, runs) => registry.change(store, job, factsOf(runs)),
      onWait: (job, nextMs, reason) =>
        registry.change(store, job, { runningSinceMs: null, trouble: null, nextMs, reason }),
      onFailure: (job, failure) => {
        registry.change(store, job, { runningSinceMs: null, trouble: failure.message });
        ports.onFailure(job, failure);
      },
      onEnd: async (end, trouble) => {
        registry.ended(store, end, clock.now());
        ports.onEnd(end, trouble);
        const notice = await noticeOf(ports, plan.name);
        if (notice !== null) await ports.notify(plan.name, notice, trouble);
      },
    },
    plan,
  );
}

/** Records are objects of a bucket, each of which is asked for: all of them are only where something is wrong, or was just now. */
async function noticeOf({ vault }: StorePorts, job: JobName): Promise<JobNotice | null> {
  if (isNothingToTell(await readRuns(vault, job, 2))) return null;
  return jobNotice(await readRuns(vault, job, TOLD_RUNS), REPEAT_MS);
}

function factsOf(runs: readonly RecordedRun[]) {
  const ends = runs.flatMap(({ end }) => (end === null ? [] : [end]));
  const newest = (state: JobEnd['state']): number | null => {
    const end = ends.find((one) => one.state === state);
    return end === undefined ? null : timeToUnixMs(parseTime(end.endedAt) ?? 0n);
  };
  return {
    last: ends[0] ?? null,
    ...{ lastSuccessAtMs: newest('succeeded'), lastFailureAtMs: newest('failed') },
  };
}
