import { randomBytes } from 'node:crypto';
import type { Context, Hono } from 'hono';
import { html } from 'hono/html';
import { LOG_IN_PATH, LOG_OUT_PATH } from '../page.ts';
import { sign } from '../parts/badge.ts';
import { sentence } from '../parts/prose.ts';
import type { Html } from '../route.ts';
import { identifyRequest } from './answer-route.ts';
import { answerPage, answerRefusal, setRefusalHeaders } from './answers.ts';
import { readCookie, removeCookie, writeCookie } from './cookies.ts';
import { readForm } from './form-body.ts';
import { askedOf, type Mounted } from './mounted.ts';
import { type Refusal, refusal } from './request.ts';
import { isWithin } from './within.ts';

/** Anyone may send it, so it takes no more memory than it needs. */
const MOST_LOG_IN_BYTES = 8 * 1024;

/** Logging in and out: with a token, for people. */
export function mountLogIn(app: Hono, mounted: Mounted): void {
  app.get(LOG_IN_PATH, (context) => {
    const identity = identifyRequest(mounted, context);
    const to = targetOf(context.req.query('to') ?? null);
    if ('who' in identity && identity.who !== null) return context.redirect(to, 303);
    return answerLogIn(mounted, context, { to, refused: null });
  });
  app.post(LOG_IN_PATH, (context) => logIn(mounted, context));
  app.post(LOG_OUT_PATH, (context) => logOut(mounted, context));
}

function targetOf(given: string | null): string {
  return given !== null && isWithin(given) && !given.startsWith(LOG_IN_PATH) ? given : '/';
}

async function logIn(mounted: Mounted, context: Context): Promise<Response> {
  const { access, audit } = mounted;
  const asked = askedOf(context);
  const id = readCookie(access, context, 'log-in');
  if (id === null) {
    const refused = refusal(403, 'this page is out of date, or the browser keeps no cookies', 'try again');
    return answerLogIn(mounted, context, { to: '/', refused });
  }
  const form = await readForm(context.req.raw, MOST_LOG_IN_BYTES);
  if ('status' in form) return answerRefusal(mounted, context, form);
  const to = targetOf(form.get('to'));
  const forged = access.refuseForm(asked, subjectOf(id), form.get('form_token'));
  if (forged !== null) return answerLogIn(mounted, context, { to, refused: forged });
  const session = access.logIn(asked, form.get('token') ?? '');
  const common = { from: asked.peer, action: 'log_in', subject: 'console' };
  if ('status' in session) {
    if (mounted.refusals.take('all') === null)
      audit.record({ ...common, who: 'somebody', outcome: 'refused' });
    return answerLogIn(mounted, context, { to, refused: session });
  }
  audit.record({ ...common, who: session.entry.name, outcome: 'done' });
  removeCookie(access, context, 'log-in');
  writeCookie(access, context, 'session', session.id);
  return context.redirect(to, 303);
}

async function logOut(mounted: Mounted, context: Context): Promise<Response> {
  const { access, audit } = mounted;
  const asked = askedOf(context);
  const identity = identifyRequest(mounted, context);
  if ('status' in identity) return answerRefusal(mounted, context, identity);
  const id = readCookie(access, context, 'session');
  if (identity.kind !== 'session' || id === null) return context.redirect(LOG_IN_PATH, 303);
  const form = await readForm(context.req.raw);
  const refused =
    'status' in form ? form : access.refuseForm(asked, identity.subject, form.get('form_token'));
  if (refused !== null) return answerRefusal(mounted, context, refused, identity);
  access.logOut(id);
  removeCookie(access, context, 'session');
  const who = identity.who?.name ?? '';
  audit.record({ who, from: asked.peer, action: 'log_out', subject: 'console', outcome: 'done' });
  return context.redirect(LOG_IN_PATH, 303);
}

/** A form is bound to who was shown it before anyone has logged in: else somebody could be logged in as another without knowing. */
function subjectOf(id: string): string {
  return `log-in ${id}`;
}

function answerLogIn(
  mounted: Mounted,
  context: Context,
  { to, refused }: { readonly to: string; readonly refused: Refusal | null },
): Response | Promise<Response> {
  const { access } = mounted;
  if (access.config().tokens.length === 0) {
    const hint = 'come by way of the proxy that logs you in, or have a token put under `serve.access.tokens`';
    return answerRefusal(mounted, context, refusal(404, 'there is nothing to log in with', hint));
  }
  const known = readCookie(access, context, 'log-in');
  const id = known ?? randomBytes(32).toString('base64url');
  if (known === null) writeCookie(access, context, 'log-in', id);
  if (refused !== null) setRefusalHeaders(context, refused);
  const body = logInForm({ to, refused, formToken: access.formTokens.of(subjectOf(id)) });
  const page = { kind: 'page', title: 'Log in', section: null, store: null, body } as const;
  return answerPage(mounted, context, page, { identity: null, status: refused?.status ?? 200 });
}

function logInForm({
  to,
  refused,
  formToken,
}: {
  readonly to: string;
  readonly refused: Refusal | null;
  readonly formToken: string;
}): Html {
  const trouble =
    refused === null
      ? ''
      : html`<div class="notice bad" role="alert">${sign('bad')}<div><p>${sentence(refused.message)}</p>${refused.hint === '' ? '' : html`<p class="muted">${sentence(refused.hint)}</p>`}</div></div>`;
  return html`<form class="log-in" method="post" action="${LOG_IN_PATH}">
<input type="hidden" name="form_token" value="${formToken}" /><input type="hidden" name="to" value="${to}" />
${trouble}<div class="field"><label for="token">Token</label><input id="token" name="token" type="password" autocomplete="current-password" spellcheck="false" required autofocus /></div>
<p><button type="submit" class="primary">Log in</button></p>
<p class="muted">Tokens begin with <code>ect_</code>. Whoever keeps the configuration of this daemon makes them with <code>eventcore tokens generate</code>.</p>
</form>`;
}
