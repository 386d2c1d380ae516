import { html } from 'hono/html';
import { plural } from '../../core/units.ts';
import { HEALTH_TONES, type HealthTone, type StoreHealth, storeHealth } from '../../policy/store-health.ts';
import { storeLink, withQuery } from '../links.ts';
import { badge } from '../parts/badge.ts';
import { sentence } from '../parts/prose.ts';
import { table } from '../parts/table.ts';
import { instant } from '../parts/times.ts';
import type { ConsoleStore } from '../ports.ts';
import type { Html, Visit } from '../route.ts';

/** Stores that are too many for a card each: found by a form, without any script, and shown page by page, the worst first. */

/** Up to so many have a card each, and are asked anew while somebody looks. */
export const MOST_CARDS = 24;
const ON_A_PAGE = 50;
const MOST_SIGNS = 100;

const STATE_WORDS: Readonly<Record<HealthTone, string>> = {
  bad: 'in trouble',
  warning: 'needs a look',
  faint: 'not known yet',
  good: 'protected',
};

interface Wish {
  readonly name: string;
  readonly state: HealthTone | null;
  /** From 1. */
  readonly page: number;
}

interface Judged {
  readonly store: ConsoleStore;
  readonly health: StoreHealth;
}

export function fleetBody({ query }: Visit, stores: readonly ConsoleStore[]): Html {
  const wish = readWish(query);
  const judged = stores.map((store): Judged => ({ store, health: storeHealth(store) }));
  const found = judged.filter((one) => isWanted(one, wish)).sort(compare);
  const pages = Math.max(1, Math.ceil(found.length / ON_A_PAGE));
  const page = Math.min(wish.page, pages);
  const shown = found.slice((page - 1) * ON_A_PAGE, page * ON_A_PAGE);
  return html`${searchForm(wish, judged)}<div id="fleet" data-live>${table({
    caption: `${plural(found.length, 'store')}, the worst first${pages === 1 ? '' : `, page ${page} of ${pages}`}`,
    isCaptionShown: true,
    columns: [
      { title: 'Store' },
      { title: 'How it is' },
      { title: 'Can be brought back to' },
      { title: 'Why' },
    ],
    rows: shown.map(rowOf),
    empty: 'No store is so.',
  })}${pageLinks(wish, page, pages)}</div>`;
}

function readWish(query: Visit['query']): Wish {
  const page = Number(query('page') ?? '1');
  return {
    name: (query('name') ?? '').trim().slice(0, MOST_SIGNS),
    state: HEALTH_TONES.find((tone) => tone === query('state')) ?? null,
    page: Number.isSafeInteger(page) && page >= 1 ? page : 1,
  };
}

/** By name, or by a label as team=billing. */
function isWanted({ store, health }: Judged, { name, state }: Wish): boolean {
  if (state !== null && health.tone !== state) return false;
  const text = name.toLowerCase();
  const labels = Object.entries(store.labels).map(([label, value]) => `${label}=${value}`);
  return text === '' || [store.name, ...labels].some((one) => one.toLowerCase().includes(text));
}

function compare(a: Judged, b: Judged): number {
  return (
    HEALTH_TONES.indexOf(a.health.tone) - HEALTH_TONES.indexOf(b.health.tone) ||
    (a.store.name < b.store.name ? -1 : 1)
  );
}

function searchForm({ name, state }: Wish, judged: readonly Judged[]): Html {
  const count = (tone: HealthTone): number => judged.filter(({ health }) => health.tone === tone).length;
  return html`<form class="search" method="get" action="/"><div class="field"><label for="name">Name or label, as team=billing</label><input type="text" id="name" name="name" value="${name}" maxlength="${MOST_SIGNS}" autocomplete="off" autocapitalize="off" spellcheck="false" /></div>
<div class="field"><label for="state">How it is</label><div class="with-button"><select id="state" name="state"><option value="">all (${judged.length})</option>${HEALTH_TONES.map((tone) => html`<option value="${tone}" ${tone === state ? 'selected' : ''}>${STATE_WORDS[tone]} (${count(tone)})</option>`)}</select><button type="submit">Show</button></div></div></form>`;
}

function rowOf({ store, health }: Judged): (Html | string)[] {
  const newest = store.status?.newestPoint ?? null;
  return [
    html`<a href="${storeLink(store.name)}">${store.name}</a>`,
    badge(health.tone, health.word),
    newest === null ? '' : html`${instant(newest)}`,
    health.reason === null ? '' : html`${sentence(health.reason)}`,
  ];
}

function pageLinks({ name, state }: Wish, page: number, pages: number): Html {
  if (pages === 1) return html``;
  const link = (to: number, words: string): Html =>
    html`<a href="${withQuery('/', { name: name || null, state, page: String(to) })}">${words}</a>`;
  return html`<nav aria-label="Pages of stores"><p>${page > 1 ? link(page - 1, 'Previous page') : ''} ${page < pages ? link(page + 1, 'Next page') : ''}</p></nav>`;
}
