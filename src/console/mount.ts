import type { Context, Hono, MiddlewareHandler } from 'hono';
import type { Access } from './access/access.ts';
import { answerRoute, identifyRequest, refuseNobody } from './access/answer-route.ts';
import { answerBriefly, answerFailure, answerRefusal } from './access/answers.ts';
import { isSecure } from './access/config.ts';
import { securityHeaders } from './access/headers.ts';
import { mountLogIn } from './access/log-in.ts';
import { askedOf, type Mounted } from './access/mounted.ts';
import { hostOf, isLoopbackHost } from './access/peers.ts';
import { refusal } from './access/request.ts';
import type { Route } from './route.ts';

/** Headers for every answer, health and failures too. Stands before everything else. */
export function secured(access: Access): MiddlewareHandler {
  return async (context, next) => {
    await next();
    const host = hostOf(context.req.header('host') ?? '') ?? '';
    // Browsers hold it of a name with all of its ports: what else runs on somebody's own host is none of ours.
    const headers = securityHeaders(isSecure(access.config()) && !isLoopbackHost(host));
    for (const [name, value] of Object.entries(headers)) context.header(name, value);
    if (!context.res.headers.has('cache-control')) context.header('cache-control', 'no-store');
  };
}

/** Puts the console under `/`. What was added to `app` before is answered without any of this. */
export function mountConsole(app: Hono, mounted: Mounted): void {
  const { access, assets, routes } = mounted;
  app.onError((error, context) => answerFailure(mounted, context, error, null));
  app.use(async (context, next) => {
    const refused = access.refuseEntry(askedOf(context));
    return refused === null ? next() : answerBriefly(context, refused);
  });
  const forGood = { 'cache-control': 'public, max-age=31536000, immutable' };
  for (const { path, body, contentType } of assets.byPath.values()) {
    app.get(path, (context) => context.body(body, 200, { 'content-type': contentType, ...forGood }));
  }
  mountLogIn(app, mounted);
  for (const [path, methods] of byPath(routes)) {
    app.all(path, async (context: Context, next) => {
      const { method } = context.req;
      const route = methods.get(method === 'HEAD' ? 'GET' : method);
      if (route !== undefined) return answerRoute(mounted, route, context);
      context.set('allowed', [...allowedOf(context), ...methods.keys()]);
      return next();
    });
  }
  app.all('*', (context) => answerNothing(mounted, context));
}

function byPath(routes: readonly Route[]): Map<string, Map<string, Route>> {
  const paths = new Map<string, Map<string, Route>>();
  for (const route of routes) {
    const methods = paths.get(route.path) ?? new Map<string, Route>();
    paths.set(route.path, methods.set(route.method, route));
  }
  return paths;
}

/** Methods that the path has been found to take. */
function allowedOf(context: Context): readonly string[] {
  return (context.get('allowed') as readonly string[] | undefined) ?? [];
}

/** Which pages there are is not for whoever may not see any. */
function answerNothing(mounted: Mounted, context: Context): Response | Promise<Response> {
  const identity = identifyRequest(mounted, context);
  if ('status' in identity) return answerRefusal(mounted, context, identity);
  if (identity.who === null) return refuseNobody(mounted, context);
  const allowed = new Set(
    allowedOf(context).flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])),
  );
  if (allowed.size === 0)
    return answerRefusal(mounted, context, refusal(404, 'there is no such page'), identity);
  context.header('allow', [...allowed].join(', '));
  return answerRefusal(mounted, context, refusal(405, 'this page takes no such request'), identity);
}
