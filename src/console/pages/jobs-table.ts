import { html } from 'hono/html';
import { ASKABLE_JOBS, ENDLESS_JOBS, type JobEnd } from '../../core/job.ts';
import { formatDuration, plural } from '../../core/units.ts';
import type { JobView } from '../../daemon/registry.ts';
import { NOT_DUE } from '../../policy/agenda.ts';
import { storeLink } from '../links.ts';
import { actionForm } from '../parts/action-form.ts';
import { badge } from '../parts/badge.ts';
import { endWords, JOB_WORDS } from '../parts/job-words.ts';
import { progressBar } from '../parts/progress.ts';
import { sentence } from '../parts/prose.ts';
import { table } from '../parts/table.ts';
import { ago, span } from '../parts/times.ts';
import type { ConsoleStore } from '../ports.ts';
import type { Html, Visit } from '../route.ts';

/** What the daemon does for a store: how it ended last, what it does now and when it does it again. */
export function jobsTable(visit: Visit, { name, jobs }: ConsoleStore, nowMs: number): Html {
  const isOperator = visit.who.role === 'operator';
  return table({
    caption: 'Jobs',
    columns: [
      { title: 'Job' },
      { title: 'Last' },
      { title: 'Now and next' },
      ...(isOperator ? [{ title: 'Run', isTitleUnseen: true }] : []),
    ],
    rows: jobs.map((view) => [
      JOB_WORDS[view.job],
      lastCell(view, nowMs),
      nextCell(view, nowMs),
      ...(isOperator ? [runCell(visit, name, view)] : []),
    ]),
    empty: 'No job is configured: write `serve.jobs`.',
  });
}

function lastCell(
  { last, lastTrouble, trouble, lastSuccessAtMs, runningSinceMs }: JobView,
  nowMs: number,
): Html {
  const note = trouble === null ? html`` : html`<p class="next">It cannot be looked at: ${trouble}</p>`;
  if (last === null)
    return html`<span class="muted">${runningSinceMs === null ? 'never' : 'has not ended yet'}</span>${note}`;
  const when = ago(nowMs - Date.parse(last.endedAt));
  if (last.state === 'failed') {
    const success =
      lastSuccessAtMs === null ? 'it never ended well' : `ended well ${ago(nowMs - lastSuccessAtMs)}`;
    const words =
      lastTrouble === null
        ? html`The log of the daemon that ran it says why.`
        : html`<span class="said">${sentence(lastTrouble)}</span>`;
    return html`<p>${badge('bad', 'failed')} ${when}, <code>${last.code ?? (last.exitCode === null ? 'ended by a signal' : `exit code ${last.exitCode}`)}</code>${last.attempt > 1 ? `, attempt ${last.attempt}` : ''}</p><p class="next">${words}</p><p class="muted">${success}</p>${note}`;
  }
  return html`<p>${badge(...endWords(last))} ${when}, in ${formatDuration(last.durationMs)}${countWords(last)}</p>${note}`;
}

function countWords({ facts }: JobEnd): string {
  const events = facts.totalEvents;
  return events === undefined ? '' : `, ${plural(events, 'event')}`;
}

function nextCell({ job, asked, runningSinceMs, progress, nextMs, reason }: JobView, nowMs: number): Html {
  if (runningSinceMs !== null) {
    if (ENDLESS_JOBS.has(job))
      return html`<p>${badge('good', 'runs')} since ${span(nowMs - runningSinceMs)}</p>`;
    const bar =
      progress === null
        ? html`<div class="progress"><progress aria-label="${JOB_WORDS[job]}"></progress></div>`
        : progressBar(JOB_WORDS[job], progress);
    return html`<p class="runs-since">runs since ${span(nowMs - runningSinceMs)}</p>${bar}`;
  }
  if (asked !== null)
    return html`<p>as soon as it can</p><p class="muted">asked for by ${asked.who} ${ago(nowMs - asked.atMs)}</p>`;
  if (nextMs === null) return html`<span class="muted">${reason ?? 'not known yet'}</span>`;
  // That it is not due needs no words where it says when it is.
  const why = reason === null || reason === NOT_DUE ? '' : html`<p class="muted">${reason}</p>`;
  const when = nextMs <= nowMs ? 'now' : `in ${span(nextMs - nowMs)}`;
  return html`<p>${when}</p>${why}`;
}

/** What removes something, or runs until it is stopped, cannot be asked for. */
function runCell(visit: Visit, store: string, { job, runningSinceMs }: JobView): Html {
  if (!ASKABLE_JOBS.has(job) || runningSinceMs !== null) return html``;
  return actionForm({
    ...{ visit, button: 'Run now', action: `${storeLink(store)}/jobs/${job}/run` },
    label: `Run now: ${JOB_WORDS[job]}`,
  });
}
