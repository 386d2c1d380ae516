import type { JournalEntry, RecoveryOutcome, RecoveryPlan } from '../../core/disaster.ts';
import { formatDuration, formatInstant, plural, printable } from '../../core/units.ts';
import { readRunState, type StepRecord } from '../../disaster/run-state.ts';
import { consumerLines } from '../../disaster/vanished.ts';
import type { ChainVerdict, JournalCopy, RunView } from '../disaster/runs.ts';
import type { Paint, Tone } from '../output.ts';
import { lossText, strategyText } from './disaster.ts';
import { renderPairs, renderTable } from './table.ts';

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
      ...(state.end === null ? [] : outcomePairs(outcome, plan, paint)),
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
  if (state.entries === 0) return 'planned, not begun';
  if (state.end !== null) {
    const [tone, text] = OUTCOMES[outcome.state];
    return paint(tone, text);
  }
  const failed = Object.entries(state.steps).find(([, step]) => step.state === 'failed');
  if (failed !== undefined) {
    return `${paint('bad', `${failed[0]} failed`)}; \`eventcore dr resume ${plan.plan.planId}\` goes on`;
  }
  return `under way, or died: \`eventcore dr resume ${plan.plan.planId}\` goes on where nobody else does`;
}

const STEP_TONES = {
  none: 'faint',
  intent: 'warning',
  done: 'good',
  skipped: 'faint',
  failed: 'bad',
} as const satisfies Record<StepRecord['state'], Tone>;

function stepTable({ plan, state, journal }: RunView, nowMs: number, paint: Paint): string[] {
  const rows = plan.plan.steps.map(({ step, does, text }) => {
    const found = state.steps[step];
    const shown = found.state === 'none' ? (does ? 'waiting' : 'left out') : found.state;
    const tookMs = tookOf(journal.entries, step, nowMs);
    return [
      step,
      paint(STEP_TONES[found.state], shown === 'intent' ? 'begun' : shown),
      tookMs === null ? '' : formatDuration(tookMs),
      printable(found.state === 'none' ? text : found.text),
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

/** What came of a run, as the command that carried it out ends with. */
export function outcomeLines(outcome: RecoveryOutcome, plan: RecoveryPlan, paint: Paint): string[] {
  const [tone, text] = OUTCOMES[outcome.state];
  return [
    `${paint(
      tone,
      text.replace(/^./, (letter) => letter.toUpperCase()),
    )}: ${strategyText(outcome.strategyUsed)}`,
    ...renderPairs(outcomePairs(outcome, plan, paint)),
  ];
}

function outcomePairs(
  outcome: RecoveryOutcome,
  plan: RecoveryPlan,
  paint: Paint,
): (readonly [string, string])[] {
  const { state, recoveryTimeMs, unprotectedMs, dataLoss, systemsRecovered, reasons } = outcome;
  // What nobody finished has neither lost nor recovered anything yet.
  if (state === 'abandoned' || state === 'stopped') return [];
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
    ...consumerLines(readRunState(outcome.timeline)).map(
      (line) => ['consumers', paint('warning', printable(line))] as const,
    ),
    ...(systemsRecovered.length === 0
      ? []
      : [['recovered', systemsRecovered.map(printable).join(', ')] as const]),
    // Those of the plan are said with the plan.
    ...reasons
      .slice(plan.reasons.length)
      .map((reason) => ['left', paint('warning', printable(reason))] as const),
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
