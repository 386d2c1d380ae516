import { html } from 'hono/html';
import { ENDLESS_JOBS } from '../../core/job.ts';
import { plural } from '../../core/units.ts';
import { storeHealth } from '../../policy/store-health.ts';
import { type StoreAnswer, storeAnswer } from '../answer-words.ts';
import { storeLink } from '../links.ts';
import { badge, sign } from '../parts/badge.ts';
import { JOB_WORDS } from '../parts/job-words.ts';
import { miniTimeline } from '../parts/mini-timeline.ts';
import { piece } from '../parts/piece.ts';
import { progressBar } from '../parts/progress.ts';
import { sentence } from '../parts/prose.ts';
import { section } from '../parts/section.ts';
import type { ConsoleStore } from '../ports.ts';
import type { Html, Reply, Route, Visit } from '../route.ts';
import { fleetBody, MOST_CARDS } from './fleet.ts';
import { timelineFacts } from './timeline-facts.ts';

export const overviewRoutes: readonly Route[] = [
  { method: 'GET', path: '/', role: 'viewer', handle: overviewPage },
];

function overviewPage(visit: Visit): Reply {
  const { ports } = visit;
  const stores = ports.stores();
  const nowMs = ports.now();
  return {
    ...{ kind: 'page', title: 'All stores', section: null, store: null },
    body: html`${summary(stores)}${attention(stores)}${stores.length > MOST_CARDS ? fleetBody(visit, stores) : html`<ul class="stores">${stores.map((store, i) => html`<li>${storeCard(store, i, nowMs)}</li>`)}</ul>`}`,
  };
}

function summary(stores: readonly ConsoleStore[]): Html {
  const healths = stores.map(storeHealth);
  const well = healths.filter(({ tone }) => tone === 'good').length;
  const young = healths.filter(({ tone }) => tone === 'faint').length;
  const troubled = stores.length - well - young;
  const words = [
    ...(troubled === 0 ? [] : [`${troubled} ${troubled === 1 ? 'needs' : 'need'} somebody to look`]),
    ...(young === 0 ? [] : [`${young} ${young === 1 ? 'is' : 'are'} not known yet`]),
  ];
  const all =
    troubled + young === 0
      ? stores.length === 1
        ? 'The store is protected.'
        : `All ${plural(stores.length, 'store')} are protected.`
      : `${well} of ${plural(stores.length, 'store')} ${well === 1 || stores.length === 1 ? 'is' : 'are'} protected; ${words.join(', ')}.`;
  return html`<p class="lead" id="summary" data-live>${all}</p>`;
}

interface Concern {
  readonly reason: string;
  readonly next: string | null;
}

const MOST_CONCERNED = 12;

/** What somebody has to look at, of all stores, first. */
function attention(stores: readonly ConsoleStore[]): Html {
  const concerned = stores
    .map((store) => ({ name: store.name, concerns: concernsOf(store) }))
    .filter(({ concerns }) => concerns.length > 0);
  if (concerned.length === 0) return html`<div id="attention" data-live></div>`;
  const more = concerned.length - MOST_CONCERNED;
  return section(
    'Needs somebody',
    html`<ul class="concerns">${concerned.slice(0, MOST_CONCERNED).map(({ name, concerns }) => html`<li><p class="whose">${sign('bad')}<a href="${storeLink(name)}">${name}</a></p><ul>${concerns.map(concernItem)}</ul></li>`)}</ul>${more > 0 ? html`<p class="muted">and ${plural(more, 'more store', 'more stores')}</p>` : ''}`,
    { id: 'attention', live: true },
  );
}

function concernItem({ reason, next }: Concern): Html {
  return html`<li><p>${sentence(reason)}</p>${next === null ? '' : html`<p class="muted">${sentence(next)}</p>`}</li>`;
}

function concernsOf(store: ConsoleStore): Concern[] {
  const { objectives, trouble } = store;
  const named = [
    ...(trouble === null ? [] : [{ reason: `It cannot be asked how it is: ${trouble}`, next: null }]),
    ...objectives.filter(({ state }) => state === 'breached').map(({ reason, next }) => ({ reason, next })),
  ];
  const { tone, reason } = storeHealth(store);
  // Who is counted among those that somebody has to look at is named there.
  return named.length > 0 || tone === 'good' || reason === null ? named : [{ reason, next: null }];
}

function storeCard(store: ConsoleStore, at: number, nowMs: number): Html {
  const health = storeHealth(store);
  const answer = storeAnswer(store.status, nowMs);
  return html`<article class="store ${health.tone}" id="store-${at}" aria-labelledby="store-${at}-name" data-live>
<header><h2 id="store-${at}-name"><a href="${storeLink(store.name)}">${store.name}</a></h2><p class="address">${store.store}</p></header>
${answerLine(answer)}
${store.status === null || store.status.windows.length === 0 ? '' : miniTimeline(timelineFacts(store.status, nowMs))}
<div class="store-foot"><p>${badge(health.tone, health.word)}</p>${objectiveCount(store)}${runningJobs(store)}</div>
</article>`;
}

function answerLine({ headline }: StoreAnswer): Html {
  return html`<p class="answer">${headline.map(piece)}</p>`;
}

function objectiveCount({ objectives }: ConsoleStore): Html {
  if (objectives.length === 0) return html``;
  const kept = objectives.filter(({ state }) => state === 'kept').length;
  return html`<p class="muted">${kept} of ${plural(objectives.length, 'objective')} kept</p>`;
}

function runningJobs({ jobs }: ConsoleStore): Html {
  const running = jobs.filter(({ job, runningSinceMs }) => runningSinceMs !== null && !ENDLESS_JOBS.has(job));
  return html`${running.map(({ job, progress }) =>
    progress === null
      ? html`<p>${JOB_WORDS[job]} runs</p>`
      : html`<div class="runs"><p>${JOB_WORDS[job]}</p>${progressBar(JOB_WORDS[job], progress)}</div>`,
  )}`;
}
