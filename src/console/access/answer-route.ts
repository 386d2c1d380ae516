import type { Context } from 'hono';
import { html } from 'hono/html';
import { LOG_IN_PATH } from '../page.ts';
import type { Reply, Role, Route, Visit, Who } from '../route.ts';
import type { Identity } from './access.ts';
import { answerFailure, answerPage, answerRefusal, wantsPage } from './answers.ts';
import { auditedActions, NO_ACTIONS } from './audited-actions.ts';
import { isUnconfigured } from './config.ts';
import { readCookie } from './cookies.ts';
import { readForm } from './form-body.ts';
import { askedOf, type Mounted } from './mounted.ts';
import { type Refusal, refusal } from './request.ts';
import { isLinkFromElsewhere } from './same-site.ts';
import { isWithin } from './within.ts';

const RANKS: Readonly<Record<Role, number>> = { anyone: 0, viewer: 1, operator: 2 };
const SOMEBODY: Who = { name: 'somebody', role: 'viewer', canLogOut: false };

/** Nothing of a route is done before who asks, what they may, and where it comes from are known. */
export async function answerRoute(mounted: Mounted, route: Route, context: Context): Promise<Response> {
  const identity = identifyRequest(mounted, context);
  if ('status' in identity) return refuseRoute(mounted, context, identity, null);
  if (identity.who === null && route.role !== 'anyone') return refuseNobody(mounted, context);
  const refused = refuseRole(mounted, route.role, identity);
  if (refused !== null) return refuseRoute(mounted, context, refused, identity);
  const form = route.method === 'GET' ? new URLSearchParams() : await takeForm(mounted, context, identity);
  if ('status' in form) return refuseRoute(mounted, context, form, identity);
  try {
    const reply = await route.handle(makeVisit(mounted, route, context, { identity, form }));
    await mounted.audit.settled();
    return await answerReply(mounted, context, reply, identity);
  } catch (error) {
    return answerFailure(mounted, context, error, identity);
  }
}

export function identifyRequest({ access }: Mounted, context: Context): Identity | Refusal {
  return access.identify(askedOf(context), readCookie(access, context, 'session'));
}

function refuseRole({ access }: Mounted, role: Role, { who }: Identity): Refusal | null {
  if (RANKS[who?.role ?? 'anyone'] >= RANKS[role]) return null;
  const hint = isUnconfigured(access.config())
    ? 'make a token with `eventcore tokens generate`, and write it under `serve.access.tokens` (docs/access.md)'
    : 'ask an operator';
  return refusal(403, 'this takes an operator', hint);
}

/** A form of whoever it was made for, of which is on record that they send it. */
async function takeForm(
  { access, audit }: Mounted,
  context: Context,
  { kind, who, subject }: Identity,
): Promise<URLSearchParams | Refusal> {
  const asked = askedOf(context);
  const form = await readForm(context.req.raw);
  if ('status' in form) return form;
  // Whoever sends a token with a request knows it, which no other site does.
  const refused = kind === 'bearer' ? null : access.refuseForm(asked, subject, form.get('form_token'));
  if (refused !== null) return refused;
  const entry = { who: who?.name ?? SOMEBODY.name, from: asked.peer, subject: pathOf(context) };
  const trouble = await audit.intend(entry);
  if (trouble === null) return form;
  return refusal(503, `${trouble}, so nothing was done`, 'see to `serve.audit_log`, then try again');
}

function makeVisit(
  { access, audit, ports }: Mounted,
  { method, role }: Route,
  context: Context,
  { identity, form }: { readonly identity: Identity; readonly form: URLSearchParams },
): Visit {
  const who = identity.who ?? SOMEBODY;
  const mayAct = method === 'POST' && role === 'operator';
  const from = askedOf(context).peer;
  const actions = mayAct ? auditedActions(ports.actions, audit, { who: who.name, from }) : NO_ACTIONS;
  return {
    ports: { ...ports, actions },
    who,
    formToken: access.formTokens.of(identity.subject),
    param: (name) => context.req.param(name) ?? '',
    query: (name) => context.req.query(name) ?? null,
    field: (name) => form.get(name),
  };
}

function answerReply(
  mounted: Mounted,
  context: Context,
  reply: Reply,
  identity: Identity,
): Response | Promise<Response> {
  if (reply.kind === 'page') {
    return answerPage(mounted, context, reply, { identity, status: reply.status ?? 200 });
  }
  if (!isWithin(reply.to)) throw new Error(`a redirect out of the console: ${reply.to}`);
  return context.redirect(reply.to, 303);
}

/** People are shown where to log in; after it they are where they wanted to be. */
export function refuseNobody(mounted: Mounted, context: Context): Response | Promise<Response> {
  const asked = askedOf(context);
  const { tokens } = mounted.access.config();
  const hint =
    tokens.length === 0
      ? 'come by way of the proxy that logs you in'
      : 'log in, or send a token as `Authorization: Bearer …`';
  const isPage = asked.method === 'GET' || asked.method === 'HEAD';
  if (!isPage || !wantsPage(context) || tokens.length === 0) {
    return refuseRoute(mounted, context, refusal(401, 'nobody is logged in', hint), null);
  }
  // `//elsewhere/` is a path to us, and another host to a browser that is sent there.
  const target = isWithin(asked.target) ? asked.target : '/';
  if (isLinkFromElsewhere(asked)) return comeAgain(context, target);
  return context.redirect(`${LOG_IN_PATH}?to=${encodeURIComponent(target)}`, 303);
}

/** From here on it is this console that leads there, so the cookie comes along. */
function comeAgain(context: Context, target: string): Response | Promise<Response> {
  return context.html(html`<!doctype html>
<html lang="en"><head><meta charset="utf-8" /><title>EventCore Backup</title><meta http-equiv="refresh" content="0;url=${target}" /></head>
<body><p><a href="${target}">Go on</a></p></body></html>`);
}

function refuseRoute(
  mounted: Mounted,
  context: Context,
  refused: Refusal,
  identity: Identity | null,
): Response | Promise<Response> {
  const { method, peer } = askedOf(context);
  if (method === 'POST' && mounted.refusals.take('all') === null) {
    const subject = `${pathOf(context)}: ${refused.message}`;
    const who = identity?.who?.name ?? SOMEBODY.name;
    mounted.audit.record({ who, from: peer, action: 'refused', subject, outcome: 'refused' });
  }
  return answerRefusal(mounted, context, refused, identity);
}

function pathOf(context: Context): string {
  return `${context.req.method} ${new URL(context.req.url).pathname}`;
}
