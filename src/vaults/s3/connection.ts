import type { Agent } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { S3 } from '@aws-sdk/client-s3';
import { BackupError } from '../../core/errors.ts';
import type { S3Address } from './address.ts';
import { isThrottled, isWorthAnother, toVaultError } from './errors.ts';
import type { Credentials, Limits } from './options.ts';

/** A bucket that is asked. */
export interface Connection {
  readonly at: S3Address;
  readonly s3: S3;
  readonly limits: Limits;
  /** Milliseconds since 1970 by the server's clock, as far as its answers told. */
  readonly now: () => number;
  /** Fires when the vault is closed. */
  readonly closed: AbortSignal;
}

const MAX_PAUSE_MS = 10_000;
const BUSY_FACTOR = 5;
/** More than are ever used at once: who waits for a socket would count as who cannot connect. */
const MAX_SOCKETS = 256;

/** Throws `config_invalid` when the client is not installed. Nothing is asked yet. */
export async function connect(
  at: S3Address,
  { limits, closed }: Pick<Connection, 'limits' | 'closed'>,
  credentials: Credentials | undefined,
  load: Load = () => import('@aws-sdk/client-s3'),
): Promise<Connection> {
  const [{ S3 }, http, https] = await Promise.all([
    loadClient(load),
    import('node:http'),
    import('node:https'),
  ]);
  const agent = { keepAlive: true, maxSockets: MAX_SOCKETS };
  // Another server has no regions, or only this one.
  const region = at.region ?? (at.endpoint === null ? null : 'us-east-1');
  const s3 = new S3({
    ...(region === null ? {} : { region }),
    ...(at.endpoint === null ? {} : { endpoint: at.endpoint }),
    ...(credentials === undefined ? {} : { credentials }),
    forcePathStyle: at.forcePathStyle,
    followRegionRedirects: true,
    // Attempts are counted here, so that an answer that breaks off counts as well.
    maxAttempts: 1,
    // Other servers do not understand the checksums that the client would make up.
    ...{ requestChecksumCalculation: 'WHEN_REQUIRED', responseChecksumValidation: 'WHEN_REQUIRED' },
    // It would cost each part a connection of its own.
    expectContinueHeader: false,
    requestHandler: {
      socketTimeout: limits.silenceMs,
      httpAgent: limitConnecting(new http.Agent(agent), limits.connectMs),
      httpsAgent: limitConnecting(new https.Agent(agent), limits.connectMs),
    },
  });
  return { at, s3, limits, now: () => Date.now() + s3.config.systemClockOffset, closed };
}

/**
 * The client's own limit leaves a timer behind when a request is given up before there was a connection, and a program that has done its
 * work waits for that to run out.
 */
function limitConnecting<Kind extends Agent>(agent: Kind, connectMs: number): Kind {
  const create = agent.createConnection.bind(agent);
  agent.createConnection = (options, callback) => {
    const socket = create(options, callback);
    const timer = setTimeout(() => socket?.destroy(notConnected(connectMs)), connectMs).unref();
    const isOver = () => clearTimeout(timer);
    socket?.once('connect', isOver).once('close', isOver);
    return socket;
  };
  return agent;
}

/** As the client calls it. */
function notConnected(connectMs: number): Error {
  return Object.assign(new Error(`no connection within ${connectMs} ms`), { name: 'TimeoutError' });
}

type Load = () => Promise<typeof import('@aws-sdk/client-s3')>;

async function loadClient(load: Load): ReturnType<Load> {
  try {
    return await load();
  } catch (cause) {
    throw new BackupError('config_invalid', 'the client of S3 is not installed', {
      hint: 'npm install @aws-sdk/client-s3, where eventcore-backup is installed',
      cause,
    });
  }
}

/** The key of an object. */
export function keyOf({ at }: Connection, name: string): { Bucket: string; Key: string } {
  return { Bucket: at.bucket, Key: `${at.root}${name}` };
}

export interface AskOptions {
  /** No attempt goes on for longer than that from now. */
  readonly withinMs?: number;
  readonly attempts?: number;
}

/**
 * One thing asked of the server, again and again while that may help, with longer and longer pauses of random length. What a
 * failed `send` left half done must not matter to the next. Throws a BackupError that says what was being done.
 */
export async function ask<Answer>(
  connection: Connection,
  doing: string,
  send: (abortSignal: AbortSignal) => Promise<Answer>,
  { withinMs = Number.POSITIVE_INFINITY, attempts = connection.limits.attempts }: AskOptions = {},
): Promise<Answer> {
  const { limits, closed } = connection;
  const begunAtMs = performance.now();
  for (let attempt = 1; ; attempt += 1) {
    const leftMs = begunAtMs + withinMs - performance.now();
    try {
      return await within(Math.max(1, Math.min(limits.requestMs, leftMs)), closed, send);
    } catch (error) {
      const isLate = performance.now() - begunAtMs > Math.min(limits.callMs, withinMs);
      if (attempt >= attempts || isLate || closed.aborted || !isWorthAnother(error)) {
        throw toVaultError(error, doing);
      }
      await pauseUnless(closed, pauseAfter(attempt, limits.pauseMs, isThrottled(error)));
    }
  }
}

async function within<Answer>(
  timeoutMs: number,
  closed: AbortSignal,
  send: (abortSignal: AbortSignal) => Promise<Answer>,
): Promise<Answer> {
  const controller = new AbortController();
  const stop = () => controller.abort();
  const timer = setTimeout(stop, timeoutMs);
  closed.addEventListener('abort', stop, { once: true });
  // Closed while it waited for its next attempt: nothing may keep a program from ending.
  if (closed.aborted) stop();
  try {
    return await send(controller.signal);
  } finally {
    clearTimeout(timer);
    closed.removeEventListener('abort', stop);
  }
}

/** Ends early when the vault is closed; what comes next hears of that. */
async function pauseUnless(closed: AbortSignal, ms: number): Promise<void> {
  await delay(ms, undefined, { signal: closed }).catch(() => undefined);
}

/** Random: those who failed together must not come back together. */
function pauseAfter(attempt: number, pauseMs: number, isBusy: boolean): number {
  const longest = pauseMs * (isBusy ? BUSY_FACTOR : 1) * 2 ** (attempt - 1);
  return Math.random() * Math.min(longest, MAX_PAUSE_MS);
}
