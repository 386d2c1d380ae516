import type { JobEnd, JobName, JobProgress } from '../../src/core/job.ts';
import type { JobView } from '../../src/daemon/registry.ts';

export const NOW = Date.parse('2026-11-29T14:23:20Z');

interface JobSketch {
  readonly job: JobName;
  /** How long ago the last run ended, and how long it took. */
  readonly endedAgoMs?: number;
  readonly tookMs?: number;
  readonly failure?: {
    readonly code: string;
    readonly exitCode: number;
    readonly lastSuccessAgoMs: number | null;
    /** What it said; left out: this daemon did not hear it. */
    readonly said?: string;
  };
  readonly nextInMs?: number;
  readonly reason?: string;
  readonly runningMs?: number;
  readonly progress?: JobProgress;
  readonly trouble?: string;
  readonly facts?: Readonly<Record<string, number>>;
}

export function jobView(store: string, sketch: JobSketch): JobView {
  const last = sketch.endedAgoMs === undefined ? null : endOf(sketch, sketch.endedAgoMs);
  const success = sketch.failure === undefined ? sketch.endedAgoMs : sketch.failure.lastSuccessAgoMs;
  return {
    ...{ store, job: sketch.job, last, asked: null, timing: { kind: 'interval', everyMs: 900_000 } },
    runningSinceMs: sketch.runningMs === undefined ? null : NOW - sketch.runningMs,
    progress: sketch.progress ?? null,
    lastTrouble: sketch.failure?.said ?? null,
    nextMs: sketch.nextInMs === undefined ? null : NOW + sketch.nextInMs,
    reason: sketch.reason ?? null,
    lastSuccessAtMs: success == null ? null : NOW - success,
    lastFailureAtMs: sketch.failure === undefined ? null : NOW - (sketch.endedAgoMs ?? 0),
    trouble: sketch.trouble ?? null,
    counts: {
      succeeded: last?.state === 'succeeded' ? 12 : 0,
      failed: sketch.failure === undefined ? 0 : 3,
      interrupted: 0,
    },
    failures: sketch.failure === undefined ? {} : { [sketch.failure.code]: 3 },
  };
}

function endOf({ job, tookMs = 4000, failure, facts = {} }: JobSketch, endedAgoMs: number): JobEnd {
  const endedMs = NOW - endedAgoMs;
  return {
    ...{ job, attempt: failure === undefined ? 1 : 3, durationMs: tookMs, facts },
    wantedAt: new Date(endedMs - tookMs - 800).toISOString(),
    endedAt: new Date(endedMs).toISOString(),
    state: failure === undefined ? 'succeeded' : 'failed',
    exitCode: failure?.exitCode ?? 0,
    code: failure?.code ?? null,
  };
}
