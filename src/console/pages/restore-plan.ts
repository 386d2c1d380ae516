import { html } from 'hono/html';
import { formatBytes, formatCount, plural } from '../../core/units.ts';
import { drillList } from '../documents/drills.ts';
import { type ReadAnswer, readAnswer, type Unread } from '../documents/read-answer.ts';
import {
  type RestorePlanDocument,
  restorePlan,
  type StreamsPlanDocument,
  streamsPlan,
} from '../documents/restore.ts';
import { pointLink, storeLink, withQuery } from '../links.ts';
import { notice, unanswered } from '../parts/answer.ts';
import { facts } from '../parts/facts.ts';
import { sentence } from '../parts/prose.ts';
import { section } from '../parts/section.ts';
import { table } from '../parts/table.ts';
import { instant, span } from '../parts/times.ts';
import { nearestPoints } from '../points.ts';
import type { ConsoleStore, Question } from '../ports.ts';
import { formWords, type RestoreForm } from '../restore-form.ts';
import type { Html, Visit } from '../route.ts';
import { chainTable } from './restore-chain.ts';

/** The newest point moves on; what was does not. */
const NEWEST_AGE_MS = 15_000;
const PAST_AGE_MS = 120_000;

/** What a restore of this point takes: what its own dry run says. */
export async function planSection(
  visit: Visit,
  store: ConsoleStore,
  form: RestoreForm,
): Promise<{ readonly body: Html; readonly isOutOfReach: boolean }> {
  const { body, isOutOfReach } =
    form.streams.length > 0 ? await streamsBody(visit, store, form) : await wholeBody(visit, store, form);
  return { body: section('What it takes', body, { id: 'plan', live: true }), isOutOfReach };
}

interface PlanBody {
  readonly body: Html;
  /** No restore can bring it back: there is nothing to begin. */
  readonly isOutOfReach: boolean;
}

function questionOf(store: ConsoleStore, form: RestoreForm): Question {
  const words = ['restore', '--dry-run', ...formWords(form)];
  return { store: store.name, words, maxAgeMs: form.kind === 'newest' ? NEWEST_AGE_MS : PAST_AGE_MS };
}

const NEWEST: RestoreForm = { kind: 'newest', value: '', streams: [] };

async function wholeBody(visit: Visit, store: ConsoleStore, form: RestoreForm): Promise<PlanBody> {
  const { ask } = visit.ports;
  const askPlan = async (wanted: RestoreForm): Promise<ReadAnswer<RestorePlanDocument>> =>
    readAnswer(await ask(questionOf(store, wanted)), restorePlan);
  const [plan, newest, rate] = await Promise.all([
    askPlan(form),
    form.kind === 'newest' ? null : askPlan(NEWEST),
    drillRate(visit, store),
  ]);
  if (plan.state !== 'read') return notRead(store, form, plan);
  const { document } = plan;
  const later = newest?.state === 'read' ? newest.document : null;
  const body = html`<p class="headline">${headline(document)}</p>
${form.kind === 'newest' ? '' : lossNotice(document, later)}
${facts(planFacts(document, rate))}
${chainTable(store, document.chain)}
${document.log === null ? '' : logDetails(document.log)}
${whyDetails(document)}
<p class="muted">This is what the dry run of the command said ${instantOf(plan.atMs)}. It read no event, and changed nothing.</p>`;
  return { body, isOutOfReach: false };
}

function instantOf(ms: number): Html {
  return instant(new Date(ms).toISOString());
}

function headline({ events, streams, log, target }: RestorePlanDocument): Html {
  const from =
    log === null || log.eventsAtMost === 0
      ? ''
      : `, and up to ${formatCount(log.eventsAtMost)} more from the log`;
  const time = target.reachedTime ?? target.time;
  return html`It brings back ${plural(events, 'event')} in ${plural(streams, 'stream')}${from}${time === undefined ? '' : html`, as of ${instant(time)}`}.`;
}

/** What the newest point has and this one has not. */
function lossNotice(plan: RestorePlanDocument, newest: RestorePlanDocument | null): Html {
  const { eventsBehind } = plan;
  if (eventsBehind === 0) return notice('good', 'Nothing lies behind it: the log holds no later event.');
  if (eventsBehind !== null) {
    const text = `${plural(eventsBehind, 'event')} of the log ${eventsBehind === 1 ? 'lies' : 'lie'} behind this point. The restored store does not have them; where consumers have seen them, they know of events that are no more.`;
    return notice('warning', text);
  }
  if (newest === null) return html``;
  const least = Math.max(0, newest.events - plan.events);
  const most = least + (newest.log?.eventsAtMost ?? 0);
  if (most === 0) return notice('good', 'Nothing lies behind it: the newest point has no more events.');
  const many =
    least === most ? plural(most, 'event') : `between ${formatCount(least)} and ${plural(most, 'event')}`;
  return notice('warning', `The newest point has ${many} more than this one.`);
}

function planFacts(
  { target, fetchBytes, log, events, expectedEventsPerSecond }: RestorePlanDocument,
  rate: DrillRate | null,
): (readonly [string, Html | string])[] {
  const all = events + (log?.eventsAtMost ?? 0);
  const { reachedTime, reachedLsn } = target;
  return [
    ...(reachedTime == null
      ? []
      : [
          [
            'Last commit in it',
            html`<code>${reachedTime}</code>${reachedLsn == null ? '' : html`, position <code>${reachedLsn}</code>`}`,
          ] as const,
        ]),
    ['To fetch', formatBytes(fetchBytes + (log?.bytes ?? 0))],
    rate === null
      ? [
          'Takes about',
          html`${span(secondsFor(all, expectedEventsPerSecond) * 1000)} <span class="muted">at ${formatCount(expectedEventsPerSecond)} events/s, which a small machine does; no drill has measured yours</span>`,
        ]
      : [
          'Takes about',
          html`${span(secondsFor(all, rate.eventsPerSecond) * 1000)} <span class="muted">at the ${formatCount(rate.eventsPerSecond)} events/s of the drill of ${instant(rate.at)}</span>`,
        ],
  ];
}

function secondsFor(events: number, perSecond: number): number {
  return Math.max(1, Math.ceil(events / Math.max(1, perSecond)));
}

interface DrillRate {
  readonly eventsPerSecond: number;
  readonly at: string;
}

/** How quick restores were when one was measured last. */
async function drillRate({ ports }: Visit, { name, status }: ConsoleStore): Promise<DrillRate | null> {
  if (status?.drill == null) return null;
  const words = ['drill', 'list', '--limit', '10'];
  const answer = readAnswer(await ports.ask({ store: name, words, maxAgeMs: 1_800_000 }), drillList);
  if (answer.state !== 'read') return null;
  for (const { eventsPerSecond, startedAt } of answer.document.drills) {
    if (eventsPerSecond !== null && eventsPerSecond > 0 && startedAt !== null)
      return { eventsPerSecond, at: startedAt };
  }
  return null;
}

function logDetails(log: NonNullable<RestorePlanDocument['log']>): Html {
  const { files, bytes, fromLsn, cutLsn, logEndsAt, removesEvents, folder } = log;
  return html`<h3>From the change log</h3>${facts([
    ['Part', html`${plural(files.length, 'file')}, ${formatBytes(bytes)}, of <code>${folder}</code>`],
    ['Read from', html`position <code>${fromLsn}</code>`],
    [
      'Cut',
      cutLsn === null
        ? html`nowhere: all that the log holds, up to ${instant(logEndsAt)}`
        : html`just before the transaction that commits at <code>${cutLsn}</code>`,
    ],
  ])}${removesEvents ? notice('warning', 'Events were removed from the store in that time: they are left out, as they were.') : ''}`;
}

function whyDetails({ reasons, notes }: Pick<RestorePlanDocument, 'reasons' | 'notes'>): Html {
  return html`${notes.map((note) => notice('faint', sentence(note)))}${
    reasons.length === 0
      ? ''
      : html`<details><summary>Why these</summary><ul class="plain">${reasons.map((reason) => html`<li>${reason}</li>`)}</ul></details>`
  }`;
}

async function streamsBody(visit: Visit, store: ConsoleStore, form: RestoreForm): Promise<PlanBody> {
  const plan = readAnswer(await visit.ports.ask(questionOf(store, form)), streamsPlan);
  if (plan.state !== 'read') return notRead(store, form, plan);
  const { document } = plan;
  const body = html`<p class="headline">${streamsHeadline(document)}</p>
${table({
  caption: 'Streams, as they would be restored',
  columns: [{ title: 'Stream' }, { title: 'Events', numeric: true }, { title: 'Versions', numeric: true }],
  rows: document.streams.map(({ streamId, events, fromVersion, toVersion }) => [
    streamNameLink(store.name, streamId),
    formatCount(events),
    fromVersion === null ? '' : `${fromVersion}–${toVersion}`,
  ]),
  empty: 'None of them has an event at this point.',
})}
${chainTable(store, document.chain)}
${whyDetails(document)}
<p class="muted">The dry run read these streams out of the vault, ${instantOf(plan.atMs)}. It changed nothing.</p>`;
  return { body, isOutOfReach: false };
}

function streamsHeadline({ events, streams, target }: StreamsPlanDocument): Html {
  const time = target.reachedTime ?? target.time;
  return html`It brings back ${plural(events, 'event')} in ${plural(streams.length, 'stream')}${time === undefined ? '' : html`, as of ${instant(time)}`}.`;
}

export function streamNameLink(store: string, streamId: string): Html {
  return html`<a class="stream-name" href="${withQuery(storeLink(store, 'streams'), { stream: streamId })}"><code>${streamId === '' ? '(empty name)' : streamId}</code></a>`;
}

/** Why a point cannot be reached, and what can be. */
function notRead(store: ConsoleStore, form: RestoreForm, answer: Unread): PlanBody {
  if (answer.state !== 'failed' || answer.code === null || !UNREACHABLE.has(answer.code))
    return { body: unanswered(answer), isOutOfReach: false };
  const { before, after } = nearestPoints(form, answer.facts, store.status);
  const body = html`${notice('bad', html`This point cannot be brought back: ${answer.message}.`)}
${answer.hint === null ? '' : html`<p class="muted">${sentence(answer.hint)}</p>`}
<ul class="chips">${nearLink(store, before, 'The nearest before it')}${nearLink(store, after, 'The nearest after it')}${elsewhere(store, answer.code)}</ul>`;
  return { body, isOutOfReach: true };
}

const UNREACHABLE: ReadonlySet<string> = new Set([
  ...['no_restore_point', 'log_gap', 'backup_not_found', 'no_backups', 'stream_not_found'],
]);

function nearLink({ name }: ConsoleStore, form: RestoreForm | null, title: string): Html {
  if (form === null) return html``;
  return html`<li><a class="chip" href="${pointLink(name, form)}">${title}: ${form.value}</a></li>`;
}

function elsewhere({ name }: ConsoleStore, code: string): Html {
  if (code === 'stream_not_found')
    return html`<li><a class="chip" href="${storeLink(name, 'streams')}">Look for streams</a></li>`;
  return html`<li><a class="chip" href="${storeLink(name, 'backups')}">All backups</a></li>`;
}
