import { decideTurns, type RunningTurn, type TurnCaps, type WaitingTurn } from '../policy/turns.ts';

/** A job that is due, and what it needs. */
export type WantedTurn = Omit<WaitingTurn, 'id' | 'sinceMs'>;

export interface TurnOptions {
  /** It is given up: nothing of it runs. */
  readonly signal: AbortSignal;
  /** It does not begin at once, and why. */
  readonly onWait: (reason: string) => void;
}

/** What may run at once in a daemon, over all its stores. */
export interface Turns {
  /** Runs work when it is its turn. Null: it was given up before. */
  take<Result>(wanted: WantedTurn, options: TurnOptions, work: () => Promise<Result>): Promise<Result | null>;
  /** How much waits for its turn. */
  waiting(): number;
  /** From now on; what runs goes on. */
  configure(caps: TurnCaps): void;
}

interface Waiting {
  readonly turn: WaitingTurn;
  readonly onWait: (reason: string) => void;
  readonly go: (isItsTurn: boolean) => void;
  told: string | null;
}

/** At most one entry waits for each job of each store. */
export function makeTurns(given: TurnCaps, nowMs: () => number): Turns {
  const waiting = new Map<string, Waiting>();
  const running = new Map<string, RunningTurn>();
  let caps = given;
  let number = 0;
  const settle = (): void => {
    const turns = [...waiting.values()].map(({ turn }) => turn);
    const { begin, waits } = decideTurns({ waiting: turns, running: [...running.values()], caps }, nowMs());
    for (const id of begin) {
      const { turn, go } = waiting.get(id)!;
      waiting.delete(id);
      running.set(id, turn);
      go(true);
    }
    for (const [id, reason] of waits) {
      const one = waiting.get(id)!;
      if (one.told !== reason) one.onWait(reason);
      one.told = reason;
    }
  };
  const wait = (turn: WaitingTurn, { signal, onWait }: TurnOptions): Promise<boolean> =>
    new Promise((resolve) => {
      const giveUp = (): void => {
        if (waiting.delete(turn.id)) resolve(false);
      };
      const go = (isItsTurn: boolean): void => {
        signal.removeEventListener('abort', giveUp);
        resolve(isItsTurn);
      };
      if (signal.aborted) return resolve(false);
      signal.addEventListener('abort', giveUp, { once: true });
      waiting.set(turn.id, { turn, onWait, go, told: null });
      settle();
    });
  return {
    take: async (wanted, options, work) => {
      number += 1;
      const id = String(number);
      if (!(await wait({ ...wanted, id, sinceMs: nowMs() }, options))) return null;
      try {
        return await work();
      } finally {
        running.delete(id);
        settle();
      }
    },
    waiting: () => waiting.size,
    configure: (changed) => {
      caps = changed;
      settle();
    },
  };
}
