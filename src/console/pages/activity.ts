import { html } from 'hono/html';
import { JOB_NAMES } from '../../core/job.ts';
import { formatDuration, plural } from '../../core/units.ts';
import { commandLine } from '../command-line.ts';
import { type RunsDocument, runsDocument } from '../documents/backups.ts';
import { readAnswer } from '../documents/read-answer.ts';
import { unanswered } from '../parts/answer.ts';
import { badge, type Tone } from '../parts/badge.ts';
import { commandBox } from '../parts/command-box.ts';
import { endWords, JOB_WORDS } from '../parts/job-words.ts';
import { progressBar } from '../parts/progress.ts';
import { section } from '../parts/section.ts';
import { table } from '../parts/table.ts';
import { instant, instantAgo, span } from '../parts/times.ts';
import type { AuditEntry, ConsoleStore, Operation } from '../ports.ts';
import type { Html, Reply, Route, Visit } from '../route.ts';
import { storePage } from '../store-page.ts';

export const activityRoutes: readonly Route[] = [
  { method: 'GET', path: '/stores/:store/activity', role: 'viewer', handle: activityPage },
];

const MAX_AGE_MS = 30_000;
const SHOWN_RUNS = 60;
const SHOWN_ENTRIES = 100;

function activityPage(visit: Visit): Promise<Reply> {
  const { ports, who } = visit;
  const nowMs = ports.now();
  return storePage(visit, async (store) => {
    const words = ['runs', '--limit', String(SHOWN_RUNS)];
    const runs = readAnswer(
      await ports.ask({ store: store.name, words, maxAgeMs: MAX_AGE_MS }),
      runsDocument,
    );
    const operations = ports.operations().filter((operation) => operation.store === store.name);
    return {
      ...{ title: 'Activity', section: 'activity' },
      body: html`${section('From this console', operationsTable(operations, nowMs), { id: 'operations', live: true })}
${section('Runs of jobs', html`${runs.state === 'read' ? runsTable(runs.document, store, nowMs) : unanswered(runs)}${commandBox(commandLine(store, ...words))}`, { id: 'runs', live: true })}
${who.role === 'operator' ? section('Who did what', auditTable(ports.audit()), { id: 'audit', live: true }) : ''}`,
    };
  });
}

const OPERATION_STATES: Readonly<Record<Operation['state'], readonly [Tone, string]>> = {
  waits: ['faint', 'waits'],
  runs: ['faint', 'runs'],
  succeeded: ['good', 'done'],
  failed: ['bad', 'failed'],
  cancelled: ['faint', 'cancelled'],
};

function operationsTable(operations: readonly Operation[], nowMs: number): Html {
  return table({
    caption: 'What was begun from this console since the daemon was started',
    columns: [{ title: 'What' }, { title: 'Who' }, { title: 'Began' }, { title: 'State' }],
    rows: operations.map((operation) => [
      html`<a href="/operations/${encodeURIComponent(operation.id)}">${operation.title}</a>`,
      ...[
        operation.who,
        instantAgo(new Date(operation.startedMs).toISOString(), nowMs),
        operationState(operation),
      ],
    ]),
    empty: 'Nothing was begun from this console since the daemon was started.',
  });
}

function operationState({ state, startedMs, endedMs, progress, trouble, title }: Operation): Html {
  const took = endedMs === null ? '' : html` <span class="muted">in ${span(endedMs - startedMs)}</span>`;
  const bar = state === 'runs' && progress !== null ? progressBar(title, progress) : '';
  return html`<p>${badge(...OPERATION_STATES[state])}${took}</p>${bar}${trouble === null ? '' : html`<p class="next">${trouble}</p>`}`;
}

type Run = RunsDocument['runs'][number];

function runsTable({ runs }: RunsDocument, { jobs }: ConsoleStore, nowMs: number): Html {
  return table({
    caption: 'Runs on record in the vault, of all daemons, the newest first',
    columns: [
      ...[{ title: 'Job' }, { title: 'Began' }, { title: 'Ended' }, { title: 'Took', numeric: true }],
      ...[{ title: 'Why' }, { title: 'Daemon' }],
    ],
    rows: runs.map((run) => [
      jobWord(run.job),
      instantAgo(run.startedAt, nowMs),
      html`${runState(run, runs, jobs)}${run.code === null ? '' : html` <code>${run.code}</code>`}${eventWords(run)}`,
      run.durationMs === null ? '' : formatDuration(run.durationMs),
      `${run.reason}${run.missed === 0 ? '' : `, ${run.missed} missed before`}${run.attempt === 1 ? '' : `, attempt ${run.attempt}`}`,
      run.daemon,
    ]),
    empty: 'No run is on record yet.',
  });
}

/** The newest of a job that this daemon runs is the one that it runs; of another daemon's nobody knows here. */
function runState(run: Run, runs: readonly Run[], jobs: ConsoleStore['jobs']): Html {
  const sinceMs = jobs.find(({ job }) => job === run.job)?.runningSinceMs ?? null;
  const isNewest = runs.find(({ job }) => job === run.job) === run;
  const isHere = sinceMs !== null && isNewest && Date.parse(run.startedAt) <= sinceMs;
  if (run.state !== 'not_ended') return badge(...endWords({ ...run, state: run.state }));
  return isHere ? badge('faint', 'runs') : badge('warning', 'not ended');
}

function jobWord(name: string): string {
  const job = JOB_NAMES.find((one) => one === name);
  return job === undefined ? name : JOB_WORDS[job];
}

function eventWords({ facts }: Run): Html | string {
  const { totalEvents } = facts;
  return totalEvents === undefined ? '' : html` <span class="muted">${plural(totalEvents, 'event')}</span>`;
}

const OUTCOMES: Readonly<Record<AuditEntry['outcome'], Tone>> = {
  done: 'good',
  refused: 'warning',
  failed: 'bad',
};

function auditTable(entries: readonly AuditEntry[]): Html {
  return table({
    caption: 'Who did what, tried or was refused, at all stores, the newest first',
    columns: [
      { title: 'When' },
      { title: 'Who' },
      { title: 'From' },
      { title: 'What' },
      { title: 'Outcome' },
    ],
    rows: entries
      .slice(0, SHOWN_ENTRIES)
      .map(({ at, who, from, action, subject, outcome }) => [
        instant(at),
        ...[who, html`<code>${from}</code>`],
        html`${action.replaceAll('_', ' ')} <span class="muted">${subject}</span>`,
        badge(OUTCOMES[outcome], outcome),
      ]),
    empty: 'Nothing is on record since the daemon was started.',
  });
}
