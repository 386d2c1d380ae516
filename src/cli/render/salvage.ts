import { formatCount, formatDuration, formatInstant, plural, printable } from '../../core/units.ts';
import type { SalvagedStream } from '../../disaster/salvage-table.ts';
import type { SalvageRecord } from '../../format/disaster-salvage.ts';
import type { Paint } from '../output.ts';
import { renderPairs, renderTable } from './table.ts';

/** One salvage as its vault has it; streams are null where no key opens them. */
export interface SalvageView {
  readonly record: SalvageRecord;
  readonly object: string;
  readonly streams: readonly SalvagedStream[] | null;
}

/** More streams than these are counted, not named. */
const MOST_NAMED = 30;

export function salvageLines({ record, object, streams }: SalvageView, paint: Paint): string[] {
  const { number, from, into, createdAt, events, streams: count, conflicts, differing } = record;
  const found = `${plural(events, 'event')} in ${plural(count, 'stream')} that only the old store had`;
  return [
    `${paint('strong', `Salvage ${number}`)}: ${found}`,
    ...renderPairs([
      ['from', printable(from)],
      ['into', printable(into)],
      ['found', formatInstant(createdAt)],
      ...spanPairs(record),
      [
        'conflicts',
        conflicts === 0 ? 'none' : paint('warning', `${plural(conflicts, 'stream')}, left to people`),
      ],
      ...(differing === 0 ? [] : [['differing', differingText(differing)] as const]),
      ['events', object],
    ]),
    ...streamLines(streams, paint),
  ];
}

function spanPairs({ earliest, latest }: SalvageRecord): [string, string][] {
  if (earliest === null || latest === null) return [];
  const ms = Date.parse(latest) - Date.parse(earliest);
  const long = Number.isNaN(ms) ? '' : `, ${formatDuration(ms)}`;
  return [['recorded', `${formatInstant(earliest)} to ${formatInstant(latest)}${long}`]];
}

function differingText(differing: number): string {
  return `${plural(differing, 'event')} that both have under one id with other content: the old store's are in the file too`;
}

function streamLines(streams: readonly SalvagedStream[] | null, paint: Paint): string[] {
  if (streams === null) return ['Which streams they are is sealed: pass --identity FILE to see it.'];
  const inOrder = streams.toSorted(
    (a, b) => Number(b.verdict === 'conflict') - Number(a.verdict === 'conflict'),
  );
  const named = inOrder.slice(0, MOST_NAMED);
  const left = inOrder.length - named.length;
  if (named.length === 0) return [];
  return [
    '',
    ...streamTable(named, paint),
    ...(left === 0 ? [] : [`and ${formatCount(left)} more: --json lists all`]),
  ];
}

function streamTable(streams: readonly SalvagedStream[], paint: Paint): string[] {
  return renderTable(
    [
      ...[{ title: 'STREAM' }, { title: 'EVENTS', align: 'right' as const }, { title: 'VERSIONS' }],
      ...[{ title: 'NEW STORE ENDS AT' }, { title: 'VERDICT' }],
    ],
    streams.map((stream) => [
      printable(stream.streamId),
      formatCount(stream.events),
      stream.firstVersion === null ? '' : `${stream.firstVersion}–${stream.lastVersion}`,
      stream.newLast === null ? 'is not there' : String(stream.newLast),
      verdictText(stream, paint),
    ]),
  );
}

function verdictText({ verdict, differing, retried }: SalvagedStream, paint: Paint): string {
  const more = [
    ...(differing === 0 ? [] : [`${formatCount(differing)} with other content`]),
    ...(retried === 0 ? [] : [`${formatCount(retried)} appended again by their writers`]),
  ].join(', ');
  const words = {
    mergeable: 'can be merged',
    conflict: paint('warning', 'conflict'),
    shared: 'nothing is lost',
  };
  return more === '' ? words[verdict] : `${words[verdict]}: ${more}`;
}
