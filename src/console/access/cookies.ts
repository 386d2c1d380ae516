import type { Context } from 'hono';
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import type { Access } from './access.ts';
import { isSecure } from './config.ts';
import { SESSION_LONGEST_MS } from './sessions.ts';

/** `log-in`: of who has not logged in yet, so that nobody logs somebody else in as themselves. */
export type CookieKind = 'session' | 'log-in';

/** Browsers keep the cookies of all ports of a name together: daemons that are reached by tunnels are all on localhost. */
function nameOf(context: Context, kind: CookieKind): string {
  const port = /:(\d{1,5})$/.exec(context.req.header('host') ?? '')?.[1];
  return port === undefined ? `eventcore-${kind}` : `eventcore-${kind}-${port}`;
}

/** With TLS the name begins with `__Host-`, which browsers take from this very host and over TLS only. */
function optionsOf(access: Access) {
  const common = { path: '/', httpOnly: true, sameSite: 'Strict' } as const;
  return isSecure(access.config()) ? { ...common, secure: true, prefix: 'host' as const } : common;
}

export function readCookie(access: Access, context: Context, kind: CookieKind): string | null {
  const name = nameOf(context, kind);
  const value = isSecure(access.config()) ? getCookie(context, name, 'host') : getCookie(context, name);
  return value === undefined || value === '' || value.length > 200 ? null : value;
}

export function writeCookie(access: Access, context: Context, kind: CookieKind, value: string): void {
  const maxAge = kind === 'session' ? { maxAge: SESSION_LONGEST_MS / 1000 } : {};
  setCookie(context, nameOf(context, kind), value, { ...optionsOf(access), ...maxAge });
}

export function removeCookie(access: Access, context: Context, kind: CookieKind): void {
  const { prefix, ...options } = { prefix: undefined, ...optionsOf(access) };
  deleteCookie(context, `${prefix === 'host' ? '__Host-' : ''}${nameOf(context, kind)}`, options);
}
