import { BackupError } from '../../core/errors.ts';
import type { EventStore, StoreSnapshot } from '../../core/event-store.ts';
import { nameText } from '../../core/name-text.ts';
import type { PastStore } from '../../core/past-store.ts';
import { sortedStreams } from '../../core/stream-order.ts';
import { findStream, type StreamTable, streamFacts, streamName } from '../../core/stream-table.ts';
import { type EventDiff, readEventDiffs, type WantedEvents } from './events.ts';
import { type MatchOptions, matchStreams } from './match.ts';
import {
  type Count,
  type DiffTotals,
  firstVersions,
  makeStreamDiff,
  makeTotals,
  type StreamDiff,
  type StreamDiffBuilder,
  type Totals,
  wholeExtent,
} from './report.ts';
import { findUnknown, GONE, markedStreams, type Survey, type SurveyOptions, surveyStore } from './survey.ts';

export interface DiffOptions extends SurveyOptions, MatchOptions {
  /** Streams that are listed; all are counted. */
  readonly limit: number;
  /** Null: single events are not read. */
  readonly events: { readonly payloads: boolean } | null;
  readonly onStep?: ((step: string) => void) | undefined;
}

export interface ListedStream extends StreamDiff {
  /** Null when they were not asked for. */
  readonly events: readonly EventDiff[] | null;
  /** Events that differ, or are newer, and are not among them. */
  readonly eventsOmitted: number;
}

export interface StoreDiff {
  readonly past: Count;
  /** Events of the store; null where streams are named. */
  readonly liveEvents: number | null;
  readonly totals: DiffTotals;
  /**
   * First those of which the past has events that the store has not, or otherwise; then those with events in between; then those
   * that only have newer ones. Each in byte order of the names.
   */
  readonly streams: readonly ListedStream[];
  /** Streams that are not as they were, and not listed. */
  readonly omitted: number;
}

/**
 * Holds one view of a live store against what it was. Streams that are alike are told apart by sums; of the others, a few at a time, the
 * events are gone through: memory follows the number of streams, with a few bytes for each. Throws `stream_not_found` when a stream is
 * named that neither side has, and `damaged`.
 */
export async function diffStore(
  store: EventStore,
  past: PastStore,
  options: DiffOptions,
): Promise<StoreDiff> {
  const snapshot = await store.openSnapshot();
  try {
    return await diffView({ snapshot, past }, options);
  } finally {
    await snapshot.close();
  }
}

interface Sides {
  readonly snapshot: StoreSnapshot;
  readonly past: PastStore;
}

async function diffView(sides: Sides, options: DiffOptions): Promise<StoreDiff> {
  const { snapshot, past } = sides;
  const { table } = past;
  options.onStep?.('comparing streams');
  const survey = await surveyStore(snapshot, past, options);
  assertNamed(options, table, survey.newer);
  const marked = markedStreams(survey, table);
  options.onStep?.('comparing events');
  const { totals, builders } = await countDifferences(sides, survey, marked, options);
  const listed = chooseListed(marked, totals, options.limit);
  const shown = listStreams(
    sides,
    survey,
    listed,
    builders ?? (await buildListed(sides, survey, listed, options)),
  );
  const newer = listNewer(survey, table, shown, options.limit);
  const { newer: newerCount, only } = countNewer(survey.newer, table, totals);
  const differing = marked.reduce((sum, place) => sum + (totals.isMarked(place) ? 1 : 0), 0);
  const described = [...shown, ...newer];
  return {
    past: { events: sumOf(table), streams: table.count },
    liveEvents: options.selection === null ? await snapshot.countEvents() : null,
    totals: totals.report(newerCount),
    streams: await withEvents(sides, described, options),
    omitted: differing + only - described.length,
  };
}

function assertNamed({ selection }: DiffOptions, past: StreamTable, newer: StreamTable): void {
  const unknown = selection === null ? null : findUnknown(selection, [past, newer]);
  if (unknown === null) return;
  const streamId = nameText(unknown);
  throw new BackupError(
    'stream_not_found',
    `neither the store nor the backup has a stream ${JSON.stringify(streamId)}`,
    { hint: '`eventcore show BACKUP --streams` lists those of a backup', facts: { streamId } },
  );
}

type Builders = ReadonlyMap<number, StreamDiffBuilder>;

/** `builders`: of all streams, where they are few enough to be listed; else those that are listed are gone through once more. */
async function countDifferences(
  sides: Sides,
  { marks }: Survey,
  marked: readonly number[],
  options: DiffOptions,
): Promise<{ totals: Totals; builders: Builders | null }> {
  const { table } = sides.past;
  const totals = makeTotals(table.count);
  for (const place of marked) if (marks[place] === GONE) totals.add(place, 'missing', table.events[place]!);
  const suspects = marked.filter((place) => marks[place] !== GONE);
  const builders = marked.length <= options.limit ? makeBuilders(marked) : null;
  await matchStreams(sides, suspects, options, (place, version, kind, fields) => {
    totals.add(place, kind, 1);
    builders?.get(place)?.add(version, kind, fields);
  });
  return { totals, builders };
}

function makeBuilders(places: readonly number[]): Builders {
  return new Map(places.map((place) => [place, makeStreamDiff(MOST_VERSIONS)]));
}

async function buildListed(
  sides: Sides,
  { marks }: Survey,
  places: readonly number[],
  options: DiffOptions,
): Promise<Builders> {
  const builders = makeBuilders(places);
  const suspects = places.filter((place) => marks[place] !== GONE);
  await matchStreams(sides, suspects, options, (place, version, kind, fields) =>
    builders.get(place)!.add(version, kind, fields),
  );
  return builders;
}

/** Streams that lost something come first, whatever their names. */
function chooseListed(marked: readonly number[], totals: Totals, limit: number): number[] {
  const troubled = firstOf(marked, limit, totals.isTroubled);
  const others = firstOf(
    marked,
    limit - troubled.length,
    (place) => totals.isMarked(place) && !totals.isTroubled(place),
  );
  return [...troubled, ...others];
}

function firstOf(places: readonly number[], most: number, isWanted: (place: number) => boolean): number[] {
  const found: number[] = [];
  for (const place of places) {
    if (found.length >= most) break;
    if (isWanted(place)) found.push(place);
  }
  return found;
}

/** Versions of one stream that are shown event by event. */
const MOST_VERSIONS = 20;

interface Described {
  readonly diff: StreamDiff;
  readonly versions: readonly number[];
}

function listStreams(
  { past: { table } }: Sides,
  { marks, newer }: Survey,
  places: readonly number[],
  builders: Builders,
): Described[] {
  return places.map((place): Described => {
    const builder = builders.get(place)!;
    const facts = streamFacts(table, place);
    const name = streamName(table, place);
    const isGone = marks[place] === GONE;
    const own = findStream(newer, name, 0, name.length);
    const behind = own === -1 ? null : streamFacts(newer, own);
    const differing = isGone ? firstVersions(facts, MOST_VERSIONS) : builder.versions();
    const room = MOST_VERSIONS - differing.length;
    return {
      diff: {
        ...{ streamId: nameText(name), past: wholeExtent(facts), ...builder.diff() },
        ...(isGone ? { missing: wholeExtent(facts) } : {}),
        newer: behind === null ? null : wholeExtent(behind),
      },
      versions: [...differing, ...(behind === null ? [] : firstVersions(behind, room))],
    };
  });
}

/** As much as there is room for of the streams that the store only has more of. */
function listNewer(
  { newer }: Survey,
  table: StreamTable,
  shown: readonly Described[],
  limit: number,
): Described[] {
  const room = limit - shown.length;
  if (room <= 0 || newer.count === 0) return [];
  const listed = new Set(shown.map(({ diff }) => diff.streamId));
  const found: Described[] = [];
  for (const place of sortedStreams(newer)) {
    if (found.length >= room) break;
    const name = streamName(newer, place);
    const streamId = nameText(name);
    if (listed.has(streamId)) continue;
    const facts = streamFacts(newer, place);
    const before = findStream(table, name, 0, name.length);
    found.push({
      diff: {
        ...{ streamId, past: before === -1 ? null : wholeExtent(streamFacts(table, before)) },
        ...{ missing: null, replaced: null, changed: null, between: null, changedFields: {} },
        newer: wholeExtent(facts),
      },
      versions: firstVersions(facts, MOST_VERSIONS),
    });
  }
  return found;
}

/** `only`: streams that have newer events and no other difference. */
function countNewer(newer: StreamTable, table: StreamTable, totals: Totals): { newer: Count; only: number } {
  let only = 0;
  for (let place = 0; place < newer.count; place += 1) {
    const before = findStream(table, newer.names, newer.nameStarts[place]!, newer.nameLengths[place]!);
    if (before === -1 || !totals.isMarked(before)) only += 1;
  }
  return { newer: { events: sumOf(newer), streams: newer.count }, only };
}

function sumOf({ events, count }: StreamTable): number {
  return events.subarray(0, count).reduce((sum, own) => sum + own, 0);
}

/** Events that are shown one by one, of all streams together. */
const MOST_EVENTS = 2000;

async function withEvents(
  { snapshot, past }: Sides,
  described: readonly Described[],
  { events, totalEvents, signal }: DiffOptions,
): Promise<ListedStream[]> {
  if (events === null) return described.map(({ diff }) => ({ ...diff, events: null, eventsOmitted: 0 }));
  let room = MOST_EVENTS;
  const wanted = described.map(({ diff, versions }): WantedEvents => {
    const own = versions.slice(0, room);
    room -= own.length;
    return {
      ...{ streamId: diff.streamId, pastHead: diff.past?.lastVersion ?? null, versions: own },
      eventsInAll: (diff.past?.events ?? 0) + (diff.newer?.events ?? 0),
    };
  });
  const read = await readEventDiffs(snapshot, past, wanted, { ...events, totalEvents, signal });
  return described.map(({ diff }, i) => {
    const own = read[i]!;
    return { ...diff, events: own, eventsOmitted: Math.max(0, eventsOf(diff) - own.length) };
  });
}

function eventsOf({ missing, replaced, changed, between, newer }: StreamDiff): number {
  return [missing, replaced, changed, between, newer].reduce((sum, extent) => sum + (extent?.events ?? 0), 0);
}
