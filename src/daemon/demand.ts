/** Somebody asks for a run of a job, beside its schedule. At most one waits for each job: who asks for what is asked for already gets that run. */

export interface Asked {
  readonly who: string;
  readonly atMs: number;
}

export interface Demand {
  ask(asked: Asked): void;
  /** What waits; null: nothing. */
  readonly pending: () => Asked | null;
  /** It began. */
  clear(): void;
  /** Resolves after a while as `pause` does, or as soon as somebody asks or the signal fires. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

type Pause = (ms: number, signal: AbortSignal) => Promise<void>;

export function makeDemand(pause: Pause): Demand {
  let pending: Asked | null = null;
  // Asked for while it was looked at: that look may have missed it, so there is another one.
  let isRung = false;
  let wake = (): void => undefined;
  return {
    ask: (asked) => {
      pending ??= asked;
      isRung = true;
      wake();
    },
    pending: () => pending,
    clear: () => {
      pending = null;
    },
    wait: async (ms, signal) => {
      const waiting = new AbortController();
      const end = (): void => waiting.abort();
      wake = end;
      signal.addEventListener('abort', end, { once: true });
      if (signal.aborted) end();
      await pause(isRung ? 0 : ms, waiting.signal);
      signal.removeEventListener('abort', end);
      wake = () => undefined;
      isRung = false;
    },
  };
}
