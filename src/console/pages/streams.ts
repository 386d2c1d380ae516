import { html } from 'hono/html';
import { formatCount } from '../../core/units.ts';
import { commandLine } from '../command-line.ts';
import { readAnswer } from '../documents/read-answer.ts';
import { streamHistory, streamList } from '../documents/streams.ts';
import { storeLink, withQuery } from '../links.ts';
import { notice, unanswered } from '../parts/answer.ts';
import { commandBox } from '../parts/command-box.ts';
import { section } from '../parts/section.ts';
import { table } from '../parts/table.ts';
import { instant } from '../parts/times.ts';
import type { ConsoleStore } from '../ports.ts';
import { MOST_NAME_SIGNS, optionWords, whyNoName } from '../restore-form.ts';
import type { Html, Reply, Route, Visit } from '../route.ts';
import { storePage } from '../store-page.ts';
import { backupLink } from './restore-chain.ts';
import { streamNameLink } from './restore-plan.ts';
import { diffSection } from './stream-diff.ts';
import { historyBody } from './stream-history.ts';

/** One stream over the backups, and how the store differs from the newest one. */
export const streamRoutes: readonly Route[] = [
  { method: 'GET', path: '/stores/:store/streams', role: 'viewer', handle: showStreams },
];

interface Search {
  readonly name: string | null;
  readonly prefix: string | null;
  /** Why what was sent cannot be looked for. */
  readonly problem: string | null;
}

function readSearch({ query }: Visit): Search {
  const [name, prefix] = [query('stream'), query('prefix')];
  const problem = whyNoName(name ?? '') ?? whyNoName(prefix ?? '');
  if (problem !== null) return { name: null, prefix: null, problem };
  return { name: name === '' ? null : name, prefix: name === null || name === '' ? prefix : null, problem };
}

function showStreams(visit: Visit): Promise<Reply> {
  return storePage(visit, async (store) => {
    const search = readSearch(visit);
    return {
      ...{ title: 'Streams', section: 'streams', status: search.problem === null ? 200 : 400 },
      body: html`${section('Look for a stream', searchForms(visit, store, search), { id: 'search' })}
${search.name === null ? '' : await oneStream(visit, store, search.name)}
${search.prefix === null ? '' : await listed(visit, store, search.prefix)}
${search.name === null && search.prefix === null ? await diffSection(visit, store) : ''}`,
    };
  });
}

function searchForms({ query }: Visit, { name: store }: ConsoleStore, { problem }: Search): Html {
  const sent = (field: string): string => (query(field) ?? '').slice(0, MOST_NAME_SIGNS);
  const action = storeLink(store, 'streams');
  const field = (name: 'stream' | 'prefix', label: string, button: string): Html =>
    html`<form class="search" method="get" action="${action}"><div class="field"><label for="${name}">${label}</label><div class="with-button"><input type="text" id="${name}" name="${name}" value="${sent(name)}" maxlength="${MOST_NAME_SIGNS}" autocomplete="off" autocapitalize="off" spellcheck="false" /><button type="submit">${button}</button></div></div></form>`;
  return html`${problem === null ? '' : notice('bad', `${problem}.`)}<div class="searches">${field('stream', 'Its exact name', 'Show it')}${field('prefix', 'How its name begins', 'List them')}</div>`;
}

/** Heads change only with backups, and with what the store does. */
const HISTORY_AGE_MS = 30_000;
const LIST_AGE_MS = 120_000;
const MOST_LISTED = 100;

async function oneStream(visit: Visit, store: ConsoleStore, name: string): Promise<Html> {
  const words = ['show', ...optionWords('--stream', name)];
  const asked = await visit.ports.ask({ store: store.name, words, maxAgeMs: HISTORY_AGE_MS });
  const answer = readAnswer(asked, streamHistory);
  const body =
    answer.state === 'read'
      ? historyBody(visit, store, answer.document)
      : html`${unanswered(answer)}${answer.state === 'failed' && answer.code === 'stream_not_found' ? otherNames(store, name) : ''}${commandBox(commandLine(store, ...words))}`;
  return section('The stream', html`<p class="stream-title"><code>${name}</code></p>${body}`, {
    id: 'stream-history',
    live: true,
  });
}

/** Half of a name finds what it was meant to be. */
function otherNames({ name: store }: ConsoleStore, name: string): Html {
  const prefix = name.slice(0, Math.max(1, Math.ceil(name.length / 2)));
  return html`<p><a href="${withQuery(storeLink(store, 'streams'), { prefix })}">Streams whose names begin with <code>${prefix}</code></a></p>`;
}

async function listed(visit: Visit, store: ConsoleStore, prefix: string): Promise<Html> {
  const words = ['show', '--streams', ...optionWords('--prefix', prefix), '--limit', String(MOST_LISTED)];
  const answer = readAnswer(
    await visit.ports.ask({ store: store.name, words, maxAgeMs: LIST_AGE_MS }),
    streamList,
  );
  const title = prefix === '' ? 'The first streams' : html`Streams that begin with ${prefix}`;
  if (answer.state !== 'read')
    return section('Streams', unanswered(answer), { id: 'stream-list', live: true });
  const { streams, hasMoreStreams, backupId, createdAt } = answer.document;
  return section(
    'Streams',
    html`<p>${title}, as backup ${backupLink(store.name, backupId)} of ${instant(createdAt)} has them with all that it builds on.</p>
${table({
  caption: 'Streams of the newest backup',
  columns: [{ title: 'Stream' }, { title: 'Events', numeric: true }, { title: 'Versions', numeric: true }],
  rows: streams.map(({ streamId, events, firstVersion, lastVersion }) => [
    streamNameLink(store.name, streamId),
    formatCount(events),
    `${firstVersion}–${lastVersion}`,
  ]),
  empty: 'No stream of the newest backup begins so.',
})}
${hasMoreStreams ? html`<p class="muted">There are more than these ${formatCount(streams.length)}: say more of the name.</p>` : ''}`,
    { id: 'stream-list', live: true },
  );
}
