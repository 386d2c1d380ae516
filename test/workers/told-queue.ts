import type { JobStanding, OfferedJob, ResultPlace, TakenJob, WorkQueue } from '../../src/core/work-queue.ts';

/**
 * A queue that does what a test tells it: no server is this slow, or this wrong, on demand. What a queue is, is tried on a real one
 * (`test/queues/`).
 */
export interface ToldQueue extends WorkQueue {
  readonly offered: OfferedJob[];
  readonly cancelled: string[];
  readonly ended: string[];
  readonly progress: { readonly job: string; readonly events: number }[];
  /** By job. Left out: it waits. */
  readonly standings: Map<string, Partial<JobStanding> | 'gone'>;
  readonly results: Map<string, Uint8Array>;
  /** Thrown by each call. */
  failure: Error | null;
  isHeard: boolean;
  /** Workers that are alive. */
  alive: number;
  tell: () => void;
}

export function toldQueue(): ToldQueue {
  const never = (): never => {
    throw new Error('not asked for here');
  };
  const results = new Map<string, Uint8Array>();
  const queue: ToldQueue = {
    ...{ address: 'postgres://queue.example/jobs', offered: [], cancelled: [], ended: [], progress: [] },
    ...{ standings: new Map(), results, failure: null, isHeard: true, alive: 0, tell: () => undefined },
    ...{ open: async () => {}, beginRun: async () => {}, beat: async () => {}, close: async () => {} },
    ...{ take: never, counts: never },
    workers: async () =>
      Array.from({ length: queue.alive }, (_, i) => ({
        name: `${i}`,
        lanes: 1,
        active: 1,
        isAlive: true,
        seenAtMs: 0,
      })),
    isAlive: async () => {
      if (queue.failure !== null) throw queue.failure;
      return queue.isHeard;
    },
    endRun: async (runId) => {
      queue.ended.push(runId);
    },
    offer: async (job) => {
      if (queue.failure !== null) throw queue.failure;
      queue.offered.push(job);
    },
    cancel: async (ids) => {
      queue.cancelled.push(...ids);
    },
    look: async (ids) => {
      if (queue.failure !== null) throw queue.failure;
      return ids.flatMap((id) => {
        const told = queue.standings.get(id) ?? {};
        if (told === 'gone') return [];
        return { id, state: 'waiting', progress: null, result: null, failure: null, ...told } as const;
      });
    },
    readResult: async ({ jobId, attempt }: ResultPlace) => results.get(`${jobId} ${attempt}`)!,
    listen: async (_, tell) => {
      if (queue.failure !== null) throw queue.failure;
      queue.tell = tell;
      return async () => {};
    },
    noteProgress: async (job: TakenJob, _, { events }) => {
      queue.progress.push({ job: job.id, events });
    },
    writeResult: async ({ id, attempt }: TakenJob, bytes) => {
      results.set(`${id} ${attempt}`, bytes);
      return { jobId: id, attempt, parts: 1, sizeBytes: bytes.length, events: 0, bytes: 0 };
    },
  };
  return queue;
}
