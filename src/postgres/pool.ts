import type { Socket } from 'node:net';
import type pg from 'pg';
import { sayGoodbye } from './goodbye.ts';

/** A few connections for short operations, which are kept for a while. An idle one does not keep the process alive. */
export interface ConnectionPool {
  /** Waits for one that is free where as many as there may be are in use. */
  take(): Promise<pg.Client>;
  /** Gives one back; one that is not usable any longer is cut. */
  give(client: pg.Client, isUsable: boolean): void;
  readonly isEnded: boolean;
  /** Ends idle ones now, the others when they are given back. */
  end(): Promise<void>;
}

const IDLE_MS = 10_000;

export function makePool(most: number, open: () => Promise<pg.Client>): ConnectionPool {
  const idle = new Map<pg.Client, NodeJS.Timeout>();
  const waiting: (() => void)[] = [];
  /** The server said good-bye to them; it may take a while until it has closed them, and they answer nothing any more. */
  const lost = new WeakSet<pg.Client>();
  let used = 0;
  let isEnded = false;
  /** Whoever waits gets the place of one that leaves. */
  const leave = (): void => {
    const next = waiting.shift();
    if (next === undefined) used -= 1;
    else next();
  };
  const enter = async (): Promise<void> => {
    if (used < most) used += 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
  };
  return {
    take: async () => {
      await enter();
      try {
        if (isEnded) throw new Error('Cannot use a pool after calling end on the pool');
        return takeIdle(idle) ?? (await open().then((client) => watched(idle, lost, client)));
      } catch (error) {
        leave();
        throw error;
      }
    },
    give: (client, isUsable) => {
      if (isUsable && !isEnded && !lost.has(client) && socketOf(client).writable) keep(idle, client);
      else socketOf(client).destroy();
      leave();
    },
    get isEnded() {
      return isEnded;
    },
    end: async () => {
      isEnded = true;
      const ending = [...idle.keys()].map(sayGoodbye);
      for (const timer of idle.values()) clearTimeout(timer);
      idle.clear();
      await Promise.all(ending);
    },
  };
}

function takeIdle(idle: Map<pg.Client, NodeJS.Timeout>): pg.Client | null {
  const found = [...idle].at(-1);
  if (found === undefined) return null;
  const [client, timer] = found;
  clearTimeout(timer);
  idle.delete(client);
  socketOf(client).ref();
  return client;
}

/** One that is lost while nobody uses it is not kept. */
function watched(
  idle: Map<pg.Client, NodeJS.Timeout>,
  lost: WeakSet<pg.Client>,
  client: pg.Client,
): pg.Client {
  client.on('error', () => {
    lost.add(client);
    if (idle.has(client)) socketOf(client).destroy();
    forget(idle, client);
  });
  client.once('end', () => forget(idle, client));
  return client;
}

function keep(idle: Map<pg.Client, NodeJS.Timeout>, client: pg.Client): void {
  const timer = setTimeout(() => {
    forget(idle, client);
    void sayGoodbye(client);
  }, IDLE_MS);
  timer.unref();
  idle.set(client, timer);
  socketOf(client).unref();
}

function forget(idle: Map<pg.Client, NodeJS.Timeout>, client: pg.Client): void {
  clearTimeout(idle.get(client));
  idle.delete(client);
}

function socketOf(client: pg.Client): Socket {
  return client.connection.stream as Socket;
}
