import type { JournalEntry, RecoveryOutcome } from '../core/disaster.ts';
import type { StepState } from '../disaster/run-state.ts';
import type { ChainVerdict, JournalCopy, RunView } from './disaster-runs.ts';
import type { Paint, Tone } from './output.ts';
import { lossText, strategyText } from './render-disaster.ts';
import { renderPairs, renderTable } from './table.ts';
import { formatDuration, formatInstant, plural, printable } from './units.ts';

/** How far a run is, what came of it, and its story, for people. */

export function runLines(view: RunView, nowMs: number, paint: Paint): string[] {
  const { plan } = view.plan;
  const { state, outcome } = view;
  return [
    `${paint('strong', `Recovery ${plan.planId}`)}: ${stateText(view, paint)}`,
    ...renderPairs([
      ['strategy', strategyText(plan.strategy)],
      ['because', plan.trigger],
      ...(state.approvedAt === null
        ? []
        : [
            [
              'approved',
              `${formatInstant(state.approvedAt)} by ${printable(state.approvedBy ?? '')}`,
            ] as const,
          ]),
      ...outcomePairs(outcome, paint),
    ]),
    ...stepTable(view, nowMs, paint),
    ...renderPairs([
      ['journal', chainText(view.chain, view.readFrom, paint)],
      ...(view.isAuthoritative
        ? []
        : [
            [
              '',
              paint(
                'warning',
                `its own vault ${plan.journalVault} cannot be read: this copy may lack the newest entries`,
              ),
            ] as const,
          ]),
      ...view.copies.map((copy) => ['copy', copyText(copy, paint)] as const),
    ]),
  ];
}

const OUTCOMES = {
  recovered: ['good', 'recovered'],
  in_part: ['warning', 'recovered in part'],
  stopped: ['bad', 'stopped'],
  abandoned: ['warning', 'abandoned'],
} as const satisfies Record<RecoveryOutcome['state'], readonly [Tone, string]>;

function stateText({ state, outcome, plan }: RunView, paint: Paint): string {
  if (state.end === 'abandoned') return paint('warning', 'abandoned');
  if (outcome !== null) {
    const [tone, text] = OUTCOMES[outcome.state];
    return paint(tone, text);
  }
  if (state.entries === 0) return 'planned, not begun';
  const failed = Object.entries(state.steps).find(([, step]) => step.state === 'failed');
  if (failed !== undefined) {
    return `${paint('bad', `${failed[0]} failed`)}; \`eventcore dr resume ${plan.plan.planId}\` goes on`;
  }
  return `under way, or died: \`eventcore dr resume ${plan.plan.planId}\` goes on where nobody else does`;
}

const STEP_TONES = {
  waiting: 'faint',
  intended: 'warning',
  done: 'good',
  skipped: 'faint',
  failed: 'bad',
} as const satisfies Record<StepState['state'], Tone>;

function stepTable({ plan, state, journal }: RunView, nowMs: number, paint: Paint): string[] {
  const rows = plan.plan.steps.map(({ step, does, text }) => {
    const found = state.steps[step];
    const shown = found.state === 'waiting' && !does ? 'left out' : found.state;
    const tookMs = tookOf(journal.entries, step, nowMs);
    return [
      step,
      paint(STEP_TONES[found.state], shown === 'intended' ? 'begun' : shown),
      tookMs === null ? '' : formatDuration(tookMs),
      printable(found.state === 'waiting' ? text : found.text),
    ];
  });
  return renderTable(
    [{ title: 'STEP' }, { title: 'STATE' }, { title: 'TOOK', align: 'right' }, { title: 'WHAT' }],
    rows,
  );
}

/** From the first intent of a step to what came of it, or to now. */
function tookOf(entries: readonly JournalEntry[], step: string, nowMs: number): number | null {
  const own = entries.filter((entry) => entry.step === step);
  const begun = own.find(({ kind }) => kind === 'intent');
  if (begun === undefined) return null;
  const last = own.at(-1)!;
  const endMs = last.kind === 'intent' ? nowMs : Date.parse(last.at);
  return Math.max(0, endMs - Date.parse(begun.at));
}

function outcomePairs(outcome: RecoveryOutcome | null, paint: Paint): (readonly [string, string])[] {
  if (outcome === null) return [];
  const { recoveryTimeMs, unprotectedMs, dataLoss, systemsRecovered, reasons } = outcome;
  return [
    [
      'recovery',
      recoveryTimeMs === null
        ? 'the public name was not shown to lead to it'
        : formatDuration(recoveryTimeMs),
    ],
    ...(unprotectedMs === null
      ? [['protected', paint('warning', 'not yet: no new backup was made')] as const]
      : [['protected', `again after ${formatDuration(unprotectedMs)}`] as const]),
    ['lost', lostText(dataLoss)],
    ...(systemsRecovered.length === 0
      ? []
      : [['recovered', systemsRecovered.map(printable).join(', ')] as const]),
    ...reasons.map((reason) => ['', printable(reason)] as const),
  ];
}

/** What was counted stands before what was guessed. */
export function lostText({ estimate, exactEvents, exactMs, inDoubt }: RecoveryOutcome['dataLoss']): string {
  if (exactEvents === null) return `estimated: ${lossText(estimate)}`;
  const span = exactMs === null || exactEvents === 0 ? '' : ` of ${formatDuration(exactMs)}`;
  const doubt = inDoubt === null || inDoubt === 0 ? '' : `; ${plural(inDoubt, 'event')} in doubt`;
  return `${plural(exactEvents, 'event')}${span}, counted${doubt}`;
}

function chainText(
  { isWhole, entries, signers, reason }: ChainVerdict,
  readFrom: string,
  paint: Paint,
): string {
  const where = `${plural(entries, 'entry', 'entries')} in ${printable(readFrom)}`;
  if (!isWhole) return `${where}, ${paint('bad', `cannot be believed: ${printable(reason ?? '')}`)}`;
  const signed = signers.length === 0 ? 'not signed' : `signed by ${signers.map(printable).join(', ')}`;
  return `${where}, ${paint('good', 'unbroken')}, ${signed}`;
}

function copyText({ region, vault, entries, state }: JournalCopy, paint: Paint): string {
  const words = {
    whole: 'whole',
    behind: `behind, ${plural(entries, 'entry', 'entries')}`,
    other: 'not the same',
  };
  return `${printable(vault)} (${printable(region)}): ${state === 'other' ? paint('bad', words[state]) : words[state]}`;
}

/** One line for each entry as it is written, for stderr. */
export function entryLine({ at, kind, step, text }: JournalEntry, startMs: number): string {
  const since = Math.max(0, Date.parse(at) - startMs);
  const what = step === null ? kind : `${step} ${kind === 'intent' ? 'begins' : kind}`;
  return `+${formatDuration(since)}  ${what}: ${printable(text)}`;
}

/** What happened, from which a post-mortem can be written; Markdown. */
export function timelineMarkdown(view: RunView): string[] {
  const { plan } = view.plan;
  const { journal, outcome, chain } = view;
  return [
    `# Recovery ${plan.planId}`,
    '',
    `- Because of: ${plan.trigger}`,
    `- Strategy: ${strategyText(plan.strategy)}`,
    ...plan.reasons.map((reason) => `  - ${cell(reason)}`),
    `- Planned: ${plan.createdAt}, by ${cell(plan.software)}`,
    `- Primary then: ${plan.primary.state}${plan.primary.server === null ? '' : `, ${cell(plan.primary.server)}`}`,
    `- Loss, estimated before: ${cell(lossText(plan.estimatedDataLoss))}`,
    ...outcomeItems(outcome),
    `- Journal: ${chain.isWhole ? `${plural(chain.entries, 'entry', 'entries')}, unbroken` : `cannot be believed: ${cell(chain.reason ?? '')}`}`,
    '',
    '## Timeline',
    '',
    '| time | since approval | step | | what | who |',
    '|---|---|---|---|---|---|',
    ...journal.entries.map((entry) => timelineRow(entry, Date.parse(journal.entries[0]!.at))),
    '',
    '## How long each step took',
    '',
    '| step | took |',
    '|---|---|',
    ...plan.steps.flatMap(({ step }) => {
      const tookMs = tookOf(journal.entries, step, Date.parse(journal.entries.at(-1)?.at ?? plan.createdAt));
      return tookMs === null ? [] : [`| ${step} | ${formatDuration(tookMs)} |`];
    }),
  ];
}

function outcomeItems(outcome: RecoveryOutcome | null): string[] {
  if (outcome === null) return ['- Outcome: not at its end'];
  const { state, recoveryTimeMs, unprotectedMs, dataLoss, systemsRecovered } = outcome;
  return [
    `- Outcome: ${OUTCOMES[state][1]}`,
    `- Recovery time: ${recoveryTimeMs === null ? 'not known' : formatDuration(recoveryTimeMs)}`,
    `- Without backup for: ${unprotectedMs === null ? 'still' : formatDuration(unprotectedMs)}`,
    `- Lost: ${cell(lostText(dataLoss))}`,
    ...(systemsRecovered.length === 0 ? [] : [`- Recovered: ${systemsRecovered.map(cell).join(', ')}`]),
  ];
}

function timelineRow({ at, step, kind, text, actor }: JournalEntry, startMs: number): string {
  const since = formatDuration(Math.max(0, Date.parse(at) - startMs));
  return `| ${at} | ${since} | ${step ?? ''} | ${kind} | ${cell(text)} | ${cell(actor)} |`;
}

/** Text that can stand in a table of Markdown. */
function cell(text: string): string {
  return printable(text).replace(/[|\\<>`*_[\]]/g, '\\$&');
}
