/** Time that goes on only when everybody waits, and then to whoever waits least: a fortnight takes seconds. */
export interface SimulatedTime {
  /** Milliseconds that are never set, from 0 on. */
  now(): number;
  pause(ms: number, signal?: AbortSignal): Promise<void>;
  /** Real work, for which time stands still: threads of compression take turns that no queue of this process shows. */
  during<Result>(work: () => Promise<Result>): Promise<Result>;
  /** Goes on to an instant. */
  goOn(untilMs: number): Promise<void>;
}

interface Waiting {
  readonly atMs: number;
  readonly go: () => void;
}

export function simulatedTime(): SimulatedTime {
  let nowMs = 0;
  let working = 0;
  const waiting = new Set<Waiting>();
  const pause = (ms: number, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      if (signal?.aborted === true) return resolve();
      const done = (): void => {
        waiting.delete(entry);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const entry = { atMs: nowMs + Math.max(ms, 1), go: done };
      waiting.add(entry);
      signal?.addEventListener('abort', done, { once: true });
    });
  const settle = async (): Promise<void> => {
    do await new Promise((resolve) => setImmediate(resolve));
    while (working > 0);
  };
  return {
    now: () => nowMs,
    pause,
    during: async (work) => {
      working += 1;
      try {
        return await work();
      } finally {
        working -= 1;
      }
    },
    goOn: async (untilMs) => {
      for (;;) {
        await settle();
        const next = earliest(waiting);
        if (next === null || next.atMs > untilMs) break;
        nowMs = Math.max(nowMs, next.atMs);
        next.go();
      }
      nowMs = Math.max(nowMs, untilMs);
    },
  };
}

function earliest(waiting: ReadonlySet<Waiting>): Waiting | null {
  let least: Waiting | null = null;
  for (const one of waiting) if (least === null || one.atMs < least.atMs) least = one;
  return least;
}
