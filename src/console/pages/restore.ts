import { html } from 'hono/html';
import type { StatusBackup, StoreStatus } from '../../core/status.ts';
import { pointLink, storeLink } from '../links.ts';
import { notice } from '../parts/answer.ts';
import { sentence } from '../parts/prose.ts';
import { section } from '../parts/section.ts';
import { timeline } from '../parts/timeline.ts';
import { zoomOf } from '../parts/timeline-geometry.ts';
import { instant } from '../parts/times.ts';
import { newestBackups, quickPoints } from '../points.ts';
import type { ConsoleStore } from '../ports.ts';
import { formPoint, type ReadForm, type RestoreForm, readRestoreForm } from '../restore-form.ts';
import type { Html, Reply, Route, Visit } from '../route.ts';
import { storePage } from '../store-page.ts';
import { pointForm } from './restore-fields.ts';
import { planSection } from './restore-plan.ts';
import { restoreStart } from './restore-start.ts';
import { timelineFacts } from './timeline-facts.ts';

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
  const plan = asked.state === 'read' ? await planSection(visit, store, asked.form) : null;
  const start = asked.state !== 'read' || plan?.isOutOfReach ? '' : restoreStart(visit, store, asked.form);
  return html`${refusal ?? ''}${pickerSection(visit, store, asked)}
${plan?.body ?? ''}${start}`;
}

function pickerSection(visit: Visit, store: ConsoleStore, asked: ReadForm): Html {
  return section(
    'Which point',
    html`${windowPicture(visit, store, asked)}${quickLinks(visit, store)}${pointForm(visit, store, asked)}`,
    {
      id: 'point',
    },
  );
}

/** With a script, a click into it is put into the field of the instant. */
function windowPicture({ query, ports }: Visit, { name, status }: ConsoleStore, asked: ReadForm): Html {
  if (status === null || status.windows.length + status.backups.length === 0) return html``;
  const known = timelineFacts(status, ports.now());
  const picture = timeline(known, {
    ...{ zoom: zoomOf(query('range'), known), link: storeLink(name, 'restore') },
    chosenMs: asked.state === 'read' ? chosenMs(asked.form, status) : null,
  });
  return html`<div class="picking" data-picks="value-at">${picture}<p class="pick-help muted">Click on an instant to put it into the field.</p></div>`;
}

/** Null where nobody knows here when it was. */
function chosenMs({ kind, value }: RestoreForm, { backups, newestPoint }: StoreStatus): number | null {
  const instantOf = {
    ...{ at: value, newest: newestPoint },
    backup: backups.find(({ backupId }) => backupId.startsWith(value))?.stateAt,
    ...{ 'before-event': null, lsn: null },
  }[kind];
  const ms = Date.parse(instantOf ?? '');
  return Number.isNaN(ms) ? null : ms;
}

function quickLinks(visit: Visit, { name, status }: ConsoleStore): Html {
  if (status === null) return html``;
  const points = quickPoints(status, visit.ports.now());
  if (points.length === 0)
    return notice('warning', 'Nothing can be brought back yet: there is no finished backup.');
  return html`<ul class="chips" aria-label="Points that are mostly asked for">${points.map(
    ({ title, form, isNearest }) =>
      html`<li><a class="chip" href="${pointLink(name, form)}">${title}${isNearest ? html`<span class="muted">: nearest before</span>` : ''}</a></li>`,
  )}${newestBackups(status, MOST_BACKUPS).map((backup) => backupChip(name, backup))}</ul>`;
}

const MOST_BACKUPS = 4;

function backupChip(store: string, { backupId, kind, stateAt }: StatusBackup): Html {
  const form: RestoreForm = { kind: 'backup', value: backupId, streams: [] };
  return html`<li><a class="chip" href="${pointLink(store, form)}">${kind} backup of ${instant(stateAt)}</a></li>`;
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
      hint: 'the configuration names them under `serve.restore_to`; it may have changed since this page was made',
    };
  }
  const { form } = asked;
  const request = { store: store.name, point: formPoint(form), streams: form.streams, target };
  const started = visit.ports.actions.restore(request, visit.who.name);
  return started.state === 'started' ? { operationId: started.operationId } : started;
}

function refused(message: string, hint: string): Html {
  const wayOut = hint === '' ? '' : html`<span class="muted"> ${sentence(hint)}</span>`;
  return notice('bad', html`It did not begin: ${message}.${wayOut}`);
}
