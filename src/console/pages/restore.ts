import { html } from 'hono/html';
import { storeLink, withQuery } from '../links.ts';
import { notice } from '../parts/answer.ts';
import { section } from '../parts/section.ts';
import { quickPoints } from '../points.ts';
import type { ConsoleStore } from '../ports.ts';
import { formPoint, formQuery, type ReadForm, type RestoreForm, readRestoreForm } from '../restore-form.ts';
import type { Html, Reply, Route, Visit } from '../route.ts';
import { storePage } from '../store-page.ts';
import { pointForm } from './restore-fields.ts';
import { planSection } from './restore-plan.ts';
import { restoreStart } from './restore-start.ts';

/** To which point a store is brought back, what that would take, and the way to it. */
export const restoreRoutes: readonly Route[] = [
  { method: 'GET', path: '/stores/:store/restore', role: 'viewer', handle: showPoint },
  { method: 'POST', path: '/stores/:store/restore', role: 'operator', handle: startRestore },
];

function showPoint(visit: Visit): Promise<Reply> {
  return storePage(visit, async (store) => {
    const asked = readRestoreForm(visit.query);
    return {
      ...{ title: 'Restore', section: 'restore', status: asked.state === 'wrong' ? 400 : 200 },
      body: await restoreBody(visit, store, asked, null),
    };
  });
}

/** `refusal`: why a restore that was asked for did not begin. */
async function restoreBody(
  visit: Visit,
  store: ConsoleStore,
  asked: ReadForm,
  refusal: Html | null,
): Promise<Html> {
  return html`${refusal ?? ''}${pickerSection(visit, store, asked)}
${asked.state === 'read' ? html`${await planSection(visit, store, asked.form)}${restoreStart(visit, store, asked.form)}` : ''}`;
}

function pickerSection(visit: Visit, store: ConsoleStore, asked: ReadForm): Html {
  return section('Which point', html`${quickLinks(visit, store)}${pointForm(visit, store, asked)}`, {
    id: 'point',
  });
}

function quickLinks(visit: Visit, { name, status }: ConsoleStore): Html {
  if (status === null) return html``;
  const points = quickPoints(status, visit.ports.now());
  if (points.length === 0)
    return notice('warning', 'Nothing can be brought back yet: there is no finished backup.');
  return html`<ul class="chips" aria-label="Points that are mostly asked for">${points.map(
    ({ title, form, isNearest }) =>
      html`<li><a class="chip" href="${pointLink(name, form)}">${title}${isNearest ? html`<span class="muted">: nearest before</span>` : ''}</a></li>`,
  )}</ul>`;
}

/** The page that shows what a restore of this point takes. */
export function pointLink(store: string, form: RestoreForm): string {
  return withQuery(storeLink(store, 'restore'), formQuery(form));
}

async function startRestore(visit: Visit): Promise<Reply> {
  let redirect: string | null = null;
  const reply = await storePage(visit, async (store) => {
    const asked = readRestoreForm(visit.field);
    const outcome = begin(visit, store, asked);
    if ('operationId' in outcome) redirect = `/operations/${encodeURIComponent(outcome.operationId)}`;
    const refusal = 'operationId' in outcome ? null : refused(outcome.message, outcome.hint);
    return {
      ...{ title: 'Restore', section: 'restore', status: 400 },
      body: redirect === null ? await restoreBody(visit, store, asked, refusal) : html``,
    };
  });
  return redirect === null ? reply : { kind: 'redirect', to: redirect };
}

type Outcome = { readonly operationId: string } | { readonly message: string; readonly hint: string };

function begin(visit: Visit, store: ConsoleStore, asked: ReadForm): Outcome {
  if (asked.state !== 'read') {
    return { message: 'no point was chosen', hint: 'choose one, and look at what it takes before you begin' };
  }
  const target = visit.field('target') ?? '';
  if (!store.restoreTargets.some(({ name }) => name === target)) {
    return {
      message: `there is no place for restores that is called ${JSON.stringify(target.slice(0, 80))}`,
      hint: 'the configuration names them under `serve.restore`; it may have changed since this page was made',
    };
  }
  const { form } = asked;
  const request = { store: store.name, point: formPoint(form), streams: form.streams, target };
  const started = visit.ports.actions.restore(request, visit.who.name);
  return started.state === 'started' ? { operationId: started.operationId } : started;
}

function refused(message: string, hint: string): Html {
  return notice(
    'bad',
    html`It did not begin: ${message}. ${hint === '' ? '' : html`<span class="muted">${hint}.</span>`}`,
  );
}
