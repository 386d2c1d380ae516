/** The console's door, with what it guards counted: who comes is made up, and no socket is opened. */
import { randomBytes } from 'node:crypto';
import { Hono } from 'hono';
import { html } from 'hono/html';
import { type Access, makeAccess } from '../../src/console/access/access.ts';
import { type Audit, makeAudit } from '../../src/console/access/audit.ts';
import type { AccessConfig } from '../../src/console/access/config.ts';
import { makeLimit } from '../../src/console/access/limits.ts';
import { askedOf } from '../../src/console/access/mounted.ts';
import { hashToken, makeToken } from '../../src/console/access/tokens.ts';
import { loadAssets } from '../../src/console/assets.ts';
import { mountConsole, secured } from '../../src/console/mount.ts';
import type { AuditEntry, ConsoleActions, ConsolePorts } from '../../src/console/ports.ts';
import { makeRefreshRate } from '../../src/console/refresh-rate.ts';
import type { Route } from '../../src/console/route.ts';
import { addHealth } from '../../src/daemon/http.ts';

export const ALICE = makeToken(randomBytes(32));
export const VICTOR = makeToken(randomBytes(32));

/** Alice is an operator, Victor a viewer; a proxy at 10.1.0.0/16 logs others in. */
export const WITH_ACCESS: AccessConfig = {
  tokens: [
    { name: 'alice', role: 'operator', hash: hashToken(ALICE) },
    { name: 'victor', role: 'viewer', hash: hashToken(VICTOR) },
  ],
  proxy: {
    ...{
      from: ['10.1.0.0/16', 'fd00::/8'],
      userHeader: 'X-Forwarded-User',
      groupsHeader: 'X-Forwarded-Groups',
    },
    ...{ operators: ['dba'], viewers: ['staff'] },
  },
  ...{ publicOrigin: null, hasTls: false, auditLog: null },
};

export const WITHOUT_ACCESS: AccessConfig = { ...WITH_ACCESS, tokens: [], proxy: null };

/** One of each kind, so that what is asked of every route is asked of each kind even where the console has none. */
export const SAMPLE_ROUTES: readonly Route[] = [
  { method: 'GET', path: '/sample', role: 'viewer', handle: () => page('sample') },
  { method: 'GET', path: '/sample/secret', role: 'operator', handle: () => page('secret') },
  {
    ...{ method: 'POST', path: '/sample/:store/backup', role: 'operator' },
    handle: ({ ports, param }) => {
      ports.actions.runJob(param('store'), 'full', 'whoever');
      return { kind: 'redirect', to: '/sample' };
    },
  },
  {
    ...{ method: 'GET', path: '/sample/acting', role: 'operator' },
    handle: ({ ports }) => {
      ports.actions.runJob('shop', 'full', 'whoever');
      return page('acted');
    },
  },
];

function page(text: string) {
  const body = html`<p>${text}</p>`;
  return { kind: 'page', title: text, section: null, store: null, body } as const;
}

export interface DoorOptions {
  readonly config?: AccessConfig;
  readonly routes?: readonly Route[];
  readonly bound?: { readonly address: string; readonly host: string };
  /** So many refusals are put on record at once. */
  readonly refusalsAtOnce?: number;
  /** What pages are made of beside actions. */
  readonly ports?: Partial<Omit<ConsolePorts, 'actions' | 'audit'>>;
}

export interface AskOptions {
  readonly method?: string;
  readonly peer?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | ReadableStream<Uint8Array>;
}

export interface Door {
  readonly ask: (path: string, options?: AskOptions) => Promise<Response>;
  /** Cookie of a new session. */
  readonly logIn: (token: string, options?: AskOptions) => Promise<string>;
  /** Headers and body of a form that is taken from who has this cookie. */
  readonly form: (cookie: string, fields?: Readonly<Record<string, string>>) => Promise<AskOptions>;
  readonly access: Access;
  readonly audit: Audit;
  /** Routes whose handler was called. */
  readonly handled: string[];
  /** Actions that were carried out, with the name of who asked. */
  readonly acted: string[];
  readonly errors: string[];
  readonly logged: AuditEntry[];
  readonly clock: { ms: number };
}

export const HOST = '127.0.0.1:8321';

export async function makeDoor(options: DoorOptions = {}): Promise<Door> {
  const {
    config = WITH_ACCESS,
    routes = SAMPLE_ROUTES,
    bound = { address: '127.0.0.1', host: 'localhost' },
  } = options;
  const clock = { ms: 1_000_000 };
  const nowMs = (): number => clock.ms;
  const [handled, acted, errors, logged]: [string[], string[], string[], AuditEntry[]] = [[], [], [], []];
  const access = makeAccess({ config, bound: () => bound, random: randomBytes, nowMs });
  const audit = makeAudit({
    now: () => Date.parse('2026-11-29T12:00:00Z') + clock.ms,
    log: (entry) => logged.push(entry),
    logTrouble: (message) => errors.push(message),
    file: () => access.config().auditLog,
  });
  const ports: ConsolePorts = {
    ...{ stores: () => [], operations: () => [], now: () => clock.ms, software: 'eventcore-backup test' },
    look: () => undefined,
    ask: () => Promise.resolve({ state: 'busy' }),
    ...options.ports,
    ...{ actions: countingActions(acted), audit: audit.entries },
  };
  const app = new Hono();
  app.use(secured(access));
  addHealth(app, {
    views: () => [],
    metrics: { contentType: 'text/plain', render: () => Promise.resolve('eventcore_up 1\n') },
    isLocal: (context) => access.isLocal(askedOf(context)),
    mayReadMetrics: (context) => access.mayReadMetrics(askedOf(context)),
  });
  mountConsole(app, {
    ...{
      ports,
      access,
      audit,
      assets: await loadAssets(),
      host: 'test',
      refresh: makeRefreshRate(() => 0.5),
    },
    routes: routes.map((route) => ({
      ...route,
      handle: (visit) => {
        handled.push(`${route.method} ${route.path}`);
        return route.handle(visit);
      },
    })),
    refusals: makeLimit({ burst: options.refusalsAtOnce ?? 1000, perMinute: 1, maxKeys: 1, nowMs }),
    logError: (message, { error }) => errors.push(`${message}: ${error}`),
  });
  const ask: Door['ask'] = async (path, { method = 'GET', peer = '127.0.0.1', headers = {}, body } = {}) =>
    app.request(
      `http://${HOST}${path}`,
      {
        method,
        headers: { host: HOST, ...headers },
        ...(body === undefined ? {} : { body, duplex: 'half' }),
      },
      { incoming: { socket: { remoteAddress: peer } } },
    );
  return { ask, ...browser(ask, routes), access, audit, handled, acted, errors, logged, clock };
}

function countingActions(acted: string[]): ConsoleActions {
  return {
    runJob: (store, job, who) => {
      acted.push(`run ${job} of ${store} for ${who}`);
      return 'asked';
    },
    restore: ({ store }, who) => {
      acted.push(`restore ${store} for ${who}`);
      return { state: 'started', operationId: '1' };
    },
    verify: (store, backupId, who) => {
      acted.push(`verify ${backupId} of ${store} for ${who}`);
      return { state: 'started', operationId: '1' };
    },
    cancel: (operationId, who) => {
      acted.push(`cancel ${operationId} for ${who}`);
      return 'cancelled';
    },
  };
}

export const FORM = 'application/x-www-form-urlencoded';
/** What a browser says of a form that was sent from the page itself. */
export const SAME_ORIGIN = { 'sec-fetch-site': 'same-origin', 'content-type': FORM, accept: 'text/html' };

function browser(ask: Door['ask'], routes: readonly Route[]): Pick<Door, 'logIn' | 'form'> {
  const tokenIn = (text: string): string => /name="form_token" value="([^"]*)"/.exec(text)?.[1] ?? '';
  const any = routes.find(({ method, path }) => method === 'GET' && !path.includes(':'))?.path ?? '/';
  return {
    logIn: async (token, options = {}) => {
      const shown = await ask('/log-in', {
        ...options,
        headers: { accept: 'text/html', ...options.headers },
      });
      const cookie = cookieOf(shown);
      const body = new URLSearchParams({ token, form_token: tokenIn(await shown.text()) }).toString();
      const headers = { ...SAME_ORIGIN, ...options.headers, cookie };
      const response = await ask('/log-in', { ...options, method: 'POST', headers, body });
      if (response.status !== 303) throw new Error(`not logged in: ${response.status}`);
      return cookieOf(response);
    },
    form: async (cookie, fields = {}) => {
      // Every page of who can log out has a form for that.
      const shown = await ask(any, { headers: { accept: 'text/html', cookie } });
      const form_token = tokenIn(await shown.text());
      const body = new URLSearchParams({ form_token, ...fields }).toString();
      return { method: 'POST', headers: { ...SAME_ORIGIN, cookie }, body };
    },
  };
}

/** Name and value of the cookie that an answer sets last. */
export function cookieOf(response: Response): string {
  return response.headers.getSetCookie().at(-1)?.split(';')[0] ?? '';
}

/** An address of the route, with something in each place. */
export function addressOf({ path }: Pick<Route, 'path'>): string {
  return path.replace(/:[A-Za-z]+(\{[^}]*\})?\??/g, 'shop').replace(/\*/g, 'x');
}
