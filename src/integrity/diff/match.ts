import { BackupError, throwIfAborted } from '../../core/errors.ts';
import type { EventBatch } from '../../core/event-batch.ts';
import type { StoreSnapshot } from '../../core/event-store.ts';
import { nameText } from '../../core/name-text.ts';
import type { PastStore } from '../../core/past-store.ts';
import { findStream, type StreamTable, streamName } from '../../core/stream-table.ts';
import { addDigest } from '../stream-sums.ts';
import { makeEventMatch, type TakeDifference } from './event-match.ts';
import { FIRST_OF_ALL, planLive, readLive, tailsOf } from './live-rows.ts';

export interface MatchOptions {
  readonly totalEvents: number;
  /** Events of the past that are known at a time. */
  readonly maxNoted?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** About 60 MB. */
const MAX_NOTED = 1 << 20;

interface Sides {
  readonly snapshot: StoreSnapshot;
  readonly past: PastStore;
}

/**
 * Holds the events of some streams against one another, up to the past's last version of each, and gives every difference: as many
 * streams at a time as there is room for their events. Throws `damaged` when the past lacks what its heads name.
 */
export async function matchStreams(
  sides: Sides,
  places: readonly number[],
  options: MatchOptions,
  take: TakeDifference,
): Promise<void> {
  const { table } = sides.past;
  for (const group of groupStreams(table, places, options.maxNoted ?? MAX_NOTED)) {
    throwIfAborted(options.signal);
    const events = eventsOf(table, group);
    const isLarge = events > (options.maxNoted ?? MAX_NOTED);
    if (isLarge) await matchLarge(sides, group[0]!, options, take);
    else {
      const noted = await matchPart(sides, { places: group, windows: null, events }, options, take);
      if (noted !== events) throw notThere(table, group, { events, noted });
    }
  }
}

function eventsOf(table: StreamTable, places: readonly number[]): number {
  return places.reduce((sum, place) => sum + table.events[place]!, 0);
}

/** Neighbours with as many events as there is room for; one that has more stands alone. */
export function* groupStreams(
  table: StreamTable,
  places: readonly number[],
  maxEvents: number,
): Generator<number[]> {
  let group: number[] = [];
  let events = 0;
  for (const place of places) {
    if (group.length > 0 && events + table.events[place]! > maxEvents) {
      yield group;
      group = [];
      events = 0;
    }
    group.push(place);
    events += table.events[place]!;
  }
  if (group.length > 0) yield group;
}

/** Versions that are gone through: all, or windows of so many, by their numbers. */
interface Windows {
  readonly size: number;
  readonly numbers: ReadonlySet<number>;
}

interface Part {
  readonly places: readonly number[];
  /** Null: all versions. */
  readonly windows: Windows | null;
  /** How many of the past, about. */
  readonly events: number;
}

/** Gives how many events the past had. */
async function matchPart(
  { snapshot, past }: Sides,
  part: Part,
  { totalEvents, signal }: MatchOptions,
  take: TakeDifference,
): Promise<number> {
  const { table } = past;
  const { places, events } = part;
  const match = makeEventMatch(events, take);
  const each = eachRow(table, part);
  let noted = 0;
  await past.read(namesOf(table, places), (batch) =>
    each(batch, (place, row) => {
      match.note(place, batch, row);
      noted += 1;
    }),
  );
  const ranges = await planLive(snapshot, tailsOf(table, places, firstOf(part)), {
    events: eventsOf(table, places),
    totalEvents,
  });
  await readLive(snapshot, ranges, signal, (batch) =>
    each(batch, (place, row) => {
      if (batch.versions[row]! <= table.headVersion[place]!) match.meet(place, batch, row);
    }),
  );
  match.settle();
  return noted;
}

function namesOf(table: StreamTable, places: readonly number[]): Uint8Array[] {
  return places.map((place) => streamName(table, place));
}

function firstOf({ windows }: Part): number {
  if (windows === null) return FIRST_OF_ALL;
  let least = Number.POSITIVE_INFINITY;
  for (const number of windows.numbers) least = Math.min(least, number);
  return Math.max(FIRST_OF_ALL, least * windows.size);
}

/** Goes through the rows of a batch that belong to a part. */
function eachRow(table: StreamTable, { places, windows }: Pick<Part, 'places' | 'windows'>) {
  const isOwn = new Uint8Array(table.count);
  for (const place of places) isOwn[place] = 1;
  return (batch: EventBatch, work: (place: number, row: number) => void): void => {
    const { starts, lengths } = batch.stream;
    for (let row = 0; row < batch.count; row += 1) {
      const place = findStream(table, batch.bytes, starts[row]!, lengths[row]!);
      if (place === -1 || isOwn[place] === 0) continue;
      if (windows === null || windows.numbers.has(windowOf(batch.versions[row]!, windows.size)))
        work(place, row);
    }
  };
}

function windowOf(version: number, size: number): number {
  return Math.floor(version / size);
}

/** Windows that the room for events is enough for. */
const WINDOWS = 16;

/** What is known of one window of versions. */
interface Window {
  /** Digests of the store's events less those of the past's. */
  sum: number;
  events: number;
}

/**
 * A stream with more events than there is room for is summed up once more, window by window of its versions, and only windows that
 * differ are gone through: as many at a time as there is room for.
 */
async function matchLarge(
  sides: Sides,
  place: number,
  options: MatchOptions,
  take: TakeDifference,
): Promise<void> {
  const { table } = sides.past;
  const maxNoted = options.maxNoted ?? MAX_NOTED;
  const size = Math.max(1, Math.floor(maxNoted / WINDOWS));
  const windows = await sumWindows(sides, place, size, options);
  const events = [...windows.values()].reduce((sum, window) => sum + window.events, 0);
  if (events !== table.events[place]) {
    throw notThere(table, [place], { events: table.events[place]!, noted: events });
  }
  for (const { numbers, events: own } of groupWindows(windows, maxNoted)) {
    throwIfAborted(options.signal);
    await matchPart(sides, { places: [place], windows: { size, numbers }, events: own }, options, take);
  }
}

async function sumWindows(
  { snapshot, past }: Sides,
  place: number,
  size: number,
  { totalEvents, signal }: MatchOptions,
): Promise<Map<number, Window>> {
  const { table } = past;
  const places = [place];
  const windows = new Map<number, Window>();
  const each = eachRow(table, { places, windows: null });
  const add = (batch: EventBatch, row: number, sign: 1 | -1): void => {
    const number = windowOf(batch.versions[row]!, size);
    const window = windows.get(number) ?? { sum: 0, events: 0 };
    windows.set(number, window);
    window.sum = addDigest(window.sum, batch, row, sign);
    if (sign === -1) window.events += 1;
  };
  await past.read(namesOf(table, places), (batch) => each(batch, (_, row) => add(batch, row, -1)));
  const ranges = await planLive(snapshot, tailsOf(table, places, FIRST_OF_ALL), {
    events: eventsOf(table, places),
    totalEvents,
  });
  await readLive(snapshot, ranges, signal, (batch) =>
    each(batch, (_, row) => {
      if (batch.versions[row]! <= table.headVersion[place]!) add(batch, row, 1);
    }),
  );
  return windows;
}

/** Windows that differ, as many together as there is room for. */
function groupWindows(
  windows: ReadonlyMap<number, Window>,
  maxEvents: number,
): { numbers: Set<number>; events: number }[] {
  const groups: { numbers: Set<number>; events: number }[] = [];
  for (const [number, { sum, events }] of [...windows].sort(([a], [b]) => a - b)) {
    if (sum === 0) continue;
    const last = groups.at(-1);
    if (last !== undefined && last.events + events <= maxEvents) {
      last.numbers.add(number);
      last.events += events;
    } else groups.push({ numbers: new Set([number]), events });
  }
  return groups;
}

function notThere(
  table: StreamTable,
  [place, ...others]: readonly number[],
  { events, noted }: { readonly events: number; readonly noted: number },
): BackupError {
  const name = JSON.stringify(nameText(streamName(table, place!)));
  const more = others.length === 0 ? '' : ` and ${others.length} more`;
  return new BackupError(
    'damaged',
    `of stream ${name}${more} the heads of the backup name ${events} events, its files hold ${noted}`,
    { hint: 'run `eventcore verify`, and use another backup', facts: { events, found: noted } },
  );
}
