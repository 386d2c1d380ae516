import { html } from 'hono/html';
import type { JobName, JobState } from '../../core/job.ts';
import type { JobView } from '../../daemon/registry.ts';
import { commandLine } from '../command-line.ts';
import { storeLink } from '../links.ts';
import type { ConsoleStore } from '../ports.ts';
import type { Html, Visit } from '../route.ts';
import { actionForm } from './action-form.ts';
import { badge, type Tone } from './badge.ts';
import { commandBox } from './command-box.ts';
import { facts } from './facts.ts';
import { ago, span } from './times.ts';

export interface JobNowParts {
  readonly job: JobName;
  /** What the button says. */
  readonly button: string;
  /** The command that does the same, word by word, where this daemon does not run the job. */
  readonly words: readonly string[];
}

/** When a job ran, when it is due, and a button for those who may; where this daemon does not run it, how one does. */
export function jobNow(visit: Visit, store: ConsoleStore, { job, button, words }: JobNowParts): Html {
  const view = store.jobs.find((one) => one.job === job);
  if (view === undefined) {
    return html`<p class="muted">This daemon does not run it: name <code>${job}</code> in <code>serve.jobs</code> of the configuration, or run it by hand.</p>${commandBox(commandLine(store, ...words))}`;
  }
  const mayRun = visit.who.role === 'operator' && view.runningSinceMs === null;
  const form = mayRun
    ? actionForm({ visit, action: `${storeLink(store.name)}/jobs/${job}/run`, button })
    : '';
  return html`${facts(jobFacts(view, visit.ports.now()))}${form}`;
}

const ENDS: Readonly<Record<JobState, readonly [Tone, string]>> = {
  succeeded: ['good', 'succeeded'],
  failed: ['bad', 'failed'],
  interrupted: ['faint', 'was stopped'],
};

function jobFacts(view: JobView, nowMs: number): [string, Html | string][] {
  const { last, runningSinceMs, nextMs, trouble } = view;
  return [
    ...(runningSinceMs === null
      ? []
      : ([['Running', `for ${span(nowMs - runningSinceMs)}`]] satisfies [string, string][])),
    ['Last run', last === null ? 'none on record' : lastRun(last, nowMs)],
    ...(runningSinceMs !== null || nextMs === null
      ? []
      : ([['Next run', nextMs <= nowMs ? 'now' : `in ${span(nextMs - nowMs)}`]] satisfies [
          string,
          string,
        ][])),
    ...(trouble === null ? [] : ([['Trouble', badge('bad', trouble)]] satisfies [string, Html][])),
  ];
}

function lastRun({ state, endedAt, durationMs }: NonNullable<JobView['last']>, nowMs: number): Html {
  const [tone, word] = ENDS[state];
  return html`${badge(tone, word)} ${ago(nowMs - Date.parse(endedAt))}, took ${span(durationMs)}`;
}
