import { formatBytes, formatCount, plural, printable } from '../../core/units.ts';
import type { ListedStream, StoreDiff } from '../../integrity/diff/diff.ts';
import type { DiffKind } from '../../integrity/diff/event-match.ts';
import type { EventDiff, EventSide } from '../../integrity/diff/events.ts';
import type { PayloadDiff } from '../../integrity/diff/payload.ts';
import { type Count, type Extent, isDiverged, isEqual } from '../../integrity/diff/report.ts';
import type { Paint, Tone } from '../output.ts';
import { renderPairs, renderTable } from './table.ts';

type Kind = DiffKind | 'newer';

/** In the order in which they are told, with what each means for who has to judge. */
const KINDS: readonly {
  readonly kind: Kind;
  readonly word: string;
  readonly tone: Tone;
  readonly what: string;
}[] = [
  { kind: 'missing', word: 'missing', tone: 'bad', what: 'not in the store any more' },
  { kind: 'replaced', word: 'replaced', tone: 'bad', what: 'the store has another event in its place' },
  { kind: 'changed', word: 'changed', tone: 'bad', what: 'the same event with other content' },
  {
    kind: 'between',
    word: 'unknown, between',
    tone: 'warning',
    what: 'only in the store, below the last version that was known',
  },
  {
    kind: 'newer',
    word: 'unknown, newer',
    tone: 'faint',
    what: 'only in the store, behind the last version that was known: expected',
  },
];

/** What differs between a store and what it was, for people. `pairs`: what is compared. */
export function diffLines(
  diff: StoreDiff,
  pairs: readonly (readonly [string, string])[],
  paint: Paint,
): string[] {
  const { past, liveEvents, totals, streams, omitted } = diff;
  const counts = KINDS.filter(({ kind }) => totals[kind].events > 0).map(
    ({ kind, word, tone, what }): [string, string] => [
      word,
      `${paint(tone, countText(totals[kind]))}: ${what}`,
    ],
  );
  return [
    ...renderPairs([
      ...pairs,
      ['held then', countText(past)],
      ...(liveEvents === null ? [] : [['holds now', plural(liveEvents, 'event')] as const]),
      ...counts,
    ]),
    ...(streams.length === 0 ? [] : ['', ...streamTable(streams)]),
    ...(omitted === 0 ? [] : [`  and ${plural(omitted, 'stream')} more: see --limit`]),
    ...streams.flatMap((stream) => eventLines(stream, paint)),
    '',
    verdict(diff, paint),
  ];
}

function countText({ events, streams }: Count): string {
  return `${plural(events, 'event')} in ${plural(streams, 'stream')}`;
}

function verdict({ totals }: StoreDiff, paint: Paint): string {
  if (isDiverged(totals)) return paint('bad', 'The store is not what it was.');
  if (isEqual(totals)) return paint('good', 'The store is what it was.');
  const { newer, between } = totals;
  const more = paint(
    'good',
    `The store has all that it had, and ${plural(newer.events + between.events, 'event')} more.`,
  );
  if (between.events === 0) return more;
  return `${more} ${paint('warning', 'Some lie where nothing should have come since.')}`;
}

/** Names may be of any length. */
const NAME_SIGNS = 60;

function shortName(name: string): string {
  const shown = name === '' || name.trim() !== name ? JSON.stringify(name) : name;
  return printable(shown.length > NAME_SIGNS ? `${shown.slice(0, NAME_SIGNS)}…` : shown);
}

function streamTable(streams: readonly ListedStream[]): string[] {
  return renderTable(
    [{ title: 'STREAM' }, { title: 'WHAT' }, { title: 'EVENTS', align: 'right' }, { title: 'VERSIONS' }],
    streams.flatMap((stream) =>
      KINDS.flatMap(({ kind, word }) => {
        const extent = stream[kind];
        if (extent === null) return [];
        const what = kind === 'changed' ? `${word}: ${Object.keys(stream.changedFields).join(', ')}` : word;
        return [[shortName(stream.streamId), what, formatCount(extent.events), versionsText(extent)]];
      }),
    ),
  );
}

function versionsText({ firstVersion, lastVersion }: Extent): string {
  return firstVersion === lastVersion ? `${firstVersion}` : `${firstVersion}–${lastVersion}`;
}

function eventLines({ streamId, events, eventsOmitted }: ListedStream, paint: Paint): string[] {
  if (events === null || events.length === 0) return [];
  return [
    '',
    paint('strong', shortName(streamId)),
    ...events.flatMap((event) => oneEvent(event, paint)),
    ...(eventsOmitted === 0 ? [] : [`  and ${plural(eventsOmitted, 'event')} more`]),
  ];
}

function oneEvent({ version, kind, past, live, fields, data, metadata }: EventDiff, paint: Paint): string[] {
  const { word, tone } = KINDS.find((known) => known.kind === kind)!;
  const which = kind === 'changed' ? `: ${fields.join(', ')}` : '';
  return [
    `  ${version}  ${paint(tone, `${word}${which}`)}`,
    ...(past === null ? [] : [`      then  ${sideText(past)}`]),
    ...(live === null ? [] : [`      now   ${sideText(live)}`]),
    ...payloadLines('data', data),
    ...payloadLines('metadata', metadata),
  ];
}

function sideText({ id, type, time, excerpt }: EventSide): string {
  const shown = `${printable(id)}  ${shortName(type)}  ${printable(time)}`;
  return excerpt === undefined ? shown : `${shown}  ${printable(excerpt)}`;
}

function payloadLines(name: string, diff: PayloadDiff | null): string[] {
  if (diff === null) return [];
  const { pastBytes, liveBytes, firstDifference, comparedBytes, pastExcerpt, liveExcerpt } = diff;
  const where =
    firstDifference === null
      ? pastBytes === null || liveBytes === null
        ? ''
        : `, alike up to byte ${formatCount(comparedBytes)}`
      : `, from byte ${formatCount(firstDifference)} on`;
  const sizes = `${sizeText(pastBytes)} then, ${sizeText(liveBytes)} now`;
  return [
    `      ${name} differ${where}: ${sizes}`,
    ...(pastExcerpt === undefined ? [] : [`        then  ${printable(pastExcerpt)}`]),
    ...(liveExcerpt === undefined ? [] : [`        now   ${printable(liveExcerpt)}`]),
  ];
}

function sizeText(bytes: number | null): string {
  return bytes === null ? 'none' : formatBytes(bytes);
}
