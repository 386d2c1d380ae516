/**
 * node test/console/preview.ts [PORT]
 *
 * Serves the console over the fixtures, for looking at it while one works on its pages. No daemon, no store, no vault, no log-in.
 */
import process from 'node:process';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { loadAssets } from '../../src/console/assets.ts';
import { HOSTILE_STORE, STORES } from './fixture-stores.ts';
import { makePorts } from './fixtures.ts';
import { renderPath, replyTo } from './render.ts';

const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'";
const port = Number(process.argv[2] ?? 8322);
const assets = await loadAssets();
const ports = makePorts({
  stores: () => [...STORES, ...(process.argv.includes('--hostile') ? [HOSTILE_STORE] : [])],
});
const app = new Hono();

app.get('/assets/:name', ({ req, body, notFound }) => {
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
serve({ fetch: app.fetch, hostname: '127.0.0.1', port }, () => console.log(`http://127.0.0.1:${port}`));
