import { type Assets, loadAssets } from '../../src/console/assets.ts';
import { frameOf, renderPage } from '../../src/console/page.ts';
import type { Reply, Route } from '../../src/console/route.ts';
import { ROUTES } from '../../src/console/routes.ts';
import { makeVisit, type VisitParts } from './fixtures.ts';

let assets: Assets | undefined;

/** The parameters that a path has, by a route's pattern; null where it does not fit. */
export function matchPath(pattern: string, path: string): Record<string, string> | null {
  const [wanted, given] = [pattern.split('/'), path.split('/')];
  if (wanted.length !== given.length) return null;
  const params: Record<string, string> = {};
  for (const [i, part] of wanted.entries()) {
    if (part.startsWith(':')) params[part.slice(1)] = decodeURIComponent(given[i]!);
    else if (part !== given[i]) return null;
  }
  return params;
}

/** What a page of the console is, without a server. */
export async function replyTo(
  path: string,
  parts: VisitParts = {},
  method: Route['method'] = 'GET',
): Promise<Reply> {
  const url = new URL(path, 'http://console');
  for (const route of ROUTES) {
    const params = route.method === method ? matchPath(route.path, url.pathname) : null;
    if (params !== null)
      return route.handle(makeVisit({ queries: Object.fromEntries(url.searchParams), ...parts, params }));
  }
  throw new Error(`no route is ${method} ${path}`);
}

/** The whole page, as a browser gets it. */
export async function renderPath(path: string, parts: VisitParts = {}): Promise<string> {
  const reply = await replyTo(path, parts);
  if (reply.kind !== 'page') throw new Error(`${path} leads to ${reply.to}`);
  assets ??= await loadAssets();
  const visit = makeVisit(parts);
  return renderPage(reply, frameOf(visit, { assets, host: 'backup-1', refreshAfterMs: 15_000 }));
}
