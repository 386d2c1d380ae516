import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Taken } from './acknowledgements.ts';
import { nowMs } from './clock.ts';
import type { Address } from './relay.ts';

/**
 * Tries a real write at each server every 100 ms, as a role like an application's, by a way that no partition cuts: the only judge of how
 * many servers take writes. It believes acknowledgements and nothing else.
 */
export interface Watcher {
  readonly taken: readonly Taken[];
  /** Rounds in which each server was tried. */
  readonly rounds: () => number;
  /** Most servers that took a write in one round. */
  readonly mostInOneRound: () => number;
  watch(server: WatchedServer): void;
  stop(): Promise<void>;
}

export interface WatchedServer {
  /** What others know it by. */
  readonly shownAs: string;
  readonly inside: Address;
}

const EVERY_MS = 100;
const GIVE_UP_MS = 90;
/** Then a new connection is tried. */
const HANGS_MS = 10_000;

/** A clean place takes no writes of applications before it has a store. */
const WRITE = "INSERT INTO lab.watched SELECT now() WHERE to_regclass('public.eventcore_events') IS NOT NULL";

/** Where the watcher writes: a table of its own beside the events. */
export const WATCH_SQL = 'CREATE SCHEMA lab; CREATE TABLE lab.watched (at timestamptz DEFAULT now())';

export function startWatcher(login: { readonly user: string; readonly database: string }): Watcher {
  const taken: Taken[] = [];
  const probes: Probe[] = [];
  const stopped = new AbortController();
  const count = { rounds: 0, most: 0 };
  const watch = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      const [results] = await Promise.all([Promise.all(probes.map((probe) => probe.ask())), sleep(EVERY_MS)]);
      const writes = results.filter((result) => result !== null);
      taken.push(...writes);
      count.rounds += 1;
      count.most = Math.max(count.most, writes.length);
    }
    for (const probe of probes) probe.close();
  };
  const running = watch();
  return {
    taken,
    rounds: () => count.rounds,
    mostInOneRound: () => count.most,
    watch: (server) => {
      probes.push(makeProbe(server, login));
    },
    stop: async () => {
      stopped.abort();
      await running;
    },
  };
}

interface Probe {
  /** What was acknowledged since it was last asked; tries again unless an answer is still awaited. */
  ask(): Promise<Taken | null>;
  close(): void;
}

function makeProbe({ shownAs, inside }: WatchedServer, login: { user: string; database: string }): Probe {
  let client: pg.Client | null = null;
  let pending: Promise<Taken | null> | null = null;
  const drop = (): void => {
    client?.connection.stream.destroy();
    client = null;
  };
  const write = async (): Promise<Taken | null> => {
    const sentAtMs = nowMs();
    if (client === null) {
      client = new pg.Client({ ...inside, ...login, connectionTimeoutMillis: GIVE_UP_MS });
      client.on('error', () => undefined);
      await client.connect();
    }
    const { rowCount } = await client.query(WRITE);
    return rowCount === 1 ? { server: shownAs, sentAtMs, ackedAtMs: nowMs() } : null;
  };
  const attempt = async (): Promise<Taken | null> => {
    const late = AbortSignal.timeout(HANGS_MS);
    late.onabort = drop;
    try {
      return await write();
    } catch {
      drop();
      return null;
    } finally {
      late.onabort = null;
    }
  };
  return {
    // A commit that waits for a standby goes on waiting, whatever becomes of its client: the same one is asked for again, or a server
    // would soon be full of them.
    ask: async () => {
      pending ??= attempt();
      const result = await Promise.race([pending, sleep(GIVE_UP_MS, 'waiting' as const)]);
      if (result === 'waiting') return null;
      pending = null;
      return result;
    },
    close: drop,
  };
}
