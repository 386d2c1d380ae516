import { html } from 'hono/html';
import { ENDLESS_JOBS, type JobName } from '../../core/job.ts';
import type { JobView } from '../../daemon/registry.ts';
import { commandLine } from '../command-line.ts';
import { storeLink } from '../links.ts';
import type { ConsoleStore } from '../ports.ts';
import type { Html, Visit } from '../route.ts';
import { actionForm } from './action-form.ts';
import { badge } from './badge.ts';
import { commandBox } from './command-box.ts';
import { facts } from './facts.ts';
import { endWords, JOB_WORDS } from './job-words.ts';
import { progressBar } from './progress.ts';
import { remark, sentence } from './prose.ts';
import { ago, span } from './times.ts';

export interface JobNowParts {
  readonly job: JobName;
  /** What the button says; left out: it runs until it is stopped, so nobody asks for it. */
  readonly button?: string;
  /** The command that does the same, word by word, where this daemon does not run the job. */
  readonly words: readonly string[];
}

/** When a job ran, when it is due, and a button for those who may; where this daemon does not run it, how one does. */
export function jobNow(visit: Visit, store: ConsoleStore, { job, button, words }: JobNowParts): Html {
  const view = store.jobs.find((one) => one.job === job);
  if (view === undefined) {
    return html`<p class="muted">This daemon does not run it: name <code>${job}</code> in <code>serve.jobs</code> of the configuration, or run it by hand.</p>${commandBox(commandLine(store, ...words))}`;
  }
  const mayRun = visit.who.role === 'operator' && view.runningSinceMs === null && view.asked === null;
  const form =
    mayRun && button !== undefined
      ? actionForm({ visit, action: `${storeLink(store.name)}/jobs/${job}/run`, button })
      : '';
  const { progress } = view;
  // What never ends is as far as it will ever be, most of the time.
  const bar = progress === null || ENDLESS_JOBS.has(job) ? '' : progressBar(JOB_WORDS[job], progress);
  return html`${facts(jobFacts(view, visit.ports.now()))}${bar}${form}`;
}

type Fact = readonly [string, Html | string];

function jobFacts(view: JobView, nowMs: number): Fact[] {
  const { last, lastTrouble, runningSinceMs, asked, trouble } = view;
  const running =
    runningSinceMs === null ? [] : [['Running', `for ${span(nowMs - runningSinceMs)}`] as const];
  const wanted =
    asked === null ? [] : [['Asked for', `by ${asked.who}, ${ago(nowMs - asked.atMs)}`] as const];
  return [
    ...running,
    ...wanted,
    ['Last run', last === null ? noRun(view) : lastRun(last, nowMs)],
    ...(lastTrouble === null ? [] : [['It said', sentence(lastTrouble)] as const]),
    ...(runningSinceMs === null && asked === null ? [['Next run', nextRun(view, nowMs)] as const] : []),
    ...(trouble === null ? [] : [['Trouble', remark('bad', trouble)] as const]),
  ];
}

function noRun({ runningSinceMs }: JobView): string {
  return runningSinceMs === null ? 'none on record' : 'has not ended yet';
}

function nextRun({ timing, nextMs }: JobView, nowMs: number): Html | string {
  if (timing.kind === 'asked') return badge('warning', 'on no schedule');
  if (nextMs === null) return 'not known yet';
  return nextMs <= nowMs ? 'now' : `in ${span(nextMs - nowMs)}`;
}

function lastRun(last: NonNullable<JobView['last']>, nowMs: number): Html {
  const { endedAt, durationMs } = last;
  return html`${badge(...endWords(last))} ${ago(nowMs - Date.parse(endedAt))}, took ${span(durationMs)}`;
}
