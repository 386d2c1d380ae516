import { html } from 'hono/html';
import { JOB_NAMES, type JobName } from '../../core/job.ts';
import type { Objective, StoreStatus } from '../../core/status.ts';
import { formatBytes, plural } from '../../core/units.ts';
import { storeHealth } from '../../policy/store-health.ts';
import { type Grounds, groundsOf, isAbandoned, storeAnswer } from '../answer-words.ts';
import { storeLink, withQuery } from '../links.ts';
import { actionForm } from '../parts/action-form.ts';
import { notice } from '../parts/answer.ts';
import { badge, sign, type Tone } from '../parts/badge.ts';
import { facts } from '../parts/facts.ts';
import { JOB_WORDS } from '../parts/job-words.ts';
import { piece } from '../parts/piece.ts';
import { progressBar } from '../parts/progress.ts';
import { PROMISE_STATES } from '../parts/promise.ts';
import { sentence } from '../parts/prose.ts';
import { section } from '../parts/section.ts';
import { table } from '../parts/table.ts';
import { timeline } from '../parts/timeline.ts';
import { zoomOf } from '../parts/timeline-geometry.ts';
import { ago, instantAgo, span } from '../parts/times.ts';
import type { ConsoleStore } from '../ports.ts';
import type { Html, Reply, Route, Visit } from '../route.ts';
import { storePage } from '../store-page.ts';
import { jobsTable } from './jobs-table.ts';
import { timelineFacts } from './timeline-facts.ts';

export const storeRoutes: readonly Route[] = [
  { method: 'GET', path: '/stores/:store', role: 'viewer', handle: overview },
  { method: 'POST', path: '/stores/:store/jobs/:job/run', role: 'operator', handle: runJob },
];

function overview(visit: Visit): Promise<Reply> {
  const nowMs = visit.ports.now();
  return storePage(visit, (store) => ({
    ...{ title: store.name, section: 'overview' },
    body: html`${asked(visit)}${hero(visit, store, nowMs)}
${recoveryWindow(visit, store, nowMs)}
${objectivesSection(store)}
${section('Jobs', jobsTable(visit, store, nowMs), { id: 'jobs', live: true })}
${section('Where it is', placesFacts(store, nowMs), { id: 'places', live: true })}`,
  }));
}

/** What came of a button that was pressed just now. */
function asked({ query }: Visit): Html {
  const [job, outcome] = [query('asked'), query('outcome')];
  if (!isJob(job)) return html``;
  const text =
    outcome === 'runs_already'
      ? `${JOB_WORDS[job]} runs already.`
      : `${JOB_WORDS[job]} was asked for: it runs as soon as it can.`;
  return notice('faint', text);
}

function isJob(text: string | null): text is JobName {
  return JOB_NAMES.some((name) => name === text);
}

function hero(visit: Visit, store: ConsoleStore, nowMs: number): Html {
  const { status, trouble } = store;
  const health = storeHealth(store);
  const { headline, more } = storeAnswer(status, nowMs);
  return html`<div class="hero" id="answer" data-live>
<p class="verdict">${badge(health.tone, health.word)}${status === null ? '' : html`<span class="muted">as of ${ago(nowMs - Date.parse(status.at))}</span>`}</p>
<p class="headline">${headline.map(piece)}</p>
${more.map((sentence) => html`<p class="more">${sentence.map(piece)}</p>`)}${firstBackup(store)}
${trouble === null ? '' : notice('bad', status === null ? trouble : `It could not be asked since; this is what was known ${ago(nowMs - Date.parse(status.at))}. ${trouble}`)}
${status === null ? '' : html`<dl class="grounds">${groundsOf(status, nowMs).map(ground)}</dl>`}
</div>
${buttons(visit, store)}`;
}

/** Until there is something to bring back, what matters is how far the first backup is. */
function firstBackup({ status, jobs }: ConsoleStore): Html {
  const full = jobs.find(({ job, progress }) => job === 'full' && progress !== null);
  if (full?.progress == null || (status !== null && status.windows.length > 0)) return html``;
  return html`<div class="first-backup"><p>The first full backup runs.</p>${progressBar('First full backup', full.progress)}</div>`;
}

function ground({ title, tone, value, detail }: Grounds): Html {
  return html`<div><dt>${title}</dt><dd class="value">${sign(tone)}${value}<span class="unseen">${TONE_WORDS[tone]}</span></dd><dd class="detail">${detail}</dd></div>`;
}

const TONE_WORDS: Readonly<Record<Tone, string>> = {
  good: ' (well)',
  warning: ' (look at it)',
  bad: ' (bad)',
  faint: '',
};

/** Backups are incremental where they can be. */
function buttons(visit: Visit, { name, jobs }: ConsoleStore): Html {
  if (visit.who.role !== 'operator') return html``;
  const has = (job: JobName): boolean => jobs.some((view) => view.job === job);
  const backup: JobName | null = has('incremental') ? 'incremental' : has('full') ? 'full' : null;
  const wanted: (readonly [JobName, string])[] = [
    ...(backup === null ? [] : [[backup, 'Back up now'] as const]),
    ...(has('verify') ? [['verify', 'Verify'] as const] : []),
    ...(has('drill') ? [['drill', 'Drill'] as const] : []),
  ];
  return html`<div class="buttons">${wanted.map(([job, button]) => actionForm({ visit, button, action: runLink(name, job) }))}<a class="button" href="${storeLink(name, 'restore')}">Restore…</a></div>`;
}

export function runLink(store: string, job: JobName): string {
  return `${storeLink(store)}/jobs/${job}/run`;
}

function recoveryWindow({ query }: Visit, { name, status }: ConsoleStore, nowMs: number): Html {
  if (status === null || status.windows.length + status.backups.length === 0)
    return html`<div id="window" data-live></div>`;
  const known = timelineFacts(status, nowMs);
  return section(
    'Recovery window',
    timeline(known, { zoom: zoomOf(query('range'), known), link: storeLink(name) }),
    { id: 'window', live: true },
  );
}

const OBJECTIVE_WORDS: Readonly<Record<Objective['name'], string>> = {
  rpo: 'Recovery point',
  region_rpo: 'Recovery point of a region',
  rto: 'Recovery time',
  verified_within: 'Verified within',
  drilled_within: 'Drilled within',
};

function objectivesSection({ objectives, status }: ConsoleStore): Html {
  const empty =
    status === null
      ? 'They are not known before the vault was asked.'
      : 'The policy promises nothing: write `objectives:` with rpo, rto, verified_within and drilled_within.';
  const body = table({
    caption: 'Objectives of the policy',
    columns: [
      ...[{ title: 'Objective' }, { title: 'State, why, and what next' }],
      ...[
        { title: 'Promised', numeric: true },
        { title: 'Is', numeric: true },
      ],
    ],
    rows: objectives.map(({ name, region, promisedMs, actualMs, state, reason, next }) => [
      region === null ? OBJECTIVE_WORDS[name] : `Recovery point in ${region}`,
      html`<p>${badge(...PROMISE_STATES[state])} ${sentence(reason)}</p>${next === null ? '' : html`<p class="next">${sentence(next)}</p>`}`,
      ...[span(promisedMs), actualMs === null ? 'not known' : span(actualMs)],
    ]),
    empty,
  });
  return section('Objectives', body, { id: 'objectives', live: true });
}

function placesFacts({ name, store, vault, config, status }: ConsoleStore, nowMs: number): Html {
  const size =
    status === null
      ? []
      : [
          [
            'In the vault',
            html`<a href="${storeLink(name, 'backups')}">${plural(status.backupCount, 'backup')}</a>, ${formatBytes(status.backupBytes)}`,
          ] as const,
        ];
  return facts([
    ['Store', html`<code>${store}</code>`],
    ['Vault', html`<code>${vault}</code>`],
    ['Configuration', html`<code>${config}</code>`],
    ...size,
    ...(status?.log == null ? [] : [['Change log', logWords(status, status.log)] as const]),
    ...(status?.monitor == null
      ? []
      : [
          [
            'Integrity',
            html`${plural(status.monitor.openCritical, 'critical finding')} and ${plural(status.monitor.openWarning, 'warning')} open, looked at ${instantAgo(status.monitor.at, nowMs)}`,
          ] as const,
        ]),
  ]);
}

function logWords(
  status: StoreStatus,
  { lagSeconds, retainedBytes, spareBytes }: NonNullable<StoreStatus['log']>,
): string {
  const lag = lagSeconds === 0 ? 'nothing is missing' : `${span(lagSeconds * 1000)} behind`;
  const kept = retainedBytes === null ? '' : `; the store keeps ${formatBytes(retainedBytes)} for it`;
  const spare = spareBytes === null ? '' : ` and has room for ${formatBytes(spareBytes)} more`;
  return `${isAbandoned(status) ? 'nobody captures it now, ' : ''}${lag}${kept}${spare}`;
}

/** Answers with the page of the store, or with one that says that there is no such job. */
function runJob(visit: Visit): Promise<Reply> | Reply {
  const { ports, param, who } = visit;
  const [name, job] = [param('store'), param('job')];
  if (!isJob(job)) return noSuchJob(visit);
  const outcome = ports.actions.runJob(name, job, who.name);
  if (outcome === 'unknown') return noSuchJob(visit);
  return { kind: 'redirect', to: withQuery(storeLink(name), { asked: job, outcome }) };
}

function noSuchJob(visit: Visit): Promise<Reply> {
  return storePage(visit, ({ name, config }) => ({
    ...{ title: 'No such job', section: 'overview', status: 404 },
    body: html`<p class="lead">${name} has no such job: write it under <code>serve.jobs</code> of <code>${config}</code>.</p>`,
  }));
}
