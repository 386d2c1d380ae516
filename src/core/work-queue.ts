/**
 * A queue of jobs that several machines share. Coordinators put jobs into it and wait for their results; workers take them. It gives
 * a job to one worker at a time, and again to another when nothing is heard of the first. What stands in a job and in a result it
 * does not know: both are bytes, sealed before they get here. Adapter: queues/postgres.
 *
 * Errors, from every method: `queue_unreachable` (may work later), `queue_refused` (rights, another key).
 */
export interface WorkQueue {
  /** The address to show to people, without a password. */
  readonly address: string;

  /**
   * Makes what the queue needs where it is missing. `keyCheck` names the key with which its jobs are sealed, without telling it: the
   * first to come says which that is. Throws `queue_refused` where it is another one.
   */
  open(keyCheck: string): Promise<void>;

  /** Says that a coordinator is at work. Its jobs are done only as long as `beat` is heard. */
  beginRun(run: WorkRun): Promise<void>;
  beat(runId: string): Promise<void>;
  /** Whether the coordinator of these jobs was heard within the last minute. */
  isAlive(runId: string): Promise<boolean>;
  /** Takes away all that is left of a run: its jobs, progress and results. Safe to repeat. */
  endRun(runId: string, jobIds: readonly string[]): Promise<void>;

  offer(job: OfferedJob): Promise<void>;
  /** Nobody takes them any more; who has one of them is told to stop. What is settled stays so. */
  cancel(jobIds: readonly string[]): Promise<void>;
  /** How these jobs stand. One that the queue does not know (any more) is left out. */
  look(jobIds: readonly string[]): Promise<readonly JobStanding[]>;
  /** Bytes that a worker left with the attempt that counts. Throws `queue_refused` where they are not all there. */
  readResult(result: ResultPlace): Promise<Uint8Array>;
  /** Calls `tell` soon after something became of jobs of this run; perhaps in vain, perhaps not each time. Gives what ends it. */
  listen(runId: string, tell: () => void): Promise<() => Promise<void>>;

  /** Begins to take jobs, one after the other in each of so many lanes. */
  take(options: TakeOptions, work: (job: TakenJob) => Promise<JobEnd>): Promise<Taking>;
  noteProgress(job: TakenJob, worker: string, progress: JobProgress): Promise<void>;
  writeResult(job: TakenJob, bytes: Uint8Array): Promise<ResultPlace>;

  counts(): Promise<QueueCounts>;
  workers(): Promise<readonly KnownWorker[]>;
  close(): Promise<void>;
}

export interface WorkRun {
  readonly id: string;
  /** For people: what it is for, and who does it. */
  readonly what: string;
  readonly holder: string;
}

/** What a job works on hardest: so many at a time are enough for one store, or one vault. */
export interface JobGroup {
  readonly tier: 'store' | 'vault';
  /** The same for all jobs on the same one. Holds no secret. */
  readonly id: string;
}

export interface OfferedJob {
  /** A UUID that its sealed payload is bound to. */
  readonly id: string;
  readonly runId: string;
  /** For people, and for counting. */
  readonly kind: string;
  readonly payload: Uint8Array;
  readonly group: JobGroup;
  /** Jobs with a greater one are taken first. */
  readonly priority: number;
}

export interface JobStanding {
  readonly id: string;
  /** `waiting`: for its first or its next worker. */
  readonly state: 'waiting' | 'active' | 'done' | 'failed' | 'cancelled';
  /** Of the attempt that is under way; null before the first. */
  readonly progress: (JobProgress & { readonly attempt: number; readonly worker: string }) | null;
  /** Of a job that is done. */
  readonly result: ResultPlace | null;
  /** Of a job that failed for good, as a worker sealed it; null where none could say why. */
  readonly failure: { readonly attempt: number; readonly sealed: Uint8Array } | null;
}

export interface JobProgress {
  readonly events: number;
  readonly bytes: number;
}

export interface ResultPlace extends JobProgress {
  readonly jobId: string;
  /** From 0: how often the job was taken before. */
  readonly attempt: number;
  readonly parts: number;
  readonly sizeBytes: number;
}

export interface TakenJob {
  readonly id: string;
  readonly runId: string;
  readonly kind: string;
  readonly attempt: number;
  readonly payload: Uint8Array;
  /** Fires when the job was cancelled or given to somebody else, or when this worker is to end. */
  readonly signal: AbortSignal;
}

export type JobEnd =
  | { readonly kind: 'done'; readonly result: ResultPlace }
  /** `again`: another attempt may work. */
  | { readonly kind: 'failed'; readonly again: boolean; readonly sealed: Uint8Array }
  /** Nobody waits for it any more. */
  | { readonly kind: 'abandoned' };

export interface TakeOptions {
  /** Jobs at the same time, from 1. */
  readonly lanes: number;
  /** Over all workers; null: no limit. */
  readonly perStore: number | null;
  readonly perVault: number | null;
  /** What the queue meets while it has nothing to do with a job. */
  readonly onTrouble: (error: Error) => void;
}

export interface Taking {
  /** Takes no more. What is under way may end within `graceMs`; then it is given up, and another worker has it. */
  stop(graceMs: number): Promise<void>;
}

export interface QueueCounts {
  readonly waiting: number;
  readonly active: number;
  /** That failed for good, within the last week. */
  readonly dead: number;
  /** Coordinators that were heard within the last minute. */
  readonly runs: readonly (WorkRun & { readonly waiting: number; readonly active: number })[];
}

export interface KnownWorker {
  readonly name: string;
  /** Jobs that it takes at once; null: it has only just begun. */
  readonly lanes: number | null;
  readonly active: number;
  readonly isAlive: boolean;
  /** Milliseconds since 1970, by the queue's clock. */
  readonly seenAtMs: number;
}
