import { formatCount, formatDuration, formatInstant, plural, printable } from '../../core/units.ts';
import type { MonitorReport } from '../../format/monitor-report.ts';
import type { MonitorRun, SeenFinding } from '../../integrity/monitor/monitor.ts';
import { BLIND_CHECK } from '../../policy/blind.ts';
import type { Paint, Tone } from '../output.ts';
import { renderPairs, renderTable } from './table.ts';

/** One run, for programs. */
export function runDocument(
  { report, look, sending, warnings }: MonitorRun,
  percentage: number,
): Record<string, unknown> {
  const { runId, startedAt, durationMs, outcome, checks, looked, blind, open, owed } = report;
  return {
    ...{ runId, startedAt, durationMs, outcome, reason: look.notLooked?.reason ?? null, percentage },
    ...{ looked, checks, skipped: look.skipped, findings: look.findings.map(withoutStatements) },
    ...{ findingsOmitted: look.findingsOmitted, open, blind, warnings },
    alerts: {
      sent: sending.sent.length,
      failed: sending.failed,
      owed: owed.reduce((sum, { to }) => sum + to.length, 0) - sending.sent.length,
    },
  };
}

function withoutStatements({ statements: _, ...finding }: SeenFinding): Record<string, unknown> {
  return finding;
}

export const OUTCOMES: Readonly<Record<MonitorReport['outcome'], { tone: Tone; words: string }>> = {
  sound: { tone: 'good', words: 'Nothing is wrong where the monitor looked' },
  risk: { tone: 'warning', words: 'Nothing is damaged, but what guards the events is not in force' },
  damaged: { tone: 'bad', words: 'There is damage in the store' },
  put_off: { tone: 'warning', words: 'Nothing was looked at now' },
  blind: { tone: 'bad', words: 'The monitor could not look' },
};

/** One run, for people. */
export function runLines(
  run: MonitorRun,
  percentage: number,
  paint: Paint,
  { showsWayOut = true }: { readonly showsWayOut?: boolean } = {},
): string[] {
  const { report, look } = run;
  const { tone, words } = OUTCOMES[report.outcome];
  const reason = look.notLooked === null ? '' : `: ${printable(look.notLooked.reason)}`;
  return [
    paint(tone, `${words}${reason}`),
    ...(look.notLooked === null ? renderPairs(lookedPairs(report, look.skipped, percentage)) : []),
    ...findingLines(look.findings, look.findingsOmitted, paint),
    ...openLines(run),
    ...alertLines(run, paint),
    ...(showsWayOut ? wayOutLines(run) : []),
  ];
}

function lookedPairs(
  { looked, checks, durationMs }: MonitorReport,
  skipped: readonly string[],
  percentage: number,
): [string, string][] {
  const { blocks, streams, events, compared, comparedWith } = looked;
  const made = checks.filter(({ verdict }) => verdict === 'sound' || verdict === 'found').length;
  return [
    [
      'looked at',
      `${percentage} % of the store: ${plural(blocks, 'block')}, ${plural(events, 'event')}, ${plural(streams, 'stream')}`,
    ],
    ['checks', `${made} made, ${checks.length - made} not`],
    [
      'compared',
      comparedWith === null ? 'nothing' : `${plural(compared, 'event')} with backup ${comparedWith}`,
    ],
    ...skipped.map((what): [string, string] => ['not done', printable(what)]),
    ['took', formatDuration(durationMs)],
  ];
}

/** Of each check so many are named. */
const MOST_NAMED = 5;

function findingLines(findings: readonly SeenFinding[], omitted: number, paint: Paint): string[] {
  const lines: string[] = [];
  for (const [check, found] of Map.groupBy(findings, (finding) => finding.check)) {
    const isDamage = found.some(({ severity }) => severity === 'damage');
    lines.push('', paint(isDamage ? 'bad' : 'warning', `${check}: ${plural(found.length, 'finding')}`));
    for (const finding of found.slice(0, MOST_NAMED)) lines.push(`  ${printable(findingText(finding))}`);
    if (found.length > MOST_NAMED) lines.push(`  … and ${formatCount(found.length - MOST_NAMED)} more`);
  }
  return omitted === 0
    ? lines
    : [...lines, '', `${plural(omitted, 'finding')} more were counted and not kept.`];
}

/** What its message does not name by itself stands before it. */
function findingText({ streamId, version, object, message, repair }: SeenFinding): string {
  const names = [
    ...(streamId === null ? [] : [{ text: `stream ${streamId}`, word: streamId }]),
    ...(version === null ? [] : [{ text: `version ${version}`, word: `version ${version}` }]),
    ...(object === null ? [] : [{ text: object, word: object }]),
  ];
  const unnamed = names.filter(({ word }) => !message.includes(word)).map(({ text }) => text);
  const what = unnamed.length === 0 ? '' : `${unnamed.join(', ')}: `;
  return `${what}${message}${repair === null ? '' : ` (repair: ${repair})`}`;
}

/** What is open and this run did not come to. */
function openLines({ report, look }: MonitorRun): string[] {
  const seen = new Set(look.findings.map(({ check }) => check));
  const others = report.open.filter(({ check }) => !seen.has(check));
  if (others.length === 0) return [];
  return ['', ...openTable(others)];
}

/** What is open, wherever it was seen. */
export function openTable(open: MonitorReport['open']): string[] {
  const rows = open.map(({ check, place, findings, since }) => [
    check,
    place.startsWith('object ') ? 'schema' : place,
    check === BLIND_CHECK ? '' : formatCount(findings),
    formatInstant(since),
  ]);
  const titles = [
    { title: 'OPEN' },
    { title: 'WHERE' },
    { title: 'FINDINGS', align: 'right' as const },
    { title: 'SINCE' },
  ];
  return renderTable(titles, rows);
}

function alertLines({ sending: { sent, failed } }: MonitorRun, paint: Paint): string[] {
  return [
    ...(sent.length === 0 ? [] : ['', `${plural(sent.length, 'notice')} sent.`]),
    ...failed.map(({ message }) => paint('warning', `Not told, and owed: ${printable(message)}`)),
  ];
}

function wayOutLines({ look }: MonitorRun): string[] {
  if (!look.findings.some(({ repair }) => repair !== null)) return [];
  return ['', '`eventcore monitor --once --repair` shows what can be repaired, and how.'];
}
