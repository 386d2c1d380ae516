import { html } from 'hono/html';
import { formatCount, formatDuration, plural } from '../../core/units.ts';
import { blindOf, whereOf } from '../../policy/alert-text.ts';
import { BLIND_CHECK } from '../../policy/blind.ts';
import { commandLine } from '../command-line.ts';
import {
  type MONITOR_OUTCOMES,
  type MonitorHistory,
  type MonitorNow,
  monitorHistory,
  type REPAIR_OUTCOMES,
} from '../documents/monitor.ts';
import { askFresh } from '../documents/read-answer.ts';
import { storeLink } from '../links.ts';
import { notice, unanswered } from '../parts/answer.ts';
import { badge, type Tone } from '../parts/badge.ts';
import { commandBox } from '../parts/command-box.ts';
import { facts } from '../parts/facts.ts';
import { jobNow } from '../parts/job-now.ts';
import { inCode, remark, stacked, word } from '../parts/prose.ts';
import { table } from '../parts/table.ts';
import { instant, instantAgo } from '../parts/times.ts';
import type { ConsoleStore } from '../ports.ts';
import type { Html, Route, Visit } from '../route.ts';
import { storePage } from '../store-page.ts';
import { vaultSection } from './integrity-vault.ts';

/** What is known to be wrong, how much was looked at, and what nobody can say. */
export const integrityRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/stores/:store/integrity',
    role: 'viewer',
    handle: (visit) =>
      storePage(visit, async (store) => ({
        ...{ title: 'Integrity', section: 'integrity' },
        body: html`${await liveStore(visit, store)}${vaultSection(visit, store)}`,
      })),
  },
];

const RUNS = 24;

async function liveStore(visit: Visit, store: ConsoleStore): Promise<Html> {
  const newest = store.status?.monitor?.at ?? null;
  const answer = await askFresh(
    visit.ports.ask,
    {
      ...{ store: store.name, words: ['monitor', '--history', '--last', String(RUNS)], maxAgeMs: 600_000 },
      // The daemon knows of a newer run.
      isOutdated: ({ now }) =>
        newest !== null && (now === null || Date.parse(now.startedAt) < Date.parse(newest)),
      outdatedAfterMs: 20_000,
    },
    monitorHistory,
  );
  if (answer.state !== 'read')
    return stacked('Live store', unanswered(answer), { id: 'live-store', live: true });
  const { now, runs, repairs, warnings } = answer.document;
  if (now === null)
    return stacked('Live store', nobodyWatches(visit, store), { id: 'live-store', live: true });
  return html`${stacked('Live store', nowBody(visit, store, now, runs, warnings), { id: 'live-store', live: true })}
${stacked('Open findings', openBody(store, now), { id: 'open-findings', live: true })}
${now.blind.length === 0 ? '' : stacked('What could not be looked at', blindBody(now), { id: 'blind' })}
${stacked('Runs of the monitor', runTable(store, runs))}
${stacked('Repairs', repairTable(repairs))}`;
}

function nobodyWatches(visit: Visit, store: ConsoleStore): Html {
  return html`${notice('warning', 'Nobody watches over the live store: no run of the monitor is on record. Damage in it would show when somebody reads it, and not before.')}
${jobNow(visit, store, { job: 'monitor', words: ['monitor', '--once'] })}`;
}

type Outcome = (typeof MONITOR_OUTCOMES)[number];

const OUTCOMES: Readonly<
  Record<Outcome, { readonly tone: Tone; readonly word: string; readonly text: string }>
> = {
  sound: { tone: 'good', word: 'sound', text: 'Nothing is wrong where the monitor looked.' },
  risk: {
    tone: 'warning',
    word: 'risk',
    text: 'Nothing is damaged, but what guards the events is not in force.',
  },
  damaged: { tone: 'bad', word: 'damaged', text: 'There is damage in the store.' },
  put_off: {
    tone: 'warning',
    word: 'put off',
    text: 'The last run looked at nothing, since replication lagged.',
  },
  blind: { tone: 'bad', word: 'blind', text: 'The last run of the monitor could not look.' },
};

function nowBody(
  visit: Visit,
  store: ConsoleStore,
  now: MonitorNow,
  runs: MonitorHistory['runs'],
  warnings: readonly string[],
): Html {
  const { tone, text } = OUTCOMES[now.outcome];
  const last = runs.at(-1);
  return html`${notice(tone, text)}${warnings.map((warning) => notice('warning', warning))}
${facts([
  ['Looked at last', instantAgo(now.startedAt, visit.ports.now())],
  ...(last === undefined ? [] : lookedFacts(store, last)),
  ...sweepFacts(visit, now),
  ...(now.owed === 0
    ? []
    : [['Notices', remark('warning', `${plural(now.owed, 'notice')} could not be delivered yet`)] as const]),
])}
${jobNow(visit, store, { job: 'monitor', words: ['monitor', '--once'] })}`;
}

type Fact = readonly [string, Html | string];

function lookedFacts(store: ConsoleStore, { looked }: MonitorHistory['runs'][number]): readonly Fact[] {
  const { events, streams, compared, comparedWith } = looked;
  return [
    ['That run read', `${plural(events, 'event')}, ${plural(streams, 'stream')}`],
    [
      'And compared',
      comparedWith === null
        ? 'nothing with a backup'
        : html`${plural(compared, 'event')} with backup <a href="${storeLink(store.name, 'backups', comparedWith)}"><code>${comparedWith.slice(0, 8)}</code></a>`,
    ],
  ];
}

function sweepFacts(visit: Visit, { sweep }: MonitorNow): readonly Fact[] {
  if (sweep === null) return [['Sweep', 'nothing is swept']];
  const { blocks, buckets, suspects, avoidedBlocks } = sweep;
  return [
    [`Events, round ${formatCount(blocks.round)}`, coverage('Events of this round', blocks.covered)],
    [`Streams, round ${formatCount(buckets.round)}`, coverage('Streams of this round', buckets.covered)],
    ['All of it was seen last', wholeSeen(visit, sweep)],
    ...(suspects === 0
      ? []
      : [['Looked at each time', `${plural(suspects, 'part')} where something was found`] as const]),
    ...(avoidedBlocks === 0
      ? []
      : [
          [
            'Passed over',
            remark('bad', `${plural(avoidedBlocks, 'block')} in whose reading the server was lost`),
          ] as const,
        ]),
  ];
}

function coverage(what: string, covered: number): Html {
  const percent = Math.floor(covered * 100);
  return html`<meter min="0" max="100" value="${percent}" aria-label="${what}">${percent} %</meter> ${percent} %`;
}

/** The older one of the two: what has not been seen since is the answer. */
function wholeSeen(visit: Visit, { blocks, buckets }: NonNullable<MonitorNow['sweep']>): Html | string {
  if (blocks.finishedAt === null || buckets.finishedAt === null) return badge('warning', 'never yet');
  const older =
    Date.parse(blocks.finishedAt) < Date.parse(buckets.finishedAt) ? blocks.finishedAt : buckets.finishedAt;
  return instantAgo(older, visit.ports.now());
}

const SEVERITIES = {
  critical: ['bad', 'damage'],
  warning: ['warning', 'risk'],
} as const satisfies Record<MonitorNow['open'][number]['severity'], readonly [Tone, string]>;

function openBody(store: ConsoleStore, { open }: MonitorNow): Html {
  const findings = open.filter(({ check }) => check !== BLIND_CHECK);
  const rows = findings.map(({ check, place, severity, findings, events, since, toldAt }) => {
    const [tone, said] = SEVERITIES[severity];
    return [
      html`<code>${check}</code>`,
      badge(tone, said),
      word(whereOf(place)),
      formatCount(findings),
      events === 0 ? '' : formatCount(events),
      instant(since),
      toldAt === null ? 'not yet' : instant(toldAt),
    ];
  });
  const list = table({
    caption: 'Open findings',
    columns: [
      ...[{ title: 'Check' }, { title: 'Severity' }, { title: 'Where' }],
      ...[
        { title: 'Findings', numeric: true },
        { title: 'Events, about', numeric: true },
      ],
      ...[{ title: 'Since' }, { title: 'Told' }],
    ],
    rows,
    empty: 'None: what was found was looked at again, and is no more.',
  });
  return rows.length === 0 ? list : html`${list}${wayOut(store)}`;
}

/** Nothing is repaired from here: whoever does it reads first what it does. */
function wayOut(store: ConsoleStore): Html {
  return html`<p>What it is, stream by stream, is told on the command line, since names stand in no report. This looks at all of the store, and shows what can be repaired and how (docs/repair.md):</p>
${commandBox(commandLine(store, 'monitor', '--once', '--all', '--repair'))}
<p class="muted">It changes nothing. With <code>--apply</code> it does what it showed, keeps what was there, and looks again.</p>`;
}

function blindBody({ blind, open }: MonitorNow): Html {
  return table({
    caption: 'What could not be looked at',
    columns: [
      ...[{ title: 'What' }, { title: 'Runs in a row', numeric: true }],
      ...[{ title: 'An alert since' }, { title: 'The way out' }],
    ],
    rows: blind.map(({ cause, times }) => {
      const { what, way } = blindOf(cause);
      const alert = open.find(({ check, place }) => check === BLIND_CHECK && place === cause);
      return [what, formatCount(times), alert === undefined ? 'not yet' : instant(alert.since), inCode(way)];
    }),
    empty: '',
  });
}

function runTable(store: ConsoleStore, runs: MonitorHistory['runs']): Html {
  const rows = runs.toReversed().map(({ startedAt, outcome, looked, open, durationMs, checks }) => {
    const { tone, word } = OUTCOMES[outcome];
    return [
      instant(startedAt),
      badge(tone, word),
      formatCount(looked.events),
      formatCount(looked.compared),
      formatCount(open),
      formatDuration(durationMs),
      checksText(checks),
    ];
  });
  const list = table({
    caption: 'Runs of the monitor, the newest first',
    columns: [
      ...[{ title: 'When' }, { title: 'Outcome' }, { title: 'Events', numeric: true }],
      ...[
        { title: 'Compared', numeric: true },
        { title: 'Open', numeric: true },
      ],
      ...[{ title: 'Took', numeric: true }, { title: 'Found, by check' }],
    ],
    rows,
    empty: 'None.',
  });
  return html`${list}<p class="muted">The last ${RUNS} at most. More of them:</p>${commandBox(commandLine(store, 'monitor', '--history', '--last', '1000'))}`;
}

function checksText(checks: MonitorHistory['runs'][number]['checks']): string {
  return checks
    .filter(({ verdict }) => verdict === 'found' || verdict === 'failed')
    .map(({ name, findings, verdict }) =>
      verdict === 'failed' ? `${name} failed` : `${name} ${formatCount(findings)}`,
    )
    .join(', ');
}

const REPAIRED = {
  repaired: 'good',
  refused: 'warning',
  failed: 'bad',
} as const satisfies Record<(typeof REPAIR_OUTCOMES)[number], Tone>;

function repairTable(repairs: MonitorHistory['repairs']): Html {
  return table({
    caption: 'Repairs, the newest first',
    columns: [{ title: 'Began' }, { title: 'Id' }, { title: 'State' }, { title: 'What was done' }],
    rows: repairs
      .toReversed()
      .map(({ repairId, beganAt, state, steps }) => [
        instant(beganAt),
        html`<code>${repairId.slice(0, 8)}</code>`,
        state === 'done' ? badge('good', 'ended') : badge('warning', 'under way, or died'),
        steps === null ? remark('warning', 'its record cannot be read') : stepList(steps),
      ]),
    empty: 'Nothing was ever repaired.',
  });
}

function stepList(steps: NonNullable<MonitorHistory['repairs'][number]['steps']>): Html {
  return html`<ul class="plain">${steps.map(
    ({ kind, count, outcome }) =>
      html`<li><code>${kind}</code> (${formatCount(count)}) ${outcome === null ? '' : badge(REPAIRED[outcome], outcome)}</li>`,
  )}</ul>`;
}
