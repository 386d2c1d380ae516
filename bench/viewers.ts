/** People who look at the console, as a server sees them: each with a connection of its own, asking again when it is told to. */
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Viewers {
  /** Answers since the last time this was asked, and how many were no page. */
  takeCounts(): { readonly answers: number; readonly failures: number };
  stop(): Promise<void>;
}

/** As the console's own script does where it is told nothing. */
const DEFAULT_WAIT_MS = 15_000;
/** They come one after another: nobody opens a thousand windows at once. */
const ARRIVALS_MS = 10_000;

/** Resolves when all of them have come and seen their first page. */
export async function startViewers(base: string, count: number, pages: readonly string[]): Promise<Viewers> {
  const stop = new AbortController();
  const counts = { answers: 0, failures: 0 };
  const first: Promise<void>[] = [];
  const loops: Promise<void>[] = [];
  for (let i = 0; i < count; i += 1) {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const url = base + pages[i % pages.length]!;
    let seen = (): void => {};
    first.push(
      new Promise((resolve) => {
        seen = resolve;
      }),
    );
    loops.push(look(url, agent, (ARRIVALS_MS * i) / count, { counts, seen, signal: stop.signal }));
  }
  await Promise.all(first);
  return {
    takeCounts: () => {
      const taken = { ...counts };
      Object.assign(counts, { answers: 0, failures: 0 });
      return taken;
    },
    stop: async () => {
      stop.abort();
      await Promise.all(loops);
    },
  };
}

interface Looking {
  readonly counts: { answers: number; failures: number };
  readonly seen: () => void;
  readonly signal: AbortSignal;
}

async function look(url: string, agent: http.Agent, afterMs: number, looking: Looking): Promise<void> {
  const { counts, seen, signal } = looking;
  try {
    await sleep(afterMs, undefined, { signal });
    while (!signal.aborted) {
      const answer = await get(url, agent, signal).catch(() => null);
      if (signal.aborted) break;
      if (answer?.status === 200) counts.answers += 1;
      else counts.failures += 1;
      seen();
      await sleep(answer?.waitMs ?? DEFAULT_WAIT_MS, undefined, { signal });
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    agent.destroy();
  }
}

function get(
  url: string,
  agent: http.Agent,
  signal: AbortSignal,
): Promise<{ readonly status: number; readonly waitMs: number }> {
  return new Promise((resolve, reject) => {
    const request = http.get(url, { agent, signal }, (response) => {
      response.resume();
      const waitMs = Number(response.headers['x-refresh-after'] ?? DEFAULT_WAIT_MS);
      response.once('end', () => resolve({ status: response.statusCode ?? 0, waitMs }));
      response.once('error', reject);
    });
    request.once('error', reject);
  });
}
