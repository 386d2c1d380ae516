import { html, raw } from 'hono/html';
import { storeLink, withQuery } from '../links.ts';
import { actionForm } from '../parts/action-form.ts';
import { notice, SOON } from '../parts/answer.ts';
import { badge, type Tone } from '../parts/badge.ts';
import { commandBox } from '../parts/command-box.ts';
import { facts } from '../parts/facts.ts';
import { operationProgress } from '../parts/operation-progress.ts';
import { section } from '../parts/section.ts';
import { instantAgo, span } from '../parts/times.ts';
import type { ConsoleStore, Operation } from '../ports.ts';
import type { Html, Reply, Route, Visit } from '../route.ts';
import { operationResult } from './operation-result.ts';

/** What somebody began from the console: how far it is, what came of it, and what to do then. */
export const operationRoutes: readonly Route[] = [
  { method: 'GET', path: '/operations/:id', role: 'viewer', handle: showOperation },
  { method: 'POST', path: '/operations/:id/cancel', role: 'operator', handle: cancelOperation },
];

export function operationLink(id: string): string {
  return `/operations/${encodeURIComponent(id)}`;
}

function findOperation({ ports, param }: Visit): Operation | null {
  return ports.operations().find(({ id }) => id === param('id')) ?? null;
}

function showOperation(visit: Visit): Reply {
  const operation = findOperation(visit);
  if (operation === null) return unknownOperation(visit);
  const store = visit.ports.stores().find(({ name }) => name === operation.store) ?? null;
  return {
    ...{ kind: 'page', title: titleOf(operation), section: 'activity' },
    // It may have left the configuration since.
    store: store?.name ?? null,
    body: html`${saidToCancel(visit)}${section('State', stateBody(visit, operation), { id: 'state', live: true })}
${section('What came of it', operationResult(store, operation), { id: 'result', live: true })}
${section('The command', html`<p class="muted">What runs, as one would type it. On the host of the daemon it does the same.</p>${commandBox(operation.command)}`)}`,
  };
}

function titleOf({ title }: Operation): string {
  return title === '' ? 'Operation' : `${title.charAt(0).toUpperCase()}${title.slice(1)}`;
}

const STATES: Readonly<Record<Operation['state'], readonly [Tone, string]>> = {
  waits: ['faint', 'waits its turn'],
  runs: ['faint', 'runs'],
  succeeded: ['good', 'done'],
  failed: ['bad', 'failed'],
  cancelled: ['warning', 'cancelled'],
};

function stateBody(visit: Visit, operation: Operation): Html {
  const { state, startedMs, endedMs, who } = operation;
  const nowMs = visit.ports.now();
  const isOver = endedMs !== null;
  return html`<p class="verdict">${badge(...STATES[state])}${isOver ? '' : html`<span hidden ${raw(SOON)}></span>`}</p>
${isOver || state === 'waits' ? '' : operationProgress(operation)}
${facts([
  ['Begun', instantAgo(new Date(startedMs).toISOString(), nowMs)],
  ['By', who],
  [isOver ? 'Took' : 'For', span((endedMs ?? nowMs) - startedMs)],
])}
${isOver ? '' : cancelForm(visit, operation)}`;
}

function cancelForm(visit: Visit, { id }: Operation): Html {
  if (visit.who.role !== 'operator') return html``;
  const cancel = actionForm({
    visit,
    action: `${operationLink(id)}/cancel`,
    button: 'Cancel it',
    isDangerous: true,
  });
  return html`${cancel}<p class="muted">It ends as with Ctrl-C: a restore publishes nothing, and what it had loaded is thrown away.</p>`;
}

function saidToCancel({ query }: Visit): Html {
  const said = query('cancel');
  if (said === 'cancelled') return notice('faint', 'It was told to stop. That takes a moment.');
  return said === 'over' ? notice('faint', 'It had ended already: nothing was cancelled.') : html``;
}

function cancelOperation(visit: Visit): Reply {
  const operation = findOperation(visit);
  if (operation === null) return unknownOperation(visit);
  const outcome = visit.ports.actions.cancel(operation.id, visit.who.name);
  const cancel = outcome === 'cancelled' ? 'cancelled' : 'over';
  return { kind: 'redirect', to: withQuery(operationLink(operation.id), { cancel }) };
}

/** They are in the memory of one daemon. */
function unknownOperation({ ports }: Visit): Reply {
  const stores = ports.stores();
  return {
    ...{ kind: 'page', title: 'No such operation', section: null, store: null, status: 404 },
    body: html`<p class="lead">This daemon knows of no such operation. It keeps the newest of those that were begun from its console, and only as long as it runs: it may have been started anew, or another daemon behind the same address began it.</p>
<p>A restore that was cut off has published nothing: its target is empty, or as it was. One that had ended is whole, and has left its record in the vault. What to look at:</p>
<ul class="plain">
<li>the new store itself: <code>eventcore restore --to STORE --dry-run</code> says whether it is empty, and changes nothing</li>
<li>whether it is what it should be: <code>eventcore diff --store STORE</code></li>
${stores.map(activityItem)}
</ul>`,
  };
}

function activityItem({ name }: ConsoleStore): Html {
  return html`<li><a href="${storeLink(name, 'activity')}">Activity of ${name}</a></li>`;
}
