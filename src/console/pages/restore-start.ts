import { html } from 'hono/html';
import { commandLine } from '../command-line.ts';
import { storeLink } from '../links.ts';
import { actionForm } from '../parts/action-form.ts';
import { commandBox } from '../parts/command-box.ts';
import { section } from '../parts/section.ts';
import type { ConsoleStore, RestoreTarget } from '../ports.ts';
import { formQuery, formWords, type RestoreForm } from '../restore-form.ts';
import type { Html, Visit } from '../route.ts';

/** How it is begun: from here into a new store, where the configuration allows that; by hand in any case. */
export function restoreStart(visit: Visit, store: ConsoleStore, form: RestoreForm): Html {
  return html`${fromHere(visit, store, form)}${byHand(store, form)}`;
}

function fromHere(visit: Visit, store: ConsoleStore, form: RestoreForm): Html {
  const { restoreTargets, name } = store;
  const body =
    restoreTargets.length === 0
      ? html`<p class="muted">No place for restores is named: write one under <code>serve.restore_to</code> of <code>${store.config}</code>, and restores into new stores can be begun here.</p>`
      : visit.who.role !== 'operator'
        ? html`<p class="muted">Operators begin a restore here. You may look, and copy the command.</p>`
        : html`<p>It makes a new store and touches none that is there. You can watch it, and stop it.</p>${actionForm(
            {
              ...{ visit, action: storeLink(name, 'restore'), button: 'Restore into a new store' },
              fields: html`${hiddenFields(form)}${targetChoice(restoreTargets)}`,
            },
          )}`;
  return section('Restore it from here', body, { id: 'start' });
}

function hiddenFields(form: RestoreForm): Html[] {
  return Object.entries(formQuery(form)).map(([name, value]) =>
    value === null ? html`` : html`<input type="hidden" name="${name}" value="${value}" />`,
  );
}

const KINDS: Readonly<Record<RestoreTarget['kind'], string>> = { sqlite: 'SQLite', postgres: 'PostgreSQL' };

function targetChoice(targets: readonly RestoreTarget[]): Html {
  return html`<div class="field"><label for="target">Into a new store in</label><select id="target" name="target">${targets.map(
    ({ name, kind, place }) => html`<option value="${name}">${name} (${KINDS[kind]}, ${place})</option>`,
  )}</select></div>`;
}

/** Stands in a command for what only its reader knows. */
const PLACE = 'STORE';

function byHand(store: ConsoleStore, form: RestoreForm): Html {
  const words = ['restore', '--to', PLACE, ...formWords(form)];
  const isStreams = form.streams.length > 0;
  return section(
    'Restore it by hand',
    html`<p>Put the address of the new store in the place of <code>${PLACE}</code>, such as <code>sqlite:./restored.db</code> or <code>postgres://restore_login@db.example/shop</code>. First what it would do, which changes nothing:</p>
${commandBox(commandLine(store, ...words, '--dry-run'))}
<p>Then the same without <code>--dry-run</code>. It restores into an empty place, all of it or nothing, and proves what it restored before anybody sees it:</p>
${commandBox(commandLine(store, ...words))}
${isStreams ? merging(store, form) : ''}
<details><summary>Into a store that holds events</summary><p>A restore refuses a place that is not empty. <code>--replace</code> has it throw away <strong>all that is there</strong>, in the moment in which the restored events become visible; there is no way back but another restore. Restore beside it, compare (<code>eventcore diff</code>), and switch over instead, wherever there is room. It is not begun from this page.</p></details>`,
    { id: 'by-hand' },
  );
}

function merging(store: ConsoleStore, form: RestoreForm): Html {
  const words = ['restore', '--to', PLACE, ...formWords(form), '--merge'];
  return html`<p>To add only what a store in use lacks of these streams: nothing that is there is touched, and a stream that has another event stops it. First what it would add:</p>
${commandBox(commandLine(store, ...words, '--dry-run'))}`;
}
