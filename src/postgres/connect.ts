import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { BackupError, isBackupError } from '../core/errors.ts';
import type { PostgresUri } from '../core/postgres-address.ts';
import { refuseWeakAuthentication } from './authentication.ts';
import { type ConnectFailure, isFinal, summarise, TlsFailure } from './connect-failures.ts';
import { type Endpoint, endpointsOf, openSocket, requestSsl, upgrade } from './open-socket.ts';
import { passwordFor } from './password.ts';
import {
  type ConnectionSettings,
  connectionSettings,
  isSocket,
  type Place,
  type TargetSession,
} from './settings.ts';
import { whyUnsuitable } from './target-session.ts';

export interface ConnectOptions {
  /** Cuts it in whatever state it is. */
  readonly signal?: AbortSignal;
  /** What the socket is made by. */
  readonly makeSocket?: () => net.Socket;
  /** By which sessions are known in pg_stat_activity, and others must know them: what somebody else names them comes behind it. */
  readonly program: string;
  /** For the driver, stronger than the address: `options`, `replication`, … */
  readonly session?: Readonly<Record<string, string | number>>;
  /** Only there: where others of the same work are connected already. */
  readonly at?: Place;
  /** Any server will do, whatever the environment wants: it is looked at for what it is. */
  readonly takesAny?: boolean;
  /** How long each place may take where the address does not say it. */
  readonly timeoutMs: number;
  /** The address to show to people, without a password. */
  readonly shown: string;
  /** Errors in the words of whoever asks. */
  readonly explain: (error: unknown) => BackupError;
}

export interface Connected {
  readonly client: pg.Client;
  /** Where it leads, to connect there again; null where the address leaves no choice. */
  readonly place: Place | null;
}

/**
 * Opens a connection to the first server of the address that can be reached and is what the address wants, as libpq does: there is no other
 * way to a server in this program. Throws what `explain` makes of the reasons.
 */
export async function connectPostgres(uri: PostgresUri, options: ConnectOptions): Promise<Connected> {
  const settings = connectionSettings(uri);
  const failures: ConnectFailure[] = [];
  const places = options.at === undefined ? inOrder(settings) : [options.at];
  const attempt: Attempt = { settings, options, failures };
  for (const wanted of targetsOf(settings, options)) {
    for (const place of places) {
      const found = await tryPlace(attempt, place, wanted);
      if (found === null) continue;
      const isOnly = settings.places.length === 1 && found.isOnly;
      return { client: found.client, place: isOnly ? null : found.place };
    }
  }
  throw summarise(failures);
}

/** What is wanted, in the order in which all places are tried for it. */
function targetsOf(
  { targetSession }: ConnectionSettings,
  { takesAny, at }: ConnectOptions,
): readonly TargetSession[] {
  if (takesAny === true) return ['any'];
  if (targetSession !== 'prefer-standby') return [targetSession];
  return at === undefined ? ['standby', 'any'] : ['any'];
}

interface Attempt {
  readonly settings: ConnectionSettings;
  readonly options: ConnectOptions;
  readonly failures: ConnectFailure[];
}

interface Found {
  readonly client: pg.Client;
  /** With the address that answered, where the name has several. */
  readonly place: Place;
  readonly isOnly: boolean;
}

/** Null where the next place is to be tried. */
async function tryPlace(
  { settings, options, failures }: Attempt,
  place: Place,
  wanted: TargetSession,
): Promise<Found | null> {
  /** Somebody who is refused here would be refused by the next one, too. */
  const note = (error: unknown): void => {
    if (options.signal?.aborted) throw options.explain(error);
    const explained = isBackupError(error) ? named(error, options.shown) : options.explain(error);
    if (isFinal(error)) throw explained;
    failures.push({ place, error: explained });
  };
  let endpoints: Endpoint[];
  try {
    endpoints = await inTime(settings, options, () => endpointsOf(place));
  } catch (error) {
    note(error);
    return null;
  }
  for (const endpoint of settings.isInAnyOrder ? shuffled(endpoints) : endpoints) {
    try {
      const client = await inTime(settings, options, (signal) =>
        openSuitable(settings, options, endpoint, wanted, signal),
      );
      const { path, address } = endpoint;
      const isOnly = endpoints.length === 1;
      return { client, isOnly, place: path === null ? { ...place, address } : place };
    } catch (error) {
      note(error);
    }
  }
  return null;
}

/** What this room says knows no address. */
function named(error: BackupError, shown: string): BackupError {
  const { code, message, hint, facts } = error;
  if (message.startsWith(shown)) return error;
  const more = hint === null ? {} : { hint };
  return new BackupError(code, `${shown}: ${message}`, { ...more, facts, cause: error.cause ?? error });
}

/** Gives the work a signal that fires when the time of a place is over, or the caller's fires. */
async function inTime<Result>(
  { connectTimeoutMs }: ConnectionSettings,
  { timeoutMs, signal }: ConnectOptions,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const done = new AbortController();
  const ms = connectTimeoutMs ?? timeoutMs;
  const { promise: late, reject } = Promise.withResolvers<never>();
  const cut = new AbortController();
  const end = (reason: unknown): void => {
    cut.abort(reason);
    reject(reason);
  };
  const onAbort = (): void => end(signal?.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  if (signal?.aborted) onAbort();
  if (ms > 0) {
    void sleep(ms, undefined, { signal: done.signal }).then(
      // In the words of the driver, which are known as what they are.
      () => end(new Error('timeout expired')),
      () => undefined,
    );
  }
  try {
    return await Promise.race([late, work(cut.signal)]);
  } finally {
    done.abort();
    signal?.removeEventListener('abort', onAbort);
  }
}

async function openSuitable(
  settings: ConnectionSettings,
  options: ConnectOptions,
  endpoint: Endpoint,
  wanted: TargetSession,
  signal: AbortSignal,
): Promise<pg.Client> {
  const client = await openEitherWay(settings, options, endpoint, signal);
  try {
    const reason = await whyUnsuitable(client, wanted);
    if (reason === null) return client;
    throw reason;
  } catch (error) {
    client.connection.stream.destroy();
    throw error;
  }
}

/** `prefer` and `allow` take the other way where the first one fails for what the other may be free of. */
async function openEitherWay(
  settings: ConnectionSettings,
  options: ConnectOptions,
  endpoint: Endpoint,
  signal: AbortSignal,
): Promise<pg.Client> {
  const { mode } = settings.ssl;
  const first = isSocket(endpoint.place) || mode === 'disable' || mode === 'allow' ? 'plain' : 'tls';
  const isSoft = !isSocket(endpoint.place) && (mode === 'prefer' || mode === 'allow');
  try {
    return await open(settings, options, endpoint, first, signal);
  } catch (error) {
    if (!isSoft || signal.aborted || !mayGoOtherWay(error, first)) throw error;
    const second = first === 'tls' ? 'plain' : 'tls';
    return await open(settings, options, endpoint, second, signal).catch((last) => {
      // A connection that fails says less than what was wrong first.
      throw isBackupError(last) || last instanceof pg.DatabaseError ? last : error;
    });
  }
}

/** Refused by its rules for who comes how; or TLS itself could not be set up. */
function mayGoOtherWay(error: unknown, first: 'plain' | 'tls'): boolean {
  return isRefusal(error) || (first === 'tls' && error instanceof TlsFailure);
}

function isRefusal(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.code === '28000';
}

async function open(
  settings: ConnectionSettings,
  options: ConnectOptions,
  endpoint: Endpoint,
  way: 'plain' | 'tls',
  signal: AbortSignal,
): Promise<pg.Client> {
  const socket = await openSocket(endpoint, options.makeSocket ?? (() => new net.Socket()), signal);
  let stream = socket;
  try {
    if (way === 'tls') stream = await encrypt(settings, endpoint.place, socket, signal);
    const client = driverClient(settings, options, endpoint.place, stream, stream !== socket);
    await Promise.race([client.connect(), whenAborted(signal)]);
    return client;
  } catch (error) {
    stream.destroy();
    socket.destroy();
    throw error;
  }
}

async function encrypt(
  { ssl }: ConnectionSettings,
  place: Place,
  socket: net.Socket,
  signal: AbortSignal,
): Promise<net.Socket> {
  if (ssl.negotiation === 'postgres' && (await requestSsl(socket, signal)) === 'refused') {
    if (ssl.mode === 'prefer' || ssl.mode === 'allow') return socket;
    throw new BackupError(
      'store_refused',
      `the server does not offer TLS, and sslmode=${ssl.mode} asks for it`,
      {
        hint: 'turn ssl on at the server; without it all that is sent can be read on the way (sslmode=prefer allows that)',
      },
    );
  }
  try {
    return await upgrade(socket, place, ssl, signal);
  } catch (error) {
    // A network that fails is none of TLS. What may go on without tries so, whatever it was.
    const isNetwork = error instanceof Error && 'code' in error && /^E[A-Z]+$/.test(String(error.code));
    if (signal.aborted || isBackupError(error)) throw error;
    if (isNetwork && ssl.negotiation === 'direct') throw hungUp(error);
    if (isNetwork && ssl.mode !== 'prefer') throw error;
    throw new TlsFailure(`TLS: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

function hungUp(cause: unknown): BackupError {
  return new BackupError(
    'store_unreachable',
    'the server ended the connection when TLS began at once (sslnegotiation=direct)',
    {
      hint: 'try again; one older than PostgreSQL 17, or without TLS, always does so: leave sslnegotiation out there',
      cause,
    },
  );
}

function whenAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

/** The driver is told everything: what it is not told it would take from the environment, by rules of its own. */
function driverClient(
  settings: ConnectionSettings,
  { program, session = {}, timeoutMs }: ConnectOptions,
  place: Place,
  stream: net.Socket,
  isEncrypted: boolean,
): pg.Client {
  const { user, database, applicationName } = settings;
  const options = [settings.options, session.options].filter((each) => each !== null && each !== undefined);
  const client = new pg.Client({
    ...{
      user,
      database,
      host: place.host,
      port: place.port,
      ssl: false,
      sslnegotiation: 'postgres' as const,
    },
    application_name: applicationName === null ? program : `${program} ${applicationName}`,
    ...session,
    ...(options.length === 0 ? {} : { options: options.join(' ') }),
    password: passwordFor(settings, place),
    stream: () => alreadyConnected(stream),
    enableChannelBinding: isEncrypted && settings.channelBinding !== 'disable',
    keepAlive: settings.keepAlive,
    keepAliveInitialDelayMillis: settings.keepAliveIdleMs ?? KEEP_ALIVE_AFTER_MS,
    connectionTimeoutMillis: settings.connectTimeoutMs ?? timeoutMs,
  });
  // Without a listener a server that goes away would end the process; whoever uses the connection is told by its next call.
  client.on('error', () => undefined);
  refuseWeakAuthentication(client, settings, isEncrypted);
  return client;
}

const KEEP_ALIVE_AFTER_MS = 10_000;

/** The driver connects what it is given, and waits for its word. */
function alreadyConnected(stream: net.Socket): net.Socket {
  const connect = (): net.Socket => {
    process.nextTick(() => stream.emit('connect'));
    return stream;
  };
  return Object.assign(stream, { connect });
}

function inOrder({ places, isInAnyOrder }: ConnectionSettings): readonly Place[] {
  return isInAnyOrder ? shuffled(places) : places;
}

function shuffled<Item>(items: readonly Item[]): Item[] {
  return items
    .map((item) => ({ item, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}
