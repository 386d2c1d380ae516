import type { ServerType } from '@hono/node-server';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { loadAssets } from '../../src/console/assets.ts';
import type { ConsolePorts } from '../../src/console/ports.ts';
import { renderPath, replyTo } from './render.ts';

const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'";

export interface Preview {
  /** Without a slash at its end. */
  readonly origin: string;
  close(): void;
}

/** Serves the console over fixtures. No daemon, no store, no vault, no log-in. */
export async function servePreview(ports: ConsolePorts, port = 0): Promise<Preview> {
  const assets = await loadAssets();
  const app = new Hono();
  app.get('/assets/:name{.+}', ({ req, body, notFound }) => {
    const asset = assets.byPath.get(req.path);
    return asset === undefined ? notFound() : body(asset.body, 200, { 'content-type': asset.contentType });
  });
  app.get('*', async ({ req, html, header }) => {
    header('content-security-policy', POLICY);
    header('x-refresh-after', '15000');
    const { pathname, search } = new URL(req.url);
    return html(await renderPath(pathname + search, { ports }));
  });
  app.post('*', async ({ req, redirect }) => {
    const fields = Object.fromEntries(
      Object.entries(await req.parseBody()).map(([name, value]) => [name, String(value)]),
    );
    const reply = await replyTo(new URL(req.url).pathname, { ports, fields }, 'POST');
    return redirect(reply.kind === 'redirect' ? reply.to : '/', 303);
  });
  return new Promise((resolve) => {
    const server: ServerType = serve({ fetch: app.fetch, hostname: '127.0.0.1', port }, ({ port: at }) =>
      resolve({ origin: `http://127.0.0.1:${at}`, close: () => void server.close() }),
    );
  });
}
