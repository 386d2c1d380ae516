import { html } from 'hono/html';
import { storeHealth } from '../policy/store-health.ts';
import type { Assets } from './assets.ts';
import { storeLink } from './links.ts';
import { sign } from './parts/badge.ts';
import type { ConsoleStore } from './ports.ts';
import { type Html, type Reply, SECTIONS, type Section, type Visit, type Who } from './route.ts';

export type PageReply = Extract<Reply, { kind: 'page' }>;

/** What a page needs besides what it says. */
export interface PageFrame {
  /** Null: nobody is logged in, and nothing of any store is shown. */
  readonly who: Who | null;
  readonly formToken: string;
  readonly stores: readonly ConsoleStore[];
  /** Name and version of this program, and the host that it runs on. */
  readonly software: string;
  readonly host: string;
  readonly assets: Assets;
  /** When it may be asked for again (`refresh-rate.ts`); null: it does not come again by itself. */
  readonly refreshAfterMs: number | null;
}

/** The frame for whoever was let in. */
export function frameOf(
  { ports, who, formToken }: Visit,
  { assets, host, refreshAfterMs }: Pick<PageFrame, 'assets' | 'host' | 'refreshAfterMs'>,
): PageFrame {
  const { software } = ports;
  return { who, formToken, stores: ports.stores(), software, host, assets, refreshAfterMs };
}

/** Where people log in, and where that form is sent. */
export const LOG_IN_PATH = '/log-in';
/** Where the form to log out is sent. */
export const LOG_OUT_PATH = '/log-out';

/** The whole page. Its title is its heading of the first level: bodies begin at the second. */
export async function renderPage(reply: PageReply, frame: PageFrame): Promise<string> {
  const { title, store, body } = reply;
  const { assets, refreshAfterMs } = frame;
  const fullTitle = [...new Set([title, ...(store === null ? [] : [store]), 'EventCore Backup'])].join(' · ');
  const page = await html`<!doctype html>
<html lang="en" data-refresh-after="${refreshAfterMs ?? ''}">
<head>
<meta charset="utf-8" />
<title>${fullTitle}</title>
<meta name="viewport" content="width=device-width, initial-scale=1" />
<meta name="color-scheme" content="light dark" />
<meta name="robots" content="noindex" />
<meta name="referrer" content="same-origin" />
<script src="${assets.theme.path}"></script>
<link rel="stylesheet" href="${assets.style.path}" />
<link rel="icon" type="image/svg+xml" href="${assets.icon.path}" />
<script src="${assets.script.path}" defer></script>
</head>
<body class="${frame.who === null ? 'alone' : ''}">
<a class="skip" href="#main">Skip to the content</a>
${header(reply, frame)}
<main id="main" tabindex="-1">
<div class="heading">${breadcrumb(reply)}<h1>${title}</h1></div>
${body}
</main>
<footer class="footer"><p>${frame.software} on ${frame.host}. Times are in UTC.</p></footer>
<div id="connection" class="connection" role="status" aria-live="polite"></div>
</body>
</html>
`;
  return page.toString();
}

function header(reply: PageReply, frame: PageFrame): Html {
  const { who } = frame;
  return html`<header class="header">
<a class="brand" href="/">${BRAND}<span>EventCore <b>Backup</b></span></a>
${who === null ? '' : switcher(reply.store, frame.stores)}
${who === null || reply.store === null ? '' : sections(reply.store, reply.section)}
<div class="account"><button type="button" class="quiet theme-switch" data-theme-switch>Theme: system</button>${who === null ? '' : account(who, frame.formToken)}</div>
</header>`;
}

const BRAND = html`<svg class="logo" viewBox="0 0 24 24" width="24" height="24" aria-hidden="true" focusable="false"><rect class="core" x="6.5" y="1.5" width="11" height="21" rx="5.5" /><path class="layer" d="M6.5 8.5h11M6.5 12h11M6.5 17h11" /></svg>`;

function breadcrumb({ store, section }: PageReply): Html {
  if (store === null || section === 'overview') return html``;
  return html`<p class="breadcrumb"><a href="${storeLink(store)}">${store}</a></p>`;
}

function switcher(current: string | null, stores: readonly ConsoleStore[]): Html {
  const chosen = stores.find(({ name }) => name === current);
  return html`<details class="switcher" data-menu><summary><span class="unseen">Store: </span>${chosen === undefined ? html`${sign('faint')}<span class="name">All stores</span>` : html`${sign(storeHealth(chosen).tone)}<span class="name">${chosen.name}</span>`}</summary>
<ul><li><a href="/" aria-current="${current === null ? 'true' : 'false'}"><span class="name">All stores</span></a></li>${choices(current, stores).map((store) => storeChoice(store, current))}</ul></details>`;
}

/** Of many stores only those to which somebody may want to go in a hurry: the page of all stores finds the others. */
function choices(current: string | null, stores: readonly ConsoleStore[]): readonly ConsoleStore[] {
  if (stores.length <= MOST_CHOICES) return stores;
  return stores
    .filter((store) => store.name === current || storeHealth(store).tone === 'bad')
    .slice(0, MOST_CHOICES);
}

const MOST_CHOICES = 24;

function storeChoice(store: ConsoleStore, current: string | null): Html {
  const { tone, word } = storeHealth(store);
  return html`<li><a href="${storeLink(store.name)}" aria-current="${store.name === current ? 'true' : 'false'}">${sign(tone)}<span class="name">${store.name}</span><span class="unseen">, ${word}</span></a></li>`;
}

const SECTION_TITLES: Readonly<Record<Section, string>> = {
  overview: 'Overview',
  backups: 'Backups',
  restore: 'Restore',
  streams: 'Streams',
  integrity: 'Integrity',
  drills: 'Drills',
  regions: 'Regions and DR',
  activity: 'Activity',
};

function sections(store: string, current: Section | null): Html {
  return html`<nav class="sections" aria-label="Pages of ${store}"><ul>${SECTIONS.map(
    (section) =>
      html`<li><a href="${storeLink(store, section)}" aria-current="${section === current ? 'page' : 'false'}">${SECTION_TITLES[section]}</a></li>`,
  )}</ul></nav>`;
}

function account({ name, role, canLogOut }: Who, formToken: string): Html {
  return html`<p class="who"><span class="name">${name}</span> <span class="muted">${role}</span></p>${
    canLogOut
      ? html`<form method="post" action="${LOG_OUT_PATH}"><input type="hidden" name="form_token" value="${formToken}" /><button type="submit" class="quiet">Log out</button></form>`
      : ''
  }`;
}
