import type { Who } from '../route.ts';
import { type AccessConfig, isUnconfigured } from './config.ts';
import { type FormTokens, makeFormTokens } from './form-tokens.ts';
import { type Limit, makeLimit } from './limits.ts';
import { hostOf, isLoopback, isLoopbackHost, limitKey } from './peers.ts';
import { makeProxyReader, type ProxyUser } from './proxy-user.ts';
import { type Asked, isForwarded, type Refusal, refusal } from './request.ts';
import { isSameSite } from './same-site.ts';
import { makeSessions, type Sessions } from './sessions.ts';
import { findToken, isToken, TOKEN_PREFIX, type TokenEntry } from './tokens.ts';

/** Who may see and do what. All of it is decided here, on what is in memory; pages are only handled once it is. */
export interface Access {
  readonly config: () => AccessConfig;
  /** From now on; sessions of tokens that are gone end. */
  readonly configure: (config: AccessConfig) => void;
  /** Why nothing at all is answered to this; null: it may ask. */
  readonly refuseEntry: (asked: Asked) => Refusal | null;
  readonly identify: (asked: Asked, sessionId: string | null) => Identity | Refusal;
  /** It is on this host, and nothing stands between: what is wrong, and metrics, are for it to read. */
  readonly isLocal: (asked: Asked) => boolean;
  /** Numbers that programs collect: this host, or whoever has a token. */
  readonly mayReadMetrics: (asked: Asked) => boolean;
  readonly formTokens: FormTokens;
  /** Why a form is not taken; null: it was sent by who got it. */
  readonly refuseForm: (asked: Asked, subject: string, formToken: string | null) => Refusal | null;
  /** Gives the id of a new session. */
  readonly logIn: (
    asked: Asked,
    token: string,
  ) => Refusal | { readonly id: string; readonly entry: TokenEntry };
  readonly logOut: (sessionId: string) => void;
}

/** Who a request is from. */
export interface Identity {
  /** `host`: somebody who is on it, where nobody can log in; `nobody`: they have to. */
  readonly kind: 'nobody' | 'host' | 'session' | 'bearer' | 'proxy';
  /** Null for nobody. */
  readonly who: Who | null;
  /** What their forms are bound to. */
  readonly subject: string;
}

export interface AccessPorts {
  readonly config: AccessConfig;
  /** What is listened on: the address itself, and the name as configured. */
  readonly bound: () => { readonly address: string; readonly host: string };
  readonly random: (bytes: number) => Uint8Array;
  /** A clock that is not set. */
  readonly nowMs: () => number;
}

const NOBODY: Identity = { kind: 'nobody', who: null, subject: 'nobody' };
const ON_THIS_HOST: Identity = {
  kind: 'host',
  who: { name: 'somebody on this host', role: 'viewer', canLogOut: false },
  subject: 'host',
};
const MAKE_ONE = 'make a token with `eventcore tokens generate` (docs/access.md)';

interface State {
  readonly ports: AccessPorts;
  readonly sessions: Sessions;
  readonly forms: FormTokens;
  /** Of wrong tokens, by address and in all; of any request. */
  readonly limits: { readonly wrong: Limit; readonly allWrong: Limit; readonly requests: Limit };
  config: AccessConfig;
  readProxy: (asked: Asked) => ProxyUser;
}

export function makeAccess(ports: AccessPorts): Access {
  const { nowMs, random, config } = ports;
  const state: State = {
    ports,
    config,
    sessions: makeSessions({ random, nowMs }),
    forms: makeFormTokens(random(32)),
    limits: {
      wrong: makeLimit({ burst: 10, perMinute: 6, maxKeys: 10_000, nowMs }),
      allWrong: makeLimit({ burst: 100, perMinute: 120, maxKeys: 1, nowMs }),
      // Thousands may look through one proxy.
      requests: makeLimit({ burst: 10_000, perMinute: 60_000, maxKeys: 10_000, nowMs }),
    },
    readProxy: makeProxyReader(config.proxy),
  };
  return {
    config: () => state.config,
    configure: (changed) => {
      state.config = changed;
      state.readProxy = makeProxyReader(changed.proxy);
      state.sessions.keepOnly(new Set(changed.tokens.map(({ hash }) => hash)));
    },
    refuseEntry: (asked) => refuseEntry(state, asked),
    identify: (asked, sessionId) => identify(state, asked, sessionId),
    isLocal: (asked) => isLocal(state, asked),
    mayReadMetrics: (asked) => isLocal(state, asked) || isKnown(identify(state, asked, null)),
    formTokens: state.forms,
    refuseForm: (asked, subject, formToken) => refuseForm(state, asked, subject, formToken),
    logIn: (asked, token) => logIn(state, asked, token),
    logOut: state.sessions.end,
  };
}

function refuseEntry(state: State, asked: Asked): Refusal | null {
  const waitMs = state.limits.requests.take(limitKey(asked.peer));
  if (waitMs !== null) return { ...refusal(429, 'too many requests'), retryAfterMs: waitMs };
  if (!isUnconfigured(state.config)) return null;
  // As if there were nothing: what it could be is nobody's business.
  if (!isLoopback(state.ports.bound().address) || !isLoopback(asked.peer)) return refusal(404, 'not found');
  if (isForwarded(asked)) {
    return refusal(403, 'this came through a proxy, and nobody can log in', `${MAKE_ONE}, or name the proxy`);
  }
  if (isOwnHost(state, asked)) return null;
  return refusal(421, 'this is another host', 'open it as localhost');
}

/** A page of somebody else's can be made to lead here by their name servers; its name stays theirs. */
function isOwnHost({ ports, config }: State, asked: Asked): boolean {
  const host = hostOf(asked.header('host') ?? '');
  if (host === null) return false;
  const { address, host: name } = ports.bound();
  const bracketed = address.includes(':') ? `[${address}]` : address;
  const { publicOrigin } = config;
  const named = [
    name.toLowerCase(),
    bracketed,
    ...(publicOrigin === null ? [] : [new URL(publicOrigin).hostname]),
  ];
  return isLoopbackHost(host) || named.includes(host);
}

function isLocal(state: State, asked: Asked): boolean {
  return isLoopback(asked.peer) && !isForwarded(asked) && isOwnHost(state, asked);
}

/** By a token or a proxy: where nobody can log in, it is `isLocal` that says who is on this host. */
function isKnown(identity: Identity | Refusal): boolean {
  return 'who' in identity && identity.who !== null && identity.kind !== 'host';
}

function identify(state: State, asked: Asked, sessionId: string | null): Identity | Refusal {
  const user = state.readProxy(asked);
  const token = bearerOf(asked);
  // A proxy may pass on a token of its own, which says nothing here.
  if (token !== null && (user.state === 'none' || token.startsWith(TOKEN_PREFIX))) {
    const bearer = byToken(state, asked, token);
    const isMixed = 'who' in bearer && asked.header('cookie') !== null && asked.method === 'POST';
    return isMixed ? refusal(403, 'a token and a cookie came together', 'send the token alone') : bearer;
  }
  if (isUnconfigured(state.config)) return ON_THIS_HOST;
  if (user.state === 'refused') {
    return refusal(403, 'none of your groups may get in here', 'ask who keeps `serve.access.proxy` for one');
  }
  if (user.state === 'known') {
    const { name, role } = user;
    return { kind: 'proxy', who: { name, role, canLogOut: false }, subject: `proxy ${name}` };
  }
  return (sessionId === null ? null : bySession(state, sessionId)) ?? NOBODY;
}

function bySession(state: State, sessionId: string): Identity | null {
  const session = state.sessions.find(sessionId);
  const entry = state.config.tokens.find(({ hash }) => hash === session?.tokenHash);
  if (session === null || entry === undefined) return null;
  const { name, role } = entry;
  return { kind: 'session', who: { name, role, canLogOut: true }, subject: `session ${session.key}` };
}

/** Null where none came. */
function bearerOf(asked: Asked): string | null {
  return /^bearer +(.*)$/i.exec(asked.header('authorization') ?? '')?.[1]?.trim() ?? null;
}

function byToken(state: State, asked: Asked, token: string): Identity | Refusal {
  const entry = findToken(token, state.config.tokens);
  if (entry === null) return wrongToken(state, asked, token);
  const { name, role } = entry;
  return { kind: 'bearer', who: { name, role, canLogOut: false }, subject: `token ${name}` };
}

/** A right token is always let in, so nobody is locked out by what others try: 256 random bits are not found by trying, whatever the rate. */
function wrongToken({ limits }: State, asked: Asked, token: string): Refusal {
  const waitMs = limits.wrong.take(limitKey(asked.peer)) ?? limits.allWrong.take('all');
  if (waitMs !== null) {
    return { ...refusal(429, 'too many wrong tokens', 'wait, then try again'), retryAfterMs: waitMs };
  }
  if (isToken(token)) return refusal(401, 'this token is not known', MAKE_ONE);
  return refusal(401, 'this is no token, or not all of one', `copy it whole: it begins with ${TOKEN_PREFIX}`);
}

function refuseForm(
  { forms, config }: State,
  asked: Asked,
  subject: string,
  formToken: string | null,
): Refusal | null {
  const again = 'open the page again, and send it from there';
  if (!isSameSite(asked, config.publicOrigin)) {
    return refusal(403, 'this was not sent from a page of this console', again);
  }
  return forms.isOf(subject, formToken) ? null : refusal(403, 'this page is out of date', again);
}

function logIn(
  state: State,
  asked: Asked,
  token: string,
): Refusal | { readonly id: string; readonly entry: TokenEntry } {
  const given = token.trim();
  const entry = findToken(given, state.config.tokens);
  return entry === null ? wrongToken(state, asked, given) : { id: state.sessions.begin(entry), entry };
}
