import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { uuidV7Source } from '../../src/core/uuid-v7.ts';
import { type AckLog, makeAckLog } from './acknowledgements.ts';
import { nowMs } from './clock.ts';
import { makeNameCache } from './public-name.ts';
import type { Address } from './relay.ts';

/** Applications: each finds the store by its public name, appends one event after the other, and writes down what it was told. */
export interface Writers {
  readonly log: AckLog;
  /** Until so many more events are acknowledged. Throws when that takes too long. */
  waitForAcks(count: number, timeoutMs: number): Promise<void>;
  /** Until an event is acknowledged by a server of this address. */
  waitForServer(host: string, timeoutMs: number): Promise<void>;
  stop(): Promise<void>;
}

export interface WritersOptions {
  readonly count: number;
  readonly name: string;
  readonly dns: Address;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  /** Between two events of one writer. */
  readonly pauseMs: number;
  /** Writers of a region that is cut off know its server by another address; nobody asks for the name then. */
  readonly at?: Address & { readonly shownAs: string };
}

const CONNECT_TIMEOUT_MS = 1000;
/** An application does not wait for ever: what has not answered by then is in doubt. */
const ANSWER_TIMEOUT_MS = 2000;
const RETRY_MS = 25;
const POLL_MS = 10;
const STREAMS_PER_WRITER = 5;

const nextId = uuidV7Source(Date.now, randomBytes);

const APPEND = `INSERT INTO eventcore_events (event_id, stream_id, event_type, event_data, metadata)
  VALUES ($1, $2, 'LabHappened', $3, '{}')`;

export function startWriters(options: WritersOptions): Writers {
  const log = makeAckLog(nowMs);
  const stopped = new AbortController();
  const state: State = { log, options, signal: stopped.signal };
  const all = Array.from({ length: options.count }, (_, i) => write(state, i));
  const wait = async (isDone: () => boolean, what: string, timeoutMs: number): Promise<void> => {
    const lateMs = performance.now() + timeoutMs;
    while (!isDone()) {
      if (performance.now() > lateMs) throw new Error(`${what} not within ${timeoutMs} ms`);
      await sleep(POLL_MS);
    }
  };
  return {
    log,
    waitForAcks: (count, timeoutMs) => {
      const wanted = acked(log) + count;
      return wait(() => acked(log) >= wanted, `${count} acknowledgements`, timeoutMs);
    },
    waitForServer: (host, timeoutMs) =>
      wait(
        () => log.all.some(({ server, ackedAtMs }) => ackedAtMs !== null && server === host),
        `a write at ${host}`,
        timeoutMs,
      ),
    stop: async () => {
      stopped.abort();
      await Promise.all(all);
    },
  };
}

interface State {
  readonly log: AckLog;
  readonly options: WritersOptions;
  readonly signal: AbortSignal;
}

function acked({ all }: AckLog): number {
  return all.reduce((sum, { ackedAtMs }) => sum + (ackedAtMs === null ? 0 : 1), 0);
}

async function write(state: State, number: number): Promise<void> {
  const { options, signal } = state;
  const names = makeNameCache(options.name, options.dns);
  while (!signal.aborted) {
    const host = options.at?.host ?? (await names.resolve().catch(() => null));
    if (host !== null) await writeTo(state, { host, number }).catch(() => undefined);
    await sleep(RETRY_MS);
  }
}

/** Until the connection fails, as it does in the end, or the writers stop. */
async function writeTo(
  { log, options, signal }: State,
  { host, number }: { readonly host: string; readonly number: number },
): Promise<void> {
  const { user, database, at } = options;
  const client = new pg.Client({
    ...{ host, port: at?.port ?? options.port, user, database },
    ...{ connectionTimeoutMillis: CONNECT_TIMEOUT_MS, query_timeout: ANSWER_TIMEOUT_MS },
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    for (let n = 0; !signal.aborted; n += 1) {
      const id = nextId();
      const acknowledge = log.send(id, at?.shownAs ?? host);
      const stream = `lab-${number}-${n % STREAMS_PER_WRITER}`;
      await client.query(APPEND, [id, stream, JSON.stringify({ writer: number, n })]);
      acknowledge();
      if (options.pauseMs > 0) await sleep(options.pauseMs);
    }
  } finally {
    await endNow(client);
  }
}

/** Politely where the server answers; else the socket is closed, whatever the other side says. */
async function endNow(client: pg.Client): Promise<void> {
  const polite = client.end().catch(() => undefined);
  await Promise.race([polite, sleep(RETRY_MS)]);
  client.connection.stream.destroy();
}
