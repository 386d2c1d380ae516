import type { DifferenceKind, DifferenceReport } from '../../core/differences.ts';
import { formatCount, plural, printable } from '../../core/units.ts';
import { renderTable } from './table.ts';

const WORDS: Readonly<Record<DifferenceKind, string>> = {
  lost: 'lost',
  changed: 'changed',
  diverged: 'another event in its place',
};

/** More streams than this are counted, not named. */
const MAX_LINES = 20;

/** What differs, stream by stream. */
export function differenceLines({ streams, streamsOmitted }: DifferenceReport): string[] {
  const rows = streams
    .slice(0, MAX_LINES)
    .map(({ streamId, kind, events, version }) => [
      printable(streamId),
      WORDS[kind],
      formatCount(events),
      version === null ? '' : String(version),
    ]);
  const more = Math.max(0, streams.length - MAX_LINES) + streamsOmitted;
  return [
    ...renderTable(
      [
        { title: 'STREAM' },
        { title: 'WHAT' },
        { title: 'EVENTS', align: 'right' },
        { title: 'FROM VERSION', align: 'right' },
      ],
      rows,
    ),
    ...(more === 0 ? [] : [`  and ${plural(more, 'stream')} more`]),
  ];
}
