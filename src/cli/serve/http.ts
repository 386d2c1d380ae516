import { randomBytes } from 'node:crypto';
import { createServer as createHttpServer, type Server } from 'node:http';
import { createServer as createHttpsServer, type Server as TlsServer } from 'node:https';
import { hostname } from 'node:os';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import { type Access, makeAccess } from '../../console/access/access.ts';
import { type Audit, makeAudit } from '../../console/access/audit.ts';
import { makeLimit } from '../../console/access/limits.ts';
import { askedOf } from '../../console/access/mounted.ts';
import { isLoopback, limitKey } from '../../console/access/peers.ts';
import { loadAssets } from '../../console/assets.ts';
import { mountConsole, secured } from '../../console/mount.ts';
import type { ConsolePorts } from '../../console/ports.ts';
import { makeRefreshRate } from '../../console/refresh-rate.ts';
import { ROUTES } from '../../console/routes.ts';
import { BackupError } from '../../core/errors.ts';
import { addHealth } from '../../daemon/http.ts';
import type { MetricSources } from '../../daemon/metric-family.ts';
import { makeMetrics } from '../../daemon/metrics.ts';
import type { Registry } from '../../daemon/registry.ts';
import type { Log } from '../log.ts';
import { accessWarnings, type HttpSettings } from './access.ts';
import { followTls, MIN_TLS_VERSION, readTls } from './tls.ts';

export interface HttpOptions extends Omit<MetricSources, 'jobs' | 'now'> {
  /** As `127.0.0.1:8321`. */
  readonly address: string;
  readonly settings: HttpSettings;
  readonly registry: Registry;
  /** What pages are made of. */
  readonly ports: Omit<ConsolePorts, 'audit'>;
  readonly log: Log;
  /** How often the files of TLS are looked at; left out: every few seconds. */
  readonly lookMs?: number;
}

export interface OpenServer {
  /** With the port that it got. */
  readonly address: string;
  /** From now on. What needs another start is logged. */
  readonly configure: (settings: HttpSettings) => void;
  close(): Promise<void>;
}

/** Throws `usage` where nothing can be listened on, `config_invalid` where the certificate cannot be used. */
export async function openHttp(options: HttpOptions): Promise<OpenServer> {
  const { settings, log, lookMs } = options;
  const { host, port } = splitAddress(options.address);
  let current = settings;
  let bound = { address: '', host };
  const nowMs = (): number => performance.now();
  const access = makeAccess({ config: settings.access, bound: () => bound, random: randomBytes, nowMs });
  const audit = makeAudit({
    now: Date.now,
    // Whatever the level of the log: it may be the only place that keeps it.
    log: ({ who, from, action, subject, outcome }) =>
      log.tell(`audit: ${who} from ${from}: ${action} ${subject}: ${outcome}`, {
        ...{ who, from, action, subject, outcome },
      }),
    logTrouble: (message) => log.error(message),
    file: () => access.config().auditLog,
  });
  const app = await makeApp(options, access, audit);
  const server = await makeServer(app, current);
  await listen(server, options.address, { host, port });
  const info = server.address() as { readonly address: string; readonly port: number };
  bound = { address: info.address, host };
  for (const warning of accessWarnings(settings.access, info.address)) log.warn(warning);
  const stopFollowing =
    settings.tls === null
      ? undefined
      : followTls(server as TlsServer, () => current.tls ?? settings.tls!, {
          log,
          ...(lookMs === undefined ? {} : { lookMs }),
        });
  return {
    address: `${options.address.slice(0, options.address.lastIndexOf(':'))}:${info.port}`,
    configure: (changed) => {
      const isOther = (changed.tls === null) !== (current.tls === null);
      if (isOther) log.error('TLS is turned on or off: start the daemon anew for that');
      current = isOther ? { ...changed, tls: current.tls } : changed;
      access.configure({ ...changed.access, hasTls: current.tls !== null });
    },
    close: async () => {
      stopFollowing?.();
      await closeServer(server);
      await audit.settled();
    },
  };
}

function splitAddress(address: string): { readonly host: string; readonly port: number } {
  const split = address.lastIndexOf(':');
  return { host: address.slice(0, split).replace(/^\[|\]$/g, ''), port: Number(address.slice(split + 1)) };
}

async function makeApp(options: HttpOptions, access: Access, audit: Audit): Promise<Hono> {
  const { registry, ports, log } = options;
  const app = new Hono();
  app.use(secured(access));
  addHealth(app, {
    views: registry.views,
    metrics: makeMetrics({ ...options, jobs: registry.views, now: Date.now }),
    isLocal: (context) => access.isLocal(askedOf(context)),
    mayReadMetrics: (context) => access.mayReadMetrics(askedOf(context)),
  });
  mountConsole(app, {
    ...{ ports: { ...ports, audit: audit.entries }, access, audit, routes: ROUTES },
    ...{ assets: await loadAssets(), host: hostname(), refresh: makeRefreshRate(Math.random) },
    refusals: makeLimit({ burst: 60, perMinute: 30, maxKeys: 1, nowMs: () => performance.now() }),
    logError: (message, fields) => log.error(message, fields),
  });
  return app;
}

/** More than a thousand who look at it, each with the few connections of a browser now and then; and far less than would leave no files for jobs. */
const MOST_CONNECTIONS = 4096;
const MOST_OF_ONE_PEER = 2048;
/** Who sends a request has to send it within this. */
const LIMITS = {
  headersTimeout: 10_000,
  requestTimeout: 20_000,
  keepAliveTimeout: 15_000,
  connectionsCheckingInterval: 2000,
};
/** Who does not take an answer. */
const STALLED_MS = 60_000;

async function makeServer(app: Hono, { tls }: HttpSettings): Promise<Server | TlsServer> {
  const listener = getRequestListener(app.fetch);
  const server =
    tls === null
      ? createHttpServer(LIMITS, listener)
      : createHttpsServer(
          { ...LIMITS, ...(await readTls(tls)), minVersion: MIN_TLS_VERSION, handshakeTimeout: 10_000 },
          listener,
        );
  server.maxConnections = MOST_CONNECTIONS;
  server.setTimeout(STALLED_MS, (socket) => socket.destroy());
  const open = new Map<string, number>();
  server.on('connection', (socket) => {
    const key = limitKey(socket.remoteAddress ?? '');
    const count = (open.get(key) ?? 0) + 1;
    open.set(key, count);
    socket.once('close', () => {
      const left = open.get(key)! - 1;
      if (left === 0) open.delete(key);
      else open.set(key, left);
    });
    if (count > MOST_OF_ONE_PEER && !isLoopback(socket.remoteAddress ?? '')) socket.destroy();
  });
  return server;
}

function listen(
  server: Server | TlsServer,
  address: string,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) =>
      reject(
        new BackupError('usage', `${address} cannot be listened on: ${cause.code ?? cause.message}`, {
          hint: 'name another with --listen host:port',
          cause,
        }),
      ),
    );
    server.listen({ host, port }, () => resolve());
  });
}

/** Answers that are under way are given; who does not take theirs is not waited for. */
const CLOSE_MS = 1000;

function closeServer(server: Server | TlsServer): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => server.closeAllConnections(), CLOSE_MS);
    server.close(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
