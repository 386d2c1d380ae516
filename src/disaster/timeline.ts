import type { JournalEntry, RecoveryOutcome, RecoveryPlan } from '../core/disaster.ts';
import { readRunState } from './run-state.ts';
import { consumerLines } from './vanished.ts';

/** What happened, as Markdown that a post-mortem can be written from. Everything in it comes from the plan and the journal. */
export function renderTimeline(plan: RecoveryPlan, outcome: RecoveryOutcome): string {
  return [
    `# Recovery ${plan.planId}`,
    '',
    ...summary(plan, outcome),
    '',
    '## Why',
    '',
    ...bullets(outcome.reasons),
    '',
    '## What was known of the primary',
    '',
    ...bullets([
      `${plan.primary.state}: ${plan.primary.server ?? 'nobody knew which server it was'}`,
      ...plan.primary.reasons,
    ]),
    '',
    '## What was accepted',
    '',
    ...bullets(acceptances(outcome.timeline)),
    '',
    '## What happened',
    '',
    '| time (UTC) | after | step | what | by |',
    '|---|---:|---|---|---|',
    ...rows(outcome.timeline),
    '',
  ].join('\n');
}

function summary(plan: RecoveryPlan, outcome: RecoveryOutcome): string[] {
  const { dataLoss, recoveryTimeMs, unprotectedMs, systemsRecovered } = outcome;
  const rows: readonly (readonly [string, string])[] = [
    ['trigger', words(plan.trigger)],
    ['strategy', words(plan.strategy.kind)],
    ['target', plan.target.server ?? plan.target.region],
    ['came to', words(outcome.state)],
    ['recovery time', duration(recoveryTimeMs)],
    ['events lost', lostWords(dataLoss)],
    ...consumerLines(readRunState(outcome.timeline)).map((line) => ['consumers', line] as const),
    ['without backup and log', duration(unprotectedMs)],
    ['recovered', systemsRecovered.join(', ') || 'nothing'],
  ];
  return ['| | |', '|---|---|', ...rows.map(([name, value]) => `| ${name} | ${cell(value)} |`)];
}

function lostWords({ estimate, exactEvents, exactMs, inDoubt }: RecoveryOutcome['dataLoss']): string {
  const doubt = inDoubt === null ? '' : `, ${inDoubt} in doubt`;
  if (exactEvents !== null)
    return `${exactEvents}, counted${exactMs ? `, over ${duration(exactMs)}` : ''}${doubt}`;
  const events = estimate.events === null ? 'not known how many' : `about ${Math.round(estimate.events)}`;
  return `${events}, not counted (${estimate.basis})`;
}

function acceptances(entries: readonly JournalEntry[]): string[] {
  const lines = entries
    .filter(({ kind }) => kind === 'approved' || kind === 'resumed')
    .map(({ at, actor, text }) => `${at} ${actor}: ${text}`);
  return lines.length === 0 ? ['nobody has approved it'] : lines;
}

function rows(entries: readonly JournalEntry[]): string[] {
  const begin = Date.parse(entries[0]?.at ?? '');
  return entries.map(({ at, step, kind, text, actor }) => {
    const after = `${((Date.parse(at) - begin) / 1000).toFixed(1)} s`;
    return `| ${at} | ${after} | ${step ?? ''} | ${kind}: ${cell(text)} | ${cell(actor)} |`;
  });
}

function bullets(lines: readonly string[]): string[] {
  return lines.map((line) => `- ${line.replaceAll(/\s+/g, ' ')}`);
}

/** What a command said must not end a row, nor be taken for markup. */
function cell(text: string): string {
  return text.replaceAll(/\s+/g, ' ').replaceAll(/[\\|<]/g, '\\$&');
}

function words(name: string): string {
  return name.replaceAll('_', ' ');
}

function duration(ms: number | null): string {
  if (ms === null) return 'not yet';
  if (ms < 1000) return `${ms} ms`;
  const seconds = ms / 1000;
  return seconds < 120
    ? `${seconds.toFixed(1)} s`
    : `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}
