import { WORKS, type Work } from './contenders/contender.ts';
import type { Finding } from './requirements.ts';
import { baselineOf, type Outcome, type Result } from './results.ts';
import { sizeText } from './sizes.ts';

const NONE = '–';
/** Two decimals would not tell how far such a ratio is from what it must be. */
const TINY = 0.02;

/** A table that lines up as it stands and is Markdown too. The first column is text, the others are numbers. */
export function formatTable(head: readonly string[], plainRows: readonly (readonly string[])[]): string {
  const rows = plainRows.map((row) => row.map((cell) => cell.replaceAll('|', '\\|')));
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length), 3),
  );
  const line = (cells: readonly string[]): string =>
    `| ${widths.map((width, i) => (i === 0 ? (cells[i] ?? '').padEnd(width) : (cells[i] ?? '').padStart(width))).join(' | ')} |`;
  const rule = `| ${widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`;
  return [line(head), rule, ...rows.map(line)].join('\n');
}

/** What must be shown, what was measured, and whether that is enough. */
export function requirementsTable(findings: readonly Finding[]): string {
  const rows = findings.map(({ requirement, value, events, verdict }) => [
    requirement.row,
    ...[value, requirement.must, requirement.aim].map((number) => figureText(number, requirement.figure)),
    verdict,
    events === null ? NONE : sizeText(events),
  ]);
  return formatTable(['what', 'measured', 'must', 'aim', 'result', 'events'], rows);
}

function figureText(value: number | null, figure: Finding['requirement']['figure']): string {
  if (value === null) return NONE;
  if (figure === 'eventsPerSecond') return Math.round(value).toLocaleString('en');
  if (figure === 'peakMiB') return value.toFixed(0);
  return value.toFixed(value < TINY ? 4 : 2);
}

/** For each work what its contenders took; ratios are to the baseline, the row that has 1.000. */
export function resultTables(outcome: Outcome): { readonly work: Work; readonly table: string }[] {
  return WORKS.flatMap((work) => {
    const results = outcome.results.filter((result) => result.work === work);
    return results.length === 0 ? [] : [{ work, table: resultTable(outcome, work, results) }];
  });
}

function resultTable(outcome: Outcome, work: Work, results: readonly Result[]): string {
  const baseline = baselineOf(outcome, work);
  const hasServer = results.some(({ summary }) => summary.serverCpuSeconds > 0);
  const hasBytes = results.some(({ summary }) => summary.bytes !== null);
  // Neither an incremental backup nor one stream handles the events that there are.
  const hasRate = !work.endsWith('incremental backup') && !work.endsWith('one stream');
  const head = [
    ...[work, 'wall s', 'ratio', 'client CPU s'],
    ...(hasServer ? ['server CPU s'] : []),
    'peak MiB',
    ...(hasBytes ? ['MB', 'ratio'] : []),
    ...(hasRate ? ['events/s'] : []),
  ];
  const rows = results.map(({ name, summary }) => [
    name,
    summary.wallSeconds.toFixed(2),
    ratioText(summary.wallSeconds, baseline?.summary.wallSeconds),
    summary.clientCpuSeconds.toFixed(1),
    ...(hasServer ? [summary.serverCpuSeconds.toFixed(1)] : []),
    summary.peakMiB.toFixed(0),
    ...(hasBytes ? [bytesText(summary.bytes), ratioText(summary.bytes, baseline?.summary.bytes)] : []),
    ...(hasRate ? [Math.round(outcome.events / summary.wallSeconds).toLocaleString('en')] : []),
  ]);
  return formatTable(head, rows);
}

function bytesText(bytes: number | null): string {
  return bytes === null ? NONE : (bytes / 1e6).toFixed(bytes < 1e6 ? 3 : 1);
}

function ratioText(value: number | null, baseline: number | null | undefined): string {
  if (value === null || baseline === null || baseline === undefined || baseline === 0) return NONE;
  return (value / baseline).toFixed(3);
}
