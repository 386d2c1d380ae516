import type { Answer, Ask, Question } from '../../console/ports.ts';

/** What a command said: an answer that is not dated yet. */
export type Said = Undated<'answered'> | Undated<'failed'>;
type Undated<State extends 'answered' | 'failed'> = Omit<Extract<Answer, { readonly state: State }>, 'atMs'>;

export interface QuestionPorts {
  /** Runs the command. `sizeBytes` is of what it answered. */
  readonly run: (question: Question) => Promise<{ readonly said: Said; readonly sizeBytes: number }>;
  /** Throws where it is no question. */
  readonly assertQuestion: (words: readonly string[]) => void;
  readonly now: () => number;
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>;
}

export interface Questions {
  readonly ask: Ask;
  /** Something happened to a store: what was answered before says nothing any more. */
  forget(store: string): void;
  /** How many wait for their turn. */
  waiting(): number;
}

interface Kept {
  readonly answer: Extract<Answer, { readonly state: 'answered' | 'failed' }>;
  readonly sizeBytes: number;
}

interface Flight {
  readonly sinceMs: number;
  readonly answer: Promise<Answer>;
}

/** So many commands run at once. */
const AT_ONCE = 2;
const MOST_WAITING = 16;
const MOST_KEPT = 200;
const MOST_KEPT_BYTES = 8 << 20;
const PATIENCE_MS = 2500;
/** A failure is asked again sooner. */
const FAILURE_MS = 10_000;
/** While it is asked again, an older answer is better than none, up to so many times its age. */
const OLD = 5;

export function makeQuestions(ports: QuestionPorts): Questions {
  const kept = makeKept();
  const flights = new Map<string, Flight>();
  const turns = makeTurns();
  const begin = (key: string, question: Question): Flight | null => {
    const turn = turns.take();
    if (turn === null) return null;
    const flight: Flight = { sinceMs: ports.now(), answer: fly() };
    flights.set(key, flight);
    return flight;

    async function fly(): Promise<Answer> {
      await turn;
      const { said, sizeBytes } = await ports.run(question).catch(cannotBeRun);
      turns.giveBack();
      const answer = { ...said, atMs: ports.now() };
      // Forgotten meanwhile, it is told to who waits for it, and to nobody after.
      if (flights.get(key) === flight) {
        flights.delete(key);
        kept.put(key, { answer, sizeBytes });
      }
      return answer;
    }
  };
  return {
    ask: async (question) => {
      ports.assertQuestion(question.words);
      const key = keyOf(question);
      const nowMs = ports.now();
      const known = kept.get(key);
      const maxAgeMs =
        known?.answer.state === 'failed' ? Math.min(FAILURE_MS, question.maxAgeMs) : question.maxAgeMs;
      const ageMs = known === undefined ? Number.POSITIVE_INFINITY : nowMs - known.answer.atMs;
      if (known !== undefined && ageMs <= maxAgeMs) return known.answer;
      const flight = flights.get(key) ?? begin(key, question);
      const old = known !== undefined && ageMs <= maxAgeMs * OLD ? known.answer : null;
      if (flight === null) return old ?? { state: 'busy' };
      return (await firstOf(ports, flight)) ?? old ?? { state: 'asking', sinceMs: flight.sinceMs };
    },
    forget: (store) => {
      kept.drop(store);
      for (const key of flights.keys()) if (isOf(key, store)) flights.delete(key);
    },
    waiting: turns.waiting,
  };
}

/** A word that no command line can have, such as one with a zero byte. */
function cannotBeRun(error: unknown): { readonly said: Said; readonly sizeBytes: number } {
  const message = `this cannot be asked: ${error instanceof Error ? error.message : String(error)}`;
  return { said: { state: 'failed', code: null, message, hint: null, facts: {} }, sizeBytes: 0 };
}

/** Null where it takes too long to be waited for. */
async function firstOf({ pause }: QuestionPorts, { answer }: Flight): Promise<Answer | null> {
  const done = new AbortController();
  const late = pause(PATIENCE_MS, done.signal).then(() => null);
  try {
    return await Promise.race([answer, late]);
  } finally {
    done.abort();
  }
}

function keyOf({ store, words }: Question): string {
  return JSON.stringify([store, ...words]);
}

function isOf(key: string, store: string): boolean {
  return key.startsWith(`[${JSON.stringify(store)},`);
}

interface Turns {
  /** Resolves when it is one's turn; null where too many wait. */
  take(): Promise<void> | null;
  giveBack(): void;
  waiting(): number;
}

function makeTurns(): Turns {
  let running = 0;
  const waiting: (() => void)[] = [];
  return {
    take: () => {
      if (running < AT_ONCE) {
        running += 1;
        return Promise.resolve();
      }
      if (waiting.length >= MOST_WAITING) return null;
      return new Promise((resolve) => waiting.push(resolve));
    },
    giveBack: () => {
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    },
    waiting: () => waiting.length,
  };
}

interface KeptAnswers {
  get(key: string): Kept | undefined;
  put(key: string, kept: Kept): void;
  drop(store: string): void;
}

/** Those that were used last, no more than there is room for. */
function makeKept(): KeptAnswers {
  const all = new Map<string, Kept>();
  let bytes = 0;
  const remove = (key: string): void => {
    bytes -= all.get(key)?.sizeBytes ?? 0;
    all.delete(key);
  };
  return {
    get: (key) => {
      const kept = all.get(key);
      if (kept === undefined) return undefined;
      all.delete(key);
      all.set(key, kept);
      return kept;
    },
    put: (key, kept) => {
      remove(key);
      all.set(key, kept);
      bytes += kept.sizeBytes;
      for (const oldest of all.keys()) {
        if (all.size <= MOST_KEPT && bytes <= MOST_KEPT_BYTES) break;
        remove(oldest);
      }
    },
    drop: (store) => {
      for (const key of all.keys()) if (isOf(key, store)) remove(key);
    },
  };
}
