import { randomUUID } from 'node:crypto';
import type { Context } from 'hono';
import { html } from 'hono/html';
import type { HtmlEscapedString } from 'hono/utils/html';
import { ERROR_CODES, isBackupError } from '../../core/errors.ts';
import { LOG_IN_PATH, type PageFrame, type PageReply, renderPage } from '../page.ts';
import { SOON } from '../parts/answer.ts';
import { sentence } from '../parts/prose.ts';
import { isBusy } from '../refresh-rate.ts';
import type { Html } from '../route.ts';
import type { Identity } from './access.ts';
import { askedOf, type Mounted } from './mounted.ts';
import type { Refusal } from './request.ts';

type Status = 200 | 500 | Refusal['status'] | NonNullable<PageReply['status']>;

/** A page for people, under the name of who was let in; for nobody, without a word of any store. */
export async function answerPage(
  mounted: Mounted,
  context: Context,
  page: Omit<PageReply, 'status'>,
  { identity, status = 200 }: { readonly identity: Identity | null; readonly status?: Status },
): Promise<Response> {
  const { ports, access, assets, host } = mounted;
  const known = identity?.who ?? null;
  const body = await page.body;
  const refreshAfterMs = known === null || status >= 400 ? null : refreshAfter(mounted, body);
  const frame: PageFrame = {
    ...{ who: known, assets, refreshAfterMs },
    formToken: identity === null ? '' : access.formTokens.of(identity.subject),
    stores: known === null ? [] : ports.stores(),
    software: known === null ? 'EventCore Backup' : ports.software,
    host: known === null ? 'this host' : host,
  };
  const text = await renderPage({ ...page, body }, frame);
  if (refreshAfterMs !== null) context.header('x-refresh-after', String(refreshAfterMs));
  return context.body(text, status, { 'content-type': 'text/html; charset=utf-8' });
}

/** Soon while something runs, or is being asked for this page. */
function refreshAfter({ refresh, ports }: Mounted, body: HtmlEscapedString): number {
  return refresh.after(ports.now(), body.includes(SOON) || isBusy(ports.stores()));
}

/** Says why not: a page for people, two lines for programs. */
export function answerRefusal(
  mounted: Mounted,
  context: Context,
  refused: Refusal,
  identity: Identity | null = null,
): Response | Promise<Response> {
  const { status, message, hint } = refused;
  if (!wantsPage(context)) return answerBriefly(context, refused);
  setRefusalHeaders(context, refused);
  const canLogIn = status === 401 && mounted.access.config().tokens.length > 0;
  const link = canLogIn
    ? html`<p><a href="${LOG_IN_PATH}">Log in</a></p>`
    : html`<p><a href="/">Back to the overview</a></p>`;
  return answerWords(mounted, context, { title: TITLES[status], message, hint, link }, { identity, status });
}

/** In two lines that do not say what it is that answers. */
export function answerBriefly(context: Context, refused: Refusal): Response {
  setRefusalHeaders(context, refused);
  return answerText(context, refused.status, refused.message, refused.hint);
}

export function setRefusalHeaders(context: Context, { status, retryAfterMs }: Refusal): void {
  if (status === 401) context.header('www-authenticate', 'Bearer realm="eventcore"');
  if (retryAfterMs !== undefined) context.header('retry-after', String(Math.ceil(retryAfterMs / 1000)));
}

const TITLES: Readonly<Record<Refusal['status'], string>> = {
  400: 'Not understood',
  401: 'Not logged in',
  403: 'Not allowed',
  404: 'Not found',
  405: 'Not possible',
  413: 'Too long',
  415: 'Not a form',
  421: 'Another host',
  429: 'Too many requests',
  503: 'Not now',
};

interface Words {
  readonly title: string;
  readonly message: string;
  readonly hint: string | null;
  readonly link: Html;
}

function answerWords(
  mounted: Mounted,
  context: Context,
  { title, message, hint, link }: Words,
  options: { readonly identity: Identity | null; readonly status: Status },
): Promise<Response> {
  const body = html`<p>${sentence(message)}</p>${hint === null || hint === '' ? '' : html`<p class="muted">${sentence(hint)}</p>`}${link}`;
  return answerPage(mounted, context, { kind: 'page', title, section: null, store: null, body }, options);
}

function answerText(context: Context, status: Status, message: string, hint: string | null): Response {
  const text = hint === null || hint === '' ? `${message}\n` : `${message}\nhint: ${hint}\n`;
  return context.text(text, status);
}

export function wantsPage(context: Context): boolean {
  return (context.req.header('accept') ?? '').includes('text/html');
}

/** A failure that has a name says what it is, to whoever was let in; of others nobody is told more than where the log has them. */
export function answerFailure(
  mounted: Mounted,
  context: Context,
  error: unknown,
  identity: Identity | null,
): Response | Promise<Response> {
  const isKnown = identity?.who != null && isBackupError(error);
  const id = randomUUID();
  if (!isKnown) {
    const said = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const { method, target } = askedOf(context);
    mounted.logError(`a request failed: ${method} ${target.split('?')[0]}`, { id, error: said });
  }
  const message = isKnown ? error.message : 'this went wrong in an unexpected way';
  const hint = isKnown ? error.hint : `the log of the daemon has it under ${id}`;
  const status = isKnown && ERROR_CODES[error.code].exitCode === 3 ? 404 : 500;
  if (!wantsPage(context)) return answerText(context, status, message, hint);
  const link = html`<p><a href="/">Back to the overview</a></p>`;
  return answerWords(
    mounted,
    context,
    { title: 'This did not work', message, hint, link },
    { identity, status },
  );
}
