import { html, raw } from 'hono/html';
import { RECOVERY_RISKS } from '../../core/disaster.ts';
import { formatDuration, plural } from '../../core/units.ts';
import { commandLine } from '../command-line.ts';
import {
  type COPY_STATES,
  type Entry,
  type OUTCOME_STATES,
  planList,
  type RecoveryRun,
  recoveryRun,
  type STEP_STATES,
} from '../documents/disaster.ts';
import { askFresh, readAnswer } from '../documents/read-answer.ts';
import { storeLink, withQuery } from '../links.ts';
import { notice, SOON, unanswered } from '../parts/answer.ts';
import { badge, type Tone } from '../parts/badge.ts';
import { commandBox } from '../parts/command-box.ts';
import { facts } from '../parts/facts.ts';
import { remark, stacked } from '../parts/prose.ts';
import { table } from '../parts/table.ts';
import { instant, instantAgo } from '../parts/times.ts';
import type { ConsoleStore } from '../ports.ts';
import type { Html, Visit } from '../route.ts';
import { lossText, strategyText, TRIGGER_WORDS } from './disaster-words.ts';

export interface RunSections {
  /** The run that is asked for, else the one under way, else the newest plan. */
  readonly openRun: Html;
  /** It is not at its end. */
  readonly isUrgent: boolean;
  readonly others: Html;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export async function runSections(
  visit: Visit,
  store: ConsoleStore,
): Promise<RunSections | 'not_configured'> {
  const wanted = visit.query('plan');
  const id = wanted !== null && UUID.test(wanted) ? wanted : null;
  const answer = await askFresh(
    visit.ports.ask,
    {
      ...{ store: store.name, words: ['dr', 'status', ...(id === null ? [] : [id])], maxAgeMs: 60_000 },
      // While it acts, one wants to see it act.
      isOutdated: isUnderWay,
      outdatedAfterMs: 3000,
    },
    recoveryRun,
  );
  if (answer.state === 'failed' && answer.facts.missing === 'disaster') return 'not_configured';
  if (answer.state === 'failed' && answer.code === 'plan_not_found')
    return { openRun: html``, isUrgent: false, others: stacked('Plans and runs', noPlan(id)) };
  if (answer.state !== 'read')
    return {
      openRun: stacked('Plans and runs', unanswered(answer), { id: 'run', live: true }),
      isUrgent: false,
      others: html``,
    };
  const run = answer.document;
  return {
    openRun: stacked(titleOf(run), runBody(visit, store, run), { id: 'run', live: true }),
    isUrgent: run.end === null,
    others: html`${timeline(run.timeline)}${await otherPlans(visit, store, run)}`,
  };
}

function noPlan(id: string | null): Html {
  return html`<p class="empty">${id === null ? 'No plan of a recovery was made yet.' : 'There is no plan with this id.'}</p>`;
}

function isBegun({ approvedAt }: RecoveryRun): boolean {
  return approvedAt !== null;
}

function isUnderWay(run: RecoveryRun): boolean {
  return isBegun(run) && run.end === null;
}

function titleOf(run: RecoveryRun): string {
  if (!isBegun(run)) return 'Plan, not begun';
  return run.end === null ? 'Recovery under way' : 'The last recovery';
}

type OutcomeState = (typeof OUTCOME_STATES)[number];

const OUTCOMES: Readonly<Record<OutcomeState, readonly [Tone, string]>> = {
  recovered: ['good', 'recovered'],
  in_part: ['warning', 'recovered in part'],
  stopped: ['bad', 'stopped'],
  abandoned: ['warning', 'abandoned'],
};

function runBody(visit: Visit, store: ConsoleStore, run: RecoveryRun): Html {
  const { plan, approvedAt, approvedBy, accepted } = run;
  return html`${stateNotice(run)}${isBegun(run) ? '' : plan.risks.map(({ risk, text }) => notice('bad', html`${text} <code>${RECOVERY_RISKS[risk]}</code>`))}
${facts([
  ['Plan', html`<code>${plan.planId}</code>`],
  ['Made', instantAgo(plan.createdAt, visit.ports.now())],
  [
    'Because',
    html`${TRIGGER_WORDS[plan.trigger]} <span class="muted">docs/runbooks/${plan.trigger}.md</span>`,
  ],
  ['Strategy', strategyText(plan.strategy)],
  ['Target', `${plan.target.server ?? 'the most advanced standby'} (${plan.target.region})`],
  ...(plan.recoverTo === null ? [] : [['Back to', instant(plan.recoverTo)] as const]),
  ...(approvedAt === null
    ? [['Would be lost', lossText(plan.estimatedDataLoss)] as const]
    : [
        [
          'Approved',
          html`${instantAgo(approvedAt, visit.ports.now())}, by ${approvedBy ?? 'somebody'}`,
        ] as const,
      ]),
  ...(accepted.length === 0 ? [] : [['Accepted', accepted.join(', ')] as const]),
  ...(run.end === null ? [] : outcomeFacts(run)),
])}
${isBegun(run) ? '' : html`<h3>Why</h3><ul>${plan.reasons.map((reason) => html`<li>${reason}</li>`)}</ul>`}
${isUnderWay(run) ? html`<span hidden ${raw(SOON)}></span>` : ''}${stepTable(visit, run)}${wayOn(store, run)}${journal(run)}`;
}

function stateNotice(run: RecoveryRun): Html {
  const { plan, outcome, steps, journal } = run;
  const broken = journal.isWhole
    ? ''
    : notice('bad', `Its journal cannot be believed: ${journal.reason ?? 'it is not whole'}`);
  if (!isBegun(run))
    return html`${broken}${notice('warning', 'This was planned, and nothing of it was done. Whoever has read it approves it by its id.')}`;
  if (run.end !== null) {
    const [tone, word] = OUTCOMES[outcome.state];
    return html`${broken}${notice(tone, `It ended: ${word}.`)}`;
  }
  const failed = steps.find(({ state }) => state === 'failed');
  return html`${broken}${
    failed === undefined
      ? notice('warning', 'It is under way, or died: whoever looks here sees its journal, not the process.')
      : notice('bad', `${failed.step} failed: ${failed.text}`)
  }${run.journal.isAuthoritative ? '' : notice('warning', `Its own vault ${plan.journalVault} cannot be read: this copy may lack the newest entries.`)}`;
}

function outcomeFacts({ outcome, plan }: RecoveryRun): readonly (readonly [string, Html | string])[] {
  const { recoveryTimeMs, unprotectedMs, systemsRecovered, reasons, dataLoss } = outcome;
  return [
    ['Recovery time', recoveryTimeMs === null ? 'not reached' : formatDuration(recoveryTimeMs)],
    ['Lost', lostText(dataLoss)],
    ['Unprotected for', unprotectedMs === null ? badge('bad', 'it still is') : formatDuration(unprotectedMs)],
    ...(systemsRecovered.length === 0 ? [] : [['Recovered', systemsRecovered.join(', ')] as const]),
    // Those of the plan are said with the plan.
    ...reasons.slice(plan.reasons.length).map((reason) => ['Left', remark('warning', reason)] as const),
  ];
}

/** What was counted stands before what was guessed. */
function lostText({ estimate, exactEvents, exactMs, inDoubt }: RecoveryRun['outcome']['dataLoss']): string {
  if (exactEvents === null) return `estimated: ${lossText(estimate)}`;
  const over = exactMs === null || exactEvents === 0 ? '' : ` of ${formatDuration(exactMs)}`;
  const doubt = inDoubt === null || inDoubt === 0 ? '' : `; ${plural(inDoubt, 'event')} in doubt`;
  return `${plural(exactEvents, 'event')}${over}, counted${doubt}`;
}

type StepState = (typeof STEP_STATES)[number];
type Step = RecoveryRun['steps'][number];

const STEPS: Readonly<Record<StepState, readonly [Tone, string]>> = {
  none: ['faint', 'waiting'],
  intent: ['warning', 'begun'],
  done: ['good', 'done'],
  skipped: ['faint', 'skipped'],
  failed: ['bad', 'failed'],
};

function stepTable(visit: Visit, { steps, plan, timeline }: RecoveryRun): Html {
  const texts = new Map(plan.steps.map(({ step, text }) => [step, text]));
  return table({
    caption: 'Steps: what each intends, and whether what it wanted holds',
    columns: [
      ...[{ title: 'Step' }, { title: 'State' }],
      ...[{ title: 'Took', numeric: true }, { title: 'Intends' }, { title: 'Holds' }],
    ],
    rows: steps.map((step) => [
      html`<code>${step.step}</code>`,
      stepBadge(step),
      tookText(timeline, step, visit.ports.now()),
      texts.get(step.step) ?? '',
      html`${step.state === 'none' || step.state === 'intent' ? '' : step.text}${step.attempts > 1 ? html` <span class="muted">(begun ${step.attempts} times)</span>` : ''}`,
    ]),
    empty: 'None.',
  });
}

function stepBadge({ state, does }: Step): Html {
  if (state === 'none' && !does) return badge('faint', 'left out');
  return badge(...STEPS[state]);
}

/** From the first intent of a step to what came of it, or to now. */
function tookText(entries: readonly Entry[], { step }: Step, nowMs: number): string {
  const own = entries.filter((entry) => entry.step === step);
  const begun = own.find(({ kind }) => kind === 'intent');
  const last = own.at(-1);
  if (begun === undefined || last === undefined) return '';
  const endMs = last.kind === 'intent' ? nowMs : Date.parse(last.at);
  return formatDuration(Math.max(0, endMs - Date.parse(begun.at)));
}

/** Nothing is carried out from a page: whoever does it types, or copies, the command with the id of what was read. */
function wayOn(store: ConsoleStore, run: RecoveryRun): Html {
  const { planId, risks } = run.plan;
  const timeline = html`<p class="muted">What happened, to write a post-mortem from:</p>${commandBox(commandLine(store, 'dr', 'status', planId, '--timeline'))}`;
  if (!isBegun(run)) {
    const execute = ['dr', 'execute', '--approve', planId, ...risks.map(({ risk }) => RECOVERY_RISKS[risk])];
    return html`<h3>To carry it out</h3><p>First, where there is time: every way that the plan will take is tried, and none is gone.</p>
${commandBox(commandLine(store, 'dr', 'execute', '--approve', planId, '--dry-run'))}
<p>Then, on a host outside of the region that is lost. It fences the old primary and cannot be taken back.</p>
${commandBox(commandLine(store, ...execute))}`;
  }
  const isOver = run.outcome.state === 'recovered' || run.outcome.state === 'abandoned';
  if (run.end !== null && isOver) return timeline;
  return html`<h3>To go on</h3><p>On any host, where nobody else does. What is done already is not done again.</p>${commandBox(commandLine(store, 'dr', 'resume', planId))}${timeline}`;
}

type CopyState = (typeof COPY_STATES)[number];

const COPIES: Readonly<Record<CopyState, readonly [Tone, string]>> = {
  whole: ['good', 'whole'],
  behind: ['warning', 'behind'],
  other: ['bad', 'not the same'],
};

function journal({ journal }: RecoveryRun): Html {
  const { vault, entries, isWhole, signers, copies } = journal;
  const signed = signers.length === 0 ? 'not signed' : `signed by ${signers.join(', ')}`;
  return html`<h3>Journal</h3>${facts([
    [
      'Kept in',
      html`<code>${vault}</code>: ${plural(entries, 'entry', 'entries')}, ${isWhole ? badge('good', 'unbroken') : badge('bad', 'broken')}, ${signed}`,
    ],
    ...copies.map(
      (copy) =>
        [
          'Copy',
          html`<code>${copy.vault}</code> (${copy.region}): ${badge(...COPIES[copy.state])}, ${plural(copy.entries, 'entry', 'entries')}`,
        ] as const,
    ),
  ])}`;
}

const MOST_ENTRIES = 200;

function timeline(entries: readonly Entry[]): Html {
  if (entries.length === 0) return html``;
  const list = table({
    caption: 'Entries of the journal, the newest first',
    columns: [
      ...[{ title: 'No.', numeric: true }, { title: 'When' }],
      ...[{ title: 'What' }, { title: 'Text' }, { title: 'By' }],
    ],
    rows: entries
      .slice(-MOST_ENTRIES)
      .toReversed()
      .map(({ number, at, kind, step, text, actor }) => [
        String(number),
        instant(at),
        html`${step === null ? '' : html`<code>${step}</code> `}${kind}`,
        ...[text, actor],
      ]),
    empty: '',
  });
  return stacked('What happened', html`<details><summary>Entries of the journal</summary>${list}</details>`);
}

async function otherPlans(visit: Visit, store: ConsoleStore, { plan }: RecoveryRun): Promise<Html> {
  const answer = readAnswer(
    await visit.ports.ask({ store: store.name, words: ['dr', 'status', '--all'], maxAgeMs: 60_000 }),
    planList,
  );
  if (answer.state !== 'read') return stacked('All plans', unanswered(answer), { id: 'plans', live: true });
  const link = storeLink(store.name, 'regions', 'disaster');
  const newest = answer.document.plans.toReversed().slice(0, MOST_PLANS);
  const items = newest.map(({ planId, object }) => {
    const made = madeAt(object);
    return html`<li>${planId === plan.planId ? html`<code>${planId}</code> (above)` : html`<a href="${withQuery(link, { plan: planId })}"><code>${planId}</code></a>`}${made === null ? '' : html` <span class="muted">made ${instant(made)}</span>`}</li>`;
  });
  return stacked('All plans', html`<ul class="plain">${items}</ul>`);
}

const MOST_PLANS = 50;

/** The time that the name of a plan begins with. */
function madeAt(object: string): string | null {
  const [, year, month, day, hour, minute, second] =
    /(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)\d{3}Z-[0-9a-f-]+\.json$/.exec(object) ?? [];
  return year === undefined ? null : `${year}-${month}-${day}T${hour}:${minute}:${second}Z`;
}
