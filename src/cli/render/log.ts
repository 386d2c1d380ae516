import { formatTime } from '../../core/time.ts';
import { formatBytes, formatCount, formatInstant, plural, printable } from '../../core/units.ts';
import { formatPosition } from '../../recovery/position.ts';
import type { LogSurvey } from '../../recovery/survey.ts';
import type { SpanFacts } from '../../recovery/windows.ts';
import type { Paint } from '../output.ts';
import { renderTable } from './table.ts';

/** The unbroken runs of the logs, for --json. */
export function logDocuments({ spans }: LogSurvey): unknown[] {
  return spans.map(({ timeline, span, source, until }) => ({
    ...{ folder: timeline.folder, systemIdentifier: timeline.systemIdentifier, timeline: timeline.timeline },
    fromLsn: formatPosition(span.from, source.kind),
    toLsn: formatPosition(span.to, source.kind),
    holdsUntil: formatTime(until),
    ...{ files: span.files.length, sizeBytes: sizeOf({ span }) },
  }));
}

function sizeOf({ span }: Pick<SpanFacts, 'span'>): number {
  return span.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

/** The change log, what it can bring back, and what it cannot; nothing where there is no log. */
export function logLines({ spans, windows, gaps, problems }: LogSurvey, paint: Paint): string[] {
  if (spans.length === 0 && gaps.length === 0 && problems.length === 0) return [];
  const files = spans.reduce((sum, { span }) => sum + span.files.length, 0);
  const bytes = spans.reduce((sum, facts) => sum + sizeOf(facts), 0);
  const through = windows.filter(({ source }) => source === 'log');
  return [
    '',
    paint('strong', `Change log: ${plural(files, 'file')}, ${formatBytes(bytes)}`),
    ...(through.length === 0
      ? ['  No backup is carried on by it: take a full one.']
      : renderTable(
          [{ title: 'ANY INSTANT FROM (UTC)' }, { title: 'TO (UTC)' }, { title: 'LSN' }, { title: 'TO LSN' }],
          through.map(({ from, to, fromLsn, toLsn }) => [instant(from), instant(to), fromLsn!, toLsn!]),
        )),
    ...gaps.map(({ fromLsn, toLsn, message }) =>
      paint('warning', `  gap from ${fromLsn} to ${toLsn}: ${printable(message)}`),
    ),
    ...problems.slice(0, MAX_PROBLEMS).map((problem) => paint('bad', `  ${printable(problem)}`)),
    ...(problems.length > MAX_PROBLEMS ? [`  and ${formatCount(problems.length - MAX_PROBLEMS)} more`] : []),
  ];
}

const MAX_PROBLEMS = 20;

function instant(time: string): string {
  return formatInstant(time).replace(' UTC', '');
}
