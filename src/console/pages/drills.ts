import { html } from 'hono/html';
import { formatCount, formatDuration, plural } from '../../core/units.ts';
import { formatSpan } from '../../policy/duration.ts';
import { commandLine } from '../command-line.ts';
import { drillList, type ListedDrill } from '../documents/drills.ts';
import { askFresh } from '../documents/read-answer.ts';
import { storeLink } from '../links.ts';
import { notice, unanswered } from '../parts/answer.ts';
import { badge } from '../parts/badge.ts';
import { commandBox } from '../parts/command-box.ts';
import { facts } from '../parts/facts.ts';
import { jobNow } from '../parts/job-now.ts';
import { promiseOf } from '../parts/promise.ts';
import { stacked } from '../parts/prose.ts';
import { table } from '../parts/table.ts';
import { instant, instantAgo } from '../parts/times.ts';
import { type TrendPoint, trend } from '../parts/trend.ts';
import type { ConsoleStore } from '../ports.ts';
import type { Html, Route, Visit } from '../route.ts';
import { storePage } from '../store-page.ts';
import { shownDrillPage } from './drill.ts';
import { resultBadge, signatureBadge, testMarks } from './drill-words.ts';

/** Whether what is in the vault comes back, by restores that were made to see it. */
export const drillRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/stores/:store/drills',
    role: 'viewer',
    handle: (visit) =>
      storePage(visit, async (store) => ({
        ...{ title: 'Drills', section: 'drills' },
        body: html`${drillNow(visit, store)}${await pastDrills(visit, store)}`,
      })),
  },
  {
    method: 'GET',
    path: '/stores/:store/drills/:id',
    role: 'viewer',
    handle: (visit) => storePage(visit, (store) => shownDrillPage(visit, store)),
  },
];

const SHOWN = 60;

function drillNow(visit: Visit, store: ConsoleStore): Html {
  const { status, objectives } = store;
  const drill = status?.drill ?? null;
  const nowMs = visit.ports.now();
  const passedAt = status?.lastPassedDrillAt ?? null;
  const body = html`${status !== null && drill === null ? notice('warning', 'No drill is on record: nobody knows yet whether these backups come back, or how long it takes.') : ''}
${facts([
  ...(drill === null
    ? []
    : [['Newest', html`${resultBadge(drill.passed)} ${instantAgo(drill.at, nowMs)}`] as const]),
  [
    'Passed last',
    passedAt === null
      ? badge('warning', status === null ? 'not known yet' : 'never')
      : instantAgo(passedAt, nowMs),
  ],
  ['Drilled', promiseOf(objectives, 'drilled_within')],
  ['Time to restore', promiseOf(objectives, 'rto')],
])}
${jobNow(visit, store, { job: 'drill', button: 'Drill now', words: ['drill'] })}`;
  return stacked('Now', body, { id: 'drill-now', live: true });
}

async function pastDrills(visit: Visit, store: ConsoleStore): Promise<Html> {
  const newest = store.status?.drill?.at ?? null;
  const answer = await askFresh(
    visit.ports.ask,
    {
      ...{ store: store.name, words: ['drill', 'list', '--limit', String(SHOWN)], maxAgeMs: 1_800_000 },
      // The daemon knows of a newer one.
      isOutdated: ({ drills }) => newest !== null && !drills.some((drill) => isAsNew(drill, newest)),
      outdatedAfterMs: 20_000,
    },
    drillList,
  );
  if (answer.state !== 'read')
    return stacked('Past drills', unanswered(answer), { id: 'past-drills', live: true });
  const { drills, total } = answer.document;
  const count =
    total > drills.length
      ? html`<p class="muted">The newest ${formatCount(drills.length)} of ${plural(total, 'drill')}. All of them:</p>`
      : '';
  const all = commandBox(commandLine(store, 'drill', 'list', '--limit', String(Math.max(SHOWN, total))));
  return html`${stacked('Trend', trends(store, drills))}
${stacked('Past drills', html`${drillTable(store, drills)}${count}${all}`, { id: 'past-drills', live: true })}`;
}

/** The daemon knows when it ended. */
function isAsNew({ startedAt, durationMs }: ListedDrill, endedAt: string): boolean {
  if (startedAt === null || durationMs === null) return false;
  return Date.parse(startedAt) + durationMs >= Date.parse(endedAt) - SLACK_MS;
}

/** Both are taken by clocks of their own. */
const SLACK_MS = 1000;

function trends(store: ConsoleStore, drills: readonly ListedDrill[]): Html {
  const promises = store.status?.promises ?? null;
  const format = (ms: number): string => formatDuration(ms);
  const restore = {
    promised: promises?.rtoMs ?? null,
    points: pointsOf(drills, ({ fullRestoreMs }) => fullRestoreMs, promises?.rtoMs ?? null),
  };
  const loss = {
    promised: promises?.rpoMs ?? null,
    points: pointsOf(drills, lossMs, promises?.rpoMs ?? null),
  };
  return html`${trend({ title: 'Recovery time (RTO): a restore of the whole store', format, ...restore })}
${trend({ title: 'Recovery point (RPO): the time that would have been lost', format, ...loss })}`;
}

/** Where the store has no more events than can be brought back, nothing is lost, however long ago the newest instant is. */
export function lossMs({
  recoverableAgeMs,
  eventsAtRisk,
}: Pick<ListedDrill, 'recoverableAgeMs' | 'eventsAtRisk'>): number | null {
  return eventsAtRisk === 0 ? 0 : recoverableAgeMs;
}

function pointsOf(
  drills: readonly ListedDrill[],
  measureOf: (drill: ListedDrill) => number | null,
  promised: number | null,
): TrendPoint[] {
  return drills.toReversed().flatMap((drill) => {
    const value = measureOf(drill);
    if (value === null || drill.startedAt === null) return [];
    return [{ at: drill.startedAt, value, isBad: promised !== null && value > promised }];
  });
}

function drillTable(store: ConsoleStore, drills: readonly ListedDrill[]): Html {
  return table({
    caption: 'Past drills, the newest first',
    columns: [
      ...[{ title: 'When' }, { title: 'Result' }, { title: 'Tests' }],
      ...[
        { title: 'Whole restore', numeric: true },
        { title: 'Events a second', numeric: true },
      ],
      ...[{ title: 'Promises' }, { title: 'Evidence' }],
    ],
    rows: drills.map((drill) => drillRow(store, drill)),
    empty: 'None yet.',
  });
}

function drillRow(store: ConsoleStore, drill: ListedDrill): (Html | string)[] {
  const { drillId, startedAt, overallSuccess, problem, tests, reasons, signature } = drill;
  const { fullRestoreMs, eventsPerSecond, objectives } = drill;
  const link = storeLink(store.name, 'drills', drillId);
  return [
    html`<a href="${link}">${startedAt === null ? html`<code>${drillId.slice(0, 8)}</code>` : instant(startedAt)}</a>`,
    overallSuccess === null ? badge('bad', 'cannot be read') : resultBadge(overallSuccess),
    testMarks(tests, reasons),
    fullRestoreMs === null ? '' : formatDuration(fullRestoreMs),
    eventsPerSecond === null ? '' : formatCount(eventsPerSecond),
    objectivesCell(objectives),
    problem === null ? signatureBadge(signature) : badge('bad', 'cannot be believed'),
  ];
}

function objectivesCell(objectives: ListedDrill['objectives']): Html | string {
  const missed = objectives.filter(({ met }) => !met);
  if (objectives.length === 0) return '';
  if (missed.length === 0) return badge('good', 'kept');
  return html`${missed.map(({ name, targetMs }) => badge('bad', `${name} of ${formatSpan(targetMs)} missed`))}`;
}
