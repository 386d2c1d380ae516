import { html } from 'hono/html';
import { storeLink } from '../links.ts';
import { firstInstant } from '../points.ts';
import type { ConsoleStore } from '../ports.ts';
import type { PointKind, ReadForm } from '../restore-form.ts';
import { MOST_STREAMS, POINT_KINDS } from '../restore-form.ts';
import type { Html, Visit } from '../route.ts';

type ValueKind = Exclude<PointKind, 'newest'>;

interface Words {
  readonly title: string;
  /** What stands under the field. */
  readonly help: string;
}

const KIND_WORDS: Readonly<Record<PointKind, Words>> = {
  newest: { title: 'The newest point', help: 'As far as backups and change log go.' },
  at: {
    title: 'An instant',
    help: 'In UTC, as 2026-11-23T04:05:06Z, by the clock of the store: all that had committed by then.',
  },
  backup: {
    title: 'A backup',
    help: 'Its id, or the first characters of it: this backup alone, without the log.',
  },
  'before-event': {
    title: 'Just before an event',
    help: 'The id of an event: all that committed before the transaction that wrote it. It is looked for in the change log.',
  },
  lsn: { title: 'A position of the log', help: 'As 0/16B3748; a row number for SQLite.' },
};

/** The form that asks for a point: it changes nothing, so it is sent as an address. */
export function pointForm(visit: Visit, store: ConsoleStore, asked: ReadForm): Html {
  const values = valuesOf(visit, store, asked);
  const problems = asked.state === 'wrong' ? asked.problems : [];
  const problemOf = (field: string): string | null =>
    problems.find((problem) => problem.field === field)?.message ?? null;
  return html`<form class="picker" method="get" action="${storeLink(store.name, 'restore')}#plan">
<fieldset class="choices"><legend>Bring back</legend>
${POINT_KINDS.map((kind) => choice(kind, values, problemOf(kind)))}
</fieldset>
${problemOf('point') === null ? '' : html`<p class="problem" role="alert">${problemOf('point')}</p>`}
<div class="field"><label for="streams">Only these streams</label><textarea id="streams" name="streams" rows="3" spellcheck="false" autocapitalize="off" aria-describedby="streams-help" ${problemOf('streams') === null ? '' : html`aria-invalid="true"`}>
${values.streams}</textarea><p class="muted" id="streams-help">${problemOf('streams') === null ? '' : html`<span class="problem" role="alert">${problemOf('streams')}. </span>`}One a line, by their exact names, at most ${MOST_STREAMS}; empty: the whole store.</p></div>
<button type="submit" class="primary">Show what it takes</button>
</form>`;
}

interface Values {
  readonly kind: PointKind;
  readonly byKind: Readonly<Record<ValueKind, string>>;
  readonly streams: string;
}

/** What was sent, as it was sent: whoever mistyped mends it. */
function valuesOf({ query, field, ports }: Visit, { status }: ConsoleStore, asked: ReadForm): Values {
  const sent = (name: string): string => (query(name) ?? field(name) ?? '').slice(0, 2000);
  const kind = asked.state === 'read' ? asked.form.kind : POINT_KINDS.find((one) => one === sent('point'));
  const at = asked.state === 'read' && asked.form.kind === 'at' ? asked.form.value : sent('at');
  return {
    kind: kind ?? 'at',
    byKind: {
      at: at === '' ? firstInstant(status, ports.now()) : at,
      backup: sent('backup'),
      'before-event': sent('before-event'),
      lsn: sent('lsn'),
    },
    streams: sent('streams'),
  };
}

function choice(kind: PointKind, { kind: chosen, byKind }: Values, problem: string | null): Html {
  const { title, help } = KIND_WORDS[kind];
  const radio = html`<input type="radio" name="point" id="point-${kind}" value="${kind}" ${kind === chosen ? html`checked` : ''} />`;
  const name = html`<label for="point-${kind}">${title}</label>`;
  if (kind === 'newest')
    return html`<div class="choice">${radio}<div>${name}<p class="muted">${help}</p></div></div>`;
  const field = html`<input type="text" id="value-${kind}" name="${kind}" value="${byKind[kind]}" aria-label="${title}" aria-describedby="help-${kind}" autocomplete="off" autocapitalize="off" spellcheck="false" data-chooses="point-${kind}" ${problem === null ? '' : html`aria-invalid="true"`} />`;
  return html`<div class="choice">${radio}<div>${name}${field}<p class="muted" id="help-${kind}">${problem === null ? '' : html`<span class="problem" role="alert">${problem}. </span>`}${help}</p></div></div>`;
}
