import { html } from 'hono/html';
import { DISASTER_TRIGGERS, type DisasterTrigger } from '../../core/disaster.ts';
import { parseTime } from '../../core/time.ts';
import { commandLine } from '../command-line.ts';
import { assessment } from '../documents/disaster.ts';
import { readAnswer } from '../documents/read-answer.ts';
import { storeLink } from '../links.ts';
import { notice, unanswered } from '../parts/answer.ts';
import { commandBox } from '../parts/command-box.ts';
import { stacked } from '../parts/prose.ts';
import type { ConsoleStore } from '../ports.ts';
import type { Html, Visit } from '../route.ts';
import type { StorePage } from '../store-page.ts';
import { assessmentBody, plannedBody } from './disaster-assessment.ts';
import { runSections } from './disaster-run.ts';
import { TRIGGER_WORDS } from './disaster-words.ts';

/** What to do when the primary is gone or damaged. Nothing on it acts: it shows what is, and the commands that do. */
export async function disasterPage(visit: Visit, store: ConsoleStore): Promise<StorePage> {
  const page = { title: 'Disaster recovery', section: 'regions' as const };
  const runs = await runSections(visit, store);
  if (runs === 'not_configured') return { ...page, body: notConfigured(store) };
  const found = await look(visit, store);
  // What is going on, or waits for somebody, stands before all else; what is over does not.
  const first = runs.isUrgent ? html`${runs.openRun}${found}` : html`${found}${runs.openRun}`;
  return { ...page, body: html`${first}${runs.others}` };
}

function notConfigured(store: ConsoleStore): Html {
  return stacked(
    'Not configured',
    html`${notice('warning', 'The configuration says nothing of disaster recovery. If the primary dies, somebody has to decide and do everything by hand.')}
<p>It takes servers of PostgreSQL that stream from one another, a vault in another region, and the section <code>disaster</code> in the configuration: which servers there are, how each of them is fenced, and how the public name is switched. docs/disaster-recovery.md has an example and says what each key means; docs/runbooks has a page for each thing that may happen.</p>
<p>Then this says whether all of it would work:</p>${commandBox(commandLine(store, 'doctor'))}`,
  );
}

/** What somebody asked for, as the address of the page says. */
interface Wish {
  readonly trigger: DisasterTrigger | null;
  /** RFC 3339. */
  readonly at: string | null;
  /** Why it cannot be asked. */
  readonly refusal: string | null;
  /** When the button was pressed: whoever loads the page again sees the same answer. */
  readonly sinceMs: number;
}

function wishOf({ query, ports }: Visit): Wish | null {
  const wanted = query('assess');
  if (wanted === null) return null;
  const trigger = DISASTER_TRIGGERS.find((one) => one === wanted) ?? null;
  const at = query('at')?.trim() || null;
  const nowMs = ports.now();
  const since = Number(query('since') ?? Number.NaN);
  return {
    ...{ trigger, at: trigger === null ? null : at },
    refusal: at === null || parseTime(at) !== null ? null : 'it is no time such as 2026-11-23T04:05:06Z',
    sinceMs: Number.isFinite(since) ? Math.min(since, nowMs) : nowMs - LOOKED_MS,
  };
}

const LOOKED_MS = 300_000;
/** A look asks servers that may be in trouble: no more often than this. */
const LEAST_LOOK_MS = 5000;

async function look(visit: Visit, store: ConsoleStore): Promise<Html> {
  const wish = wishOf(visit);
  const form = stacked('Look', lookForm(visit, store, wish));
  if (wish === null) return form;
  // By itself, so that nobody loses what was typed when it is brought up to date.
  return html`${form}${stacked('What is seen', await seen(visit, store, wish), { id: 'seen', live: true })}`;
}

async function seen(visit: Visit, store: ConsoleStore, wish: Wish): Promise<Html> {
  if (wish.refusal !== null) return notice('bad', `The instant: ${wish.refusal}`);
  const words = [
    ...['dr', 'assess'],
    ...(wish.trigger === null ? [] : ['--trigger', wish.trigger]),
    ...(wish.at === null ? [] : ['--at', wish.at]),
  ];
  const maxAgeMs = Math.max(LEAST_LOOK_MS, visit.ports.now() - wish.sinceMs);
  const answer = readAnswer(await visit.ports.ask({ store: store.name, words, maxAgeMs }), assessment);
  if (answer.state !== 'read') return unanswered(answer);
  const plan =
    wish.trigger === null ? '' : plannedBody(store, answer.document, { ...wish, trigger: wish.trigger });
  return html`${assessmentBody(visit, answer.document)}${plan}`;
}

function lookForm(visit: Visit, store: ConsoleStore, wish: Wish | null): Html {
  return html`<p>Asks all servers and vaults from all places that are configured: who is the primary, who could take over, what would be lost. It changes nothing, and takes as long as the slowest may take.</p>
<form class="look" method="get" action="${storeLink(store.name, 'regions', 'disaster')}">
<label>What has happened <select name="assess">${option('look', 'only look', wish?.trigger === null)}${DISASTER_TRIGGERS.map(
    (trigger) => option(trigger, TRIGGER_WORDS[trigger], wish?.trigger === trigger),
  )}</select></label>
<label>Back to the instant before <input type="text" name="at" value="${wish?.at ?? ''}" placeholder="2026-11-23T04:05:06Z" /></label>
<input type="hidden" name="since" value="${visit.ports.now()}" />
<button type="submit">Look now</button>
</form>`;
}

function option(value: string, text: string, isChosen: boolean): Html {
  return isChosen
    ? html`<option value="${value}" selected>${text}</option>`
    : html`<option value="${value}">${text}</option>`;
}
