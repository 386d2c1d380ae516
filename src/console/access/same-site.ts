import { hostOf } from './peers.ts';
import type { Asked } from './request.ts';

/**
 * Whether a form was sent from a page of this console. Browsers say where a request comes from in `Sec-Fetch-Site`, and where they do not (no TLS, or
 * an old one), in `Origin`. What says neither is no browser's form.
 */
export function isSameSite({ header }: Asked, publicOrigin: string | null): boolean {
  const site = header('sec-fetch-site');
  if (site !== null) return site === 'same-origin' || site === 'none';
  const origin = header('origin');
  if (origin === null) return false;
  return origin === publicOrigin || isOriginOf(origin, header('host'));
}

function isOriginOf(origin: string, host: string | null): boolean {
  if (host === null || hostOf(host) === null) return false;
  const [, authority] = /^https?:\/\/(.+)$/.exec(origin) ?? [];
  return authority !== undefined && authority.toLowerCase() === host.toLowerCase();
}

/** Somebody followed a link from elsewhere: their cookie was kept back, since it is `SameSite=Strict`. */
export function isLinkFromElsewhere({ method, header }: Asked): boolean {
  const site = header('sec-fetch-site');
  const isElsewhere = site === 'cross-site' || site === 'same-site';
  return method === 'GET' && isElsewhere && header('sec-fetch-mode') === 'navigate';
}
