import type { BackupError } from '../core/errors.ts';
import type { JobEnd, JobName, RecordedRun } from '../core/job.ts';
import type { UnderLease } from '../core/lease.ts';
import { parseTime, timeToUnixMs } from '../core/time.ts';
import { type Demand, makeDemand } from './demand.ts';
import { jobLoop, type LoopPorts } from './job-loop.ts';
import type { Registry } from './registry.ts';
import type { JobPlan, TakeTurn } from './run-job.ts';
import type { Turns } from './turns.ts';

export interface StorePorts
  extends Pick<LoopPorts, 'vault' | 'clock' | 'steadyMs' | 'daemon' | 'software' | 'runCommand'> {
  /** As the daemon calls it. */
  readonly store: string;
  readonly turns: Turns;
  /** What its jobs share with those of others: the server that holds it, null where none does, and where its vault lies. */
  readonly place: { readonly server: string | null; readonly vault: string };
  /** Resolves after a while by a clock that is not set, or as soon as the signal fires. */
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly leaseOf: (job: JobName) => UnderLease;
  readonly registry: Registry;
  readonly onFailure: (job: JobName, failure: BackupError) => void;
  /** It is on record. */
  readonly onEnd: (end: JobEnd, trouble: string | null) => void;
}

export interface StoreService {
  /** Goes on with jobs that are as they were, stops those that are gone or changed, and begins the new ones. */
  change(plans: readonly JobPlan[]): Promise<void>;
  /**
   * Has a job run as soon as its lane and its lease are free, whatever its schedule. What did not begin when the daemon ends is forgotten.
   * `runs_already`: here and now, so nothing was asked; `unknown`: there is no such job.
   */
  demand(job: JobName, who: string): 'asked' | 'runs_already' | 'unknown';
  /** What runs is told to stop, and awaited. */
  stop(): Promise<void>;
}

interface Running {
  readonly key: string;
  readonly stop: AbortController;
  readonly done: Promise<void>;
}

/** Runs the jobs of one store. */
export function serveStore(ports: StorePorts): StoreService {
  const running = new Map<JobName, Running>();
  // They outlive a change of the job.
  const demands = new Map<JobName, Demand>();
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
      for (const name of gone.filter((one) => !wanted.has(one))) {
        ports.registry.remove(ports.store, name);
        demands.delete(name);
      }
      for (const plan of plans) {
        if (running.has(plan.name)) continue;
        const stop = new AbortController();
        const demand = demands.get(plan.name) ?? makeDemand(ports.pause);
        demands.set(plan.name, demand);
        ports.registry.add(ports.store, plan.name, plan.timing);
        const done = runLoop(ports, plan, demand, stop.signal);
        running.set(plan.name, { key: keyOf(plan), stop, done });
      }
    },
    demand: (job, who) => {
      const demand = demands.get(job);
      if (demand === undefined) return 'unknown';
      if (ports.registry.view(ports.store, job)?.runningSinceMs != null) return 'runs_already';
      demand.ask({ who, atMs: ports.clock.now() });
      ports.registry.change(ports.store, job, { asked: demand.pending() });
      return 'asked';
    },
    stop: async () => {
      await Promise.all([...running.keys()].map(stopOne));
    },
  };
}

function keyOf(plan: JobPlan): string {
  return JSON.stringify(plan);
}

function runLoop(ports: StorePorts, plan: JobPlan, demand: Demand, signal: AbortSignal): Promise<void> {
  const { store, registry, clock, place, turns } = ports;
  const takeTurn: TakeTurn = (wanted, work) => {
    // Since when it is due: who waits long for a turn is late.
    const onWait = (reason: string): void =>
      registry.change(store, plan.name, { reason, nextMs: wanted.wantedAtMs, trouble: null });
    return turns.take({ ...wanted, ...place }, { signal, onWait }, work);
  };
  return jobLoop(
    {
      ...ports,
      ...{ signal, demand, takeTurn, underLease: ports.leaseOf(plan.name), jobCount: registry.size },
      onBegin: ({ job, reason }) => {
        demand.clear();
        registry.change(store, job, { runningSinceMs: clock.now(), progress: null, asked: null, reason });
      },
      onRecords: (job, runs) => registry.change(store, job, factsOf(runs)),
      onWait: (job, nextMs, reason) =>
        registry.change(store, job, { runningSinceMs: null, progress: null, trouble: null, nextMs, reason }),
      onFailure: (job, failure) => {
        registry.change(store, job, { runningSinceMs: null, progress: null, trouble: failure.message });
        ports.onFailure(job, failure);
      },
      onEnd: (end, trouble) => {
        registry.ended(store, end, clock.now());
        ports.onEnd(end, trouble);
      },
    },
    plan,
  );
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
