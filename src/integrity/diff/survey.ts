import { throwIfAborted } from '../../core/errors.ts';
import { type EventBatch, selectRows } from '../../core/event-batch.ts';
import type { StoreRange, StoreSnapshot } from '../../core/event-store.ts';
import { nameBytes, nameText } from '../../core/name-text.ts';
import type { PastStore } from '../../core/past-store.ts';
import type { Progress } from '../../core/report.ts';
import { holdsVersion } from '../../core/stream-entry.ts';
import type { StreamSelection } from '../../core/stream-selection.ts';
import {
  addBatch,
  findStream,
  makeStreamTable,
  type StreamTable,
  streamName,
} from '../../core/stream-table.ts';
import { addDigest, takeOffPast } from '../stream-sums.ts';
import { FIRST_OF_ALL, planLive, readLive } from './live-rows.ts';

/** What a look at both sides as a whole says: a few bytes for each stream. */
export interface Survey {
  /** By place in the past's table. */
  readonly marks: Uint8Array;
  /** What the store has of each stream behind the past's last event of it. */
  readonly newer: StreamTable;
}

/** To be looked into; and nothing that the past holds of it is in the store. */
export const SUSPECT = 1;
export const GONE = 2;

export interface SurveyOptions {
  /** Null: all streams. */
  readonly selection: StreamSelection | null;
  /** Of the past, about: for progress, and to choose how to read. */
  readonly totalEvents: number;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Finds the streams that differ. A store that tells what was written since the past is asked for that, and for how many events each
 * stream has. Of another one, and where streams are named, all events of both sides are read, and their sums compared.
 */
export async function surveyStore(
  snapshot: StoreSnapshot,
  past: PastStore,
  options: SurveyOptions,
): Promise<Survey> {
  const rewritten = await planRewritten(snapshot, past, options.selection);
  return rewritten === null
    ? surveyBySums(snapshot, past, options)
    : surveyByChanges(snapshot, past, rewritten, options);
}

/** Ranges that hold every event that was written since the past; null where that is not to be had. */
async function planRewritten(
  snapshot: StoreSnapshot,
  { cursor }: PastStore,
  selection: StreamSelection | null,
): Promise<StoreRange[] | null> {
  if (cursor === null || selection !== null || !snapshot.showsRewritten) return null;
  const changes = await snapshot.planChanges(cursor, 1);
  return typeof changes === 'string' ? null : changes;
}

async function surveyBySums(
  snapshot: StoreSnapshot,
  past: PastStore,
  options: SurveyOptions,
): Promise<Survey> {
  const { table } = past;
  const { selection } = options;
  const marks = new Uint8Array(table.count);
  const sums = new Float64Array(table.count);
  const held = new Uint8Array(table.count);
  const ranges = await planSelected(snapshot, table, options);
  const newer = await readNewer(snapshot, past, ranges, options, (place, batch, row) => {
    if (holdsVersion(table, place, batch.versions[row]!)) {
      held[place] = 1;
      sums[place] = addDigest(sums[place]!, batch, row, 1);
    } else marks[place] = SUSPECT;
  });
  await takeOffPast(sums, past, selection?.names ?? 'all');
  for (let place = 0; place < table.count; place += 1) {
    if (sums[place] === 0) continue;
    marks[place] = held[place] === 0 && marks[place] === 0 ? GONE : SUSPECT;
  }
  return { marks, newer };
}

function planSelected(
  snapshot: StoreSnapshot,
  table: StreamTable,
  { selection, totalEvents }: SurveyOptions,
): Promise<StoreRange[]> {
  if (selection === null) return snapshot.planRanges(1);
  const tails = selection.names.map((name) => ({ streamId: nameText(name), fromVersion: FIRST_OF_ALL }));
  return planLive(snapshot, tails, { events: sumOf(table), totalEvents });
}

/**
 * A stream of which nothing was written where the past has events holds what is left of these, as they were: so it must have as many
 * events as the past has of it, and what came since.
 */
async function surveyByChanges(
  snapshot: StoreSnapshot,
  past: PastStore,
  ranges: readonly StoreRange[],
  options: SurveyOptions,
): Promise<Survey> {
  const { table } = past;
  const marks = new Uint8Array(table.count);
  let isTouched = false;
  const newer = await readNewer(snapshot, past, ranges, options, (place) => {
    marks[place] = SUSPECT;
    isTouched = true;
  });
  const total = sumOf(table) + sumOf(newer);
  if (!isTouched && (await snapshot.countEvents()) === total) return { marks, newer };
  const isSeen = new Uint8Array(table.count);
  for await (const { streamId, events } of snapshot.readSummaries()) {
    throwIfAborted(options.signal);
    const name = nameBytes(streamId);
    const place = findStream(table, name, 0, name.length);
    if (place === -1) continue;
    isSeen[place] = 1;
    if (events !== table.events[place]! + eventsOf(newer, name)) marks[place] = SUSPECT;
  }
  for (let place = 0; place < table.count; place += 1) if (isSeen[place] === 0) marks[place] = GONE;
  return { marks, newer };
}

function sumOf({ events, count }: StreamTable): number {
  return events.subarray(0, count).reduce((sum, own) => sum + own, 0);
}

function eventsOf(table: StreamTable, name: Uint8Array): number {
  const place = findStream(table, name, 0, name.length);
  return place === -1 ? 0 : table.events[place]!;
}

/** Takes a row of the store that stands at the past's last version of its stream, or below. */
type TakeOld = (place: number, batch: EventBatch, row: number) => void;

/** Reads ranges of the store: gives what lies behind the past's last versions, and all else to `takeOld`. */
async function readNewer(
  snapshot: StoreSnapshot,
  { table }: PastStore,
  ranges: readonly StoreRange[],
  { selection, totalEvents, onProgress, signal }: SurveyOptions,
  takeOld: TakeOld,
): Promise<StreamTable> {
  const newer = makeStreamTable();
  const done = { events: 0, bytes: 0 };
  await readLive(snapshot, ranges, signal, (batch) => {
    const { starts, lengths } = batch.stream;
    const rows: number[] = [];
    for (let row = 0; row < batch.count; row += 1) {
      if (selection?.has(batch.bytes, starts[row]!, lengths[row]!) === false) continue;
      const place = findStream(table, batch.bytes, starts[row]!, lengths[row]!);
      if (place === -1 || batch.versions[row]! > table.headVersion[place]!) rows.push(row);
      else takeOld(place, batch, row);
    }
    if (rows.length > 0) addBatch(newer, selectRows(batch, rows));
    done.events += batch.count;
    done.bytes += batch.bytes.length;
    onProgress?.({ ...done, totalEvents: Math.max(totalEvents, done.events), totalBytes: null });
  });
  return newer;
}

/** Of the streams that are named, the first one that neither side has; null when each is on one of them. */
export function findUnknown(selection: StreamSelection, tables: readonly StreamTable[]): Uint8Array | null {
  const isKnown = (name: Uint8Array): boolean =>
    tables.some((table) => findStream(table, name, 0, name.length) !== -1);
  return selection.names.find((name) => !isKnown(name)) ?? null;
}

/** The streams that differ, or may, as places in the past's table, in byte order of their names. */
export function markedStreams({ marks }: Survey, table: StreamTable): number[] {
  const places: number[] = [];
  for (let place = 0; place < marks.length; place += 1) if (marks[place] !== 0) places.push(place);
  return places.sort((a, b) => Buffer.compare(streamName(table, a), streamName(table, b)));
}
