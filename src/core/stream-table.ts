import { type EventBatch, NULL_LENGTH } from './event-batch.ts';
import { getSparse, hasSparse, makeSparse, removeSparse, type Sparse, setSparse } from './sparse.ts';
import { formatUuid, parseUuid, UUID_BYTES } from './uuid-text.ts';

/**
 * What a set of events holds of each stream: how many events, which versions, the last event's id. Built from
 * batches in any order and by several threads, then merged; versions are kept as runs, so that gaps and
 * duplicates are found exactly, in memory that follows the number of streams and not of events.
 *
 * Plain data: a table survives structured cloning. An open-addressed hash table (FNV-1a over the name's bytes)
 * over columns of typed arrays.
 */
export interface StreamTable {
  count: number;
  slots: Int32Array;
  hashes: Uint32Array;
  names: Uint8Array;
  namesUsed: number;
  /** All names together may pass 4 GiB. */
  nameStarts: Float64Array;
  nameLengths: Uint32Array;
  events: Float64Array;
  /** The first run of consecutive versions; further runs are in `moreRuns`. */
  runFirst: Float64Array;
  runLast: Float64Array;
  /** By stream, flat pairs [first, last, first, last, …]. */
  moreRuns: Sparse<number[]>;
  /** By stream, the length of its `moreRuns` at which they are joined next. */
  compactAt: Sparse<number>;
  duplicates: Sparse<number>;
  headVersion: Float64Array;
  headIds: Uint8Array;
  /** The stream's number in the batch that last held it. */
  numberIn: Uint32Array;
  /** Head ids that are no UUIDs in the canonical form; the stream's 16 bytes are then unused. */
  headTextIds: Sparse<string>;
}

const EMPTY = -1;
/** The runs of a stream are joined when their list has doubled since the last time, from this length on. */
const COMPACT_FROM = 256;

/** With room for this many streams; it grows where there are more. */
export function makeStreamTable(streams = 0): StreamTable {
  const capacity = Math.max(256, streams);
  return {
    count: 0,
    slots: new Int32Array(slotsFor(capacity)).fill(EMPTY),
    hashes: new Uint32Array(capacity),
    names: new Uint8Array(capacity * 24),
    namesUsed: 0,
    nameStarts: new Float64Array(capacity),
    nameLengths: new Uint32Array(capacity),
    events: new Float64Array(capacity),
    runFirst: new Float64Array(capacity),
    runLast: new Float64Array(capacity),
    moreRuns: makeSparse(),
    compactAt: makeSparse(),
    duplicates: makeSparse(),
    headVersion: new Float64Array(capacity),
    headIds: new Uint8Array(capacity * UUID_BYTES),
    numberIn: new Uint32Array(capacity),
    headTextIds: makeSparse(),
  };
}

/** The streams of a batch, each once, as their places in the table, in the order in which the batch first names them. */
export interface BatchStreams {
  readonly streams: readonly number[];
  /** For each event its stream's place in `streams`. */
  readonly numbers: Uint32Array;
}

/** What of a batch says which streams it holds. */
type StreamBatch = Pick<
  EventBatch,
  'count' | 'bytes' | 'idKind' | 'id' | 'stream' | 'streamNumbers' | 'versions'
>;

/** Adds every event of a batch. */
export function addBatch(table: StreamTable, batch: StreamBatch): BatchStreams {
  if (table.slots.length === 0) reopenTable(table);
  const found = batch.streamNumbers === undefined ? findStreams(table, batch) : lookUpStreams(table, batch);
  const { streams, numbers } = found;
  const { versions } = batch;
  // Of each stream the row of its highest version so far; −1: an earlier batch has a higher one.
  const heads = new Int32Array(streams.length).fill(-1);
  for (let row = 0; row < batch.count; row += 1) {
    const number = numbers[row]!;
    const index = streams[number]!;
    const version = versions[row]!;
    addVersion(table, index, version);
    if (table.events[index] !== 1 && version < table.headVersion[index]!) continue;
    table.headVersion[index] = version;
    heads[number] = row;
  }
  const { starts, lengths } = batch.id;
  for (let number = 0; number < streams.length; number += 1) {
    const row = heads[number]!;
    if (row !== -1) setHeadId(table, streams[number]!, batch, starts[row]!, lengths[row]!);
  }
  return found;
}

/** Finds the stream of each event, and numbers the streams. */
function findStreams(table: StreamTable, batch: StreamBatch): BatchStreams {
  const { bytes, stream } = batch;
  const streams: number[] = [];
  const numbers = new Uint32Array(batch.count);
  for (let row = 0; row < batch.count; row += 1) {
    const index = findOrAdd(table, bytes, stream.starts[row]!, stream.lengths[row]!);
    let number = table.numberIn[index]!;
    // A number of an earlier batch leads to another stream, or to none.
    if (streams[number] !== index) {
      number = streams.push(index) - 1;
      table.numberIn[index] = number;
    }
    numbers[row] = number;
  }
  return { streams, numbers };
}

/** Finds each stream once, by the numbers that the batch brings. */
function lookUpStreams(
  table: StreamTable,
  { bytes, stream, streamNumbers, count }: StreamBatch,
): BatchStreams {
  const streams: number[] = [];
  const numbers = streamNumbers!;
  for (let row = 0; row < count; row += 1) {
    if (numbers[row] !== streams.length) continue;
    streams.push(findOrAdd(table, bytes, stream.starts[row]!, stream.lengths[row]!));
  }
  return { streams, numbers };
}

/** The stream's place in the table; added when it is new. */
export function findOrAdd(table: StreamTable, bytes: Uint8Array, start: number, length: number): number {
  const hash = fnv1a(bytes, start, length, FNV_BASIS);
  const mask = table.slots.length - 1;
  let slot = hash & mask;
  for (;;) {
    const index = table.slots[slot]!;
    if (index === EMPTY) return addStream(table, slot, hash, bytes, start, length);
    if (table.hashes[index] === hash && sameName(table, index, bytes, start, length)) return index;
    slot = (slot + 1) & mask;
  }
}

/** The stream's place in the table, or −1. Not for a table that is closed. */
export function findStream(table: StreamTable, bytes: Uint8Array, start: number, length: number): number {
  const hash = fnv1a(bytes, start, length, FNV_BASIS);
  const mask = table.slots.length - 1;
  for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
    const index = table.slots[slot]!;
    if (index === EMPTY) return -1;
    if (table.hashes[index] === hash && sameName(table, index, bytes, start, length)) return index;
  }
}

/** Adds all that `other` holds to `table`. */
export function mergeTable(table: StreamTable, other: StreamTable): void {
  if (table.slots.length === 0) reopenTable(table);
  for (let from = 0; from < other.count; from += 1) {
    const index = findOrAdd(table, other.names, other.nameStarts[from]!, other.nameLengths[from]!);
    const isNew = table.events[index] === 0;
    table.events[index] = table.events[index]! + other.events[from]!;
    if (isNew) {
      table.runFirst[index] = other.runFirst[from]!;
      table.runLast[index] = other.runLast[from]!;
    } else {
      joinRun(table, index, other.runFirst[from]!, other.runLast[from]!);
    }
    const more = getSparse(other.moreRuns, from) ?? [];
    for (let i = 0; i < more.length; i += 2) addRun(table, index, more[i]!, more[i + 1]!);
    const duplicates = getSparse(other.duplicates, from);
    if (duplicates !== undefined) addDuplicates(table, index, duplicates);
    if (isNew || other.headVersion[from]! >= table.headVersion[index]!) copyHead(table, index, other, from);
  }
}

/** Gives back what only adding to a table needs. It comes back by itself when something is added all the same. */
export function closeTable(table: StreamTable): void {
  for (const { buffer } of [table.slots, table.numberIn, table.hashes]) (buffer as ArrayBuffer).transfer(0);
  table.slots = new Int32Array(0);
  table.numberIn = new Uint32Array(0);
  table.hashes = new Uint32Array(0);
}

function reopenTable(table: StreamTable): void {
  const capacity = table.nameStarts.length;
  table.hashes = new Uint32Array(capacity);
  table.numberIn = new Uint32Array(capacity);
  for (let index = 0; index < table.count; index += 1) {
    table.hashes[index] = fnv1a(table.names, table.nameStarts[index]!, table.nameLengths[index]!, FNV_BASIS);
  }
  fillSlots(table, slotsFor(table.count + 1));
}

/** The buffers of a table, to hand them over to another thread without copying. The table is empty after that. */
export function tableBuffers(table: StreamTable): ArrayBuffer[] {
  return Object.values(table)
    .filter((value) => ArrayBuffer.isView(value))
    .map((column) => column.buffer as ArrayBuffer);
}

/** Gives a table's memory back at once. It must not be used again. */
export function releaseTable(table: StreamTable): void {
  for (const buffer of tableBuffers(table)) buffer.transfer(0);
}

/** What the table holds of one stream. */
export interface StreamFacts {
  readonly events: number;
  readonly firstVersion: number;
  readonly lastVersion: number;
  /** Missing versions between first and last, as inclusive pairs. */
  readonly gaps: readonly (readonly [number, number])[];
  /** Events whose version another event of the stream has too. */
  readonly duplicates: number;
}

const NO_GAPS: StreamFacts['gaps'] = [];

export function streamFacts(table: StreamTable, index: number): StreamFacts {
  compactRuns(table, index);
  if (!hasSparse(table.moreRuns, index)) {
    return {
      events: table.events[index]!,
      firstVersion: table.runFirst[index]!,
      lastVersion: table.runLast[index]!,
      gaps: NO_GAPS,
      duplicates: getSparse(table.duplicates, index) ?? 0,
    };
  }
  const runs = [table.runFirst[index]!, table.runLast[index]!, ...(getSparse(table.moreRuns, index) ?? [])];
  const gaps: [number, number][] = [];
  for (let i = 2; i < runs.length; i += 2) gaps.push([runs[i - 1]! + 1, runs[i]! - 1]);
  return {
    events: table.events[index]!,
    firstVersion: runs[0]!,
    lastVersion: runs[runs.length - 1]!,
    gaps,
    duplicates: getSparse(table.duplicates, index) ?? 0,
  };
}

/** The stream's name as bytes, without copying. */
export function streamName(table: StreamTable, index: number): Uint8Array {
  const start = table.nameStarts[index]!;
  return table.names.subarray(start, start + table.nameLengths[index]!);
}

/** The id of the stream's last event: canonical UUID text, or the text that the store has. */
export function headId(table: StreamTable, index: number): string {
  return getSparse(table.headTextIds, index) ?? formatUuid(table.headIds, index * UUID_BYTES);
}

function addVersion(table: StreamTable, index: number, version: number): void {
  const events = table.events[index]! + 1;
  table.events[index] = events;
  if (events === 1) {
    table.runFirst[index] = version;
    table.runLast[index] = version;
  } else if (
    version === table.runLast[index]! + 1 &&
    (table.moreRuns.size === 0 || !hasSparse(table.moreRuns, index))
  ) {
    table.runLast[index] = version;
  } else {
    addRun(table, index, version, version);
  }
}

/** Of a stream that is read in several parts mostly each goes on where the one before ended: that takes no list. */
function joinRun(table: StreamTable, index: number, first: number, last: number): void {
  const isOne = !hasSparse(table.moreRuns, index);
  if (isOne && first === table.runLast[index]! + 1) table.runLast[index] = last;
  else if (isOne && last + 1 === table.runFirst[index]!) table.runFirst[index] = first;
  else addRun(table, index, first, last);
}

function addRun(table: StreamTable, index: number, first: number, last: number): void {
  const runs = getSparse(table.moreRuns, index);
  if (runs === undefined) {
    setSparse(table.moreRuns, index, [first, last]);
    return;
  }
  const end = runs.length - 1;
  if (runs[end]! + 1 === first) {
    runs[end] = last;
    return;
  }
  runs.push(first, last);
  if (runs.length < (getSparse(table.compactAt, index) ?? COMPACT_FROM)) return;
  compactRuns(table, index);
  setSparse(
    table.compactAt,
    index,
    Math.max(COMPACT_FROM, 2 * (getSparse(table.moreRuns, index)?.length ?? 0)),
  );
}

/** Sorts and joins the runs of a stream; overlaps become duplicates. */
export function compactRuns(table: StreamTable, index: number): void {
  const more = getSparse(table.moreRuns, index);
  if (more === undefined) return;
  const runs: [number, number][] = [[table.runFirst[index]!, table.runLast[index]!]];
  for (let i = 0; i < more.length; i += 2) runs.push([more[i]!, more[i + 1]!]);
  runs.sort((a, b) => a[0] - b[0]);
  const joined: [number, number][] = [];
  let duplicates = 0;
  for (const [first, last] of runs) {
    const previous = joined.at(-1);
    if (previous === undefined || first > previous[1] + 1) {
      joined.push([first, last]);
      continue;
    }
    duplicates += Math.max(0, Math.min(previous[1], last) - first + 1);
    previous[1] = Math.max(previous[1], last);
  }
  if (duplicates > 0) addDuplicates(table, index, duplicates);
  [table.runFirst[index], table.runLast[index]] = joined[0]!;
  if (joined.length === 1) removeSparse(table.moreRuns, index);
  else setSparse(table.moreRuns, index, joined.slice(1).flat());
}

function addDuplicates(table: StreamTable, index: number, count: number): void {
  setSparse(table.duplicates, index, (getSparse(table.duplicates, index) ?? 0) + count);
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

export function setHeadId(
  table: StreamTable,
  index: number,
  batch: Pick<StreamBatch, 'bytes' | 'idKind'>,
  start: number,
  length: number,
): void {
  const { bytes } = batch;
  if (batch.idKind === 'uuid') {
    const to = index * UUID_BYTES;
    for (let i = 0; i < UUID_BYTES; i += 1) table.headIds[to + i] = bytes[start + i]!;
    if (table.headTextIds.size > 0) removeSparse(table.headTextIds, index);
    return;
  }
  if (length !== NULL_LENGTH && parseUuid(bytes, start, length, table.headIds, index * UUID_BYTES)) {
    removeSparse(table.headTextIds, index);
    return;
  }
  setSparse(
    table.headTextIds,
    index,
    length === NULL_LENGTH ? '' : decoder.decode(bytes.subarray(start, start + length)),
  );
}

export function copyHead(table: StreamTable, index: number, other: StreamTable, from: number): void {
  table.headVersion[index] = other.headVersion[from]!;
  const text = getSparse(other.headTextIds, from);
  if (text !== undefined) {
    setSparse(table.headTextIds, index, text);
    return;
  }
  removeSparse(table.headTextIds, index);
  table.headIds.set(other.headIds.subarray(from * UUID_BYTES, (from + 1) * UUID_BYTES), index * UUID_BYTES);
}

/** FNV-1a of 32 bits: the hash of the table, and of the stream filters in the format. */
export function fnv1a(bytes: Uint8Array, start: number, length: number, basis: number): number {
  let hash = basis;
  const end = start + length;
  for (let i = start; i < end; i += 1) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  return hash >>> 0;
}

export const FNV_BASIS = 0x811c9dc5;

function sameName(
  table: StreamTable,
  index: number,
  bytes: Uint8Array,
  start: number,
  length: number,
): boolean {
  if (table.nameLengths[index] !== length) return false;
  const at = table.nameStarts[index]!;
  for (let i = 0; i < length; i += 1) if (table.names[at + i] !== bytes[start + i]) return false;
  return true;
}

function addStream(
  table: StreamTable,
  slot: number,
  hash: number,
  bytes: Uint8Array,
  start: number,
  length: number,
): number {
  if (table.count === table.hashes.length) growColumns(table);
  if (5 * (table.count + 1) > 3 * table.slots.length) {
    fillSlots(table, table.slots.length * 2);
    return findOrAdd(table, bytes, start, length);
  }
  if (table.namesUsed + length > table.names.length) growNames(table, length);
  const index = table.count;
  table.count += 1;
  table.slots[slot] = index;
  table.hashes[index] = hash;
  table.nameStarts[index] = table.namesUsed;
  table.nameLengths[index] = length;
  table.names.set(bytes.subarray(start, start + length), table.namesUsed);
  table.namesUsed += length;
  return index;
}

function growColumns(table: StreamTable): void {
  const capacity = grown(table.hashes.length);
  table.hashes = new Uint32Array(resize(table.hashes, capacity));
  table.nameStarts = new Float64Array(resize(table.nameStarts, capacity));
  table.nameLengths = new Uint32Array(resize(table.nameLengths, capacity));
  table.events = new Float64Array(resize(table.events, capacity));
  table.runFirst = new Float64Array(resize(table.runFirst, capacity));
  table.runLast = new Float64Array(resize(table.runLast, capacity));
  table.headVersion = new Float64Array(resize(table.headVersion, capacity));
  table.numberIn = new Uint32Array(resize(table.numberIn, capacity));
  table.headIds = new Uint8Array(resize(table.headIds, capacity * UUID_BYTES));
}

/** What is large grows by less: half of it would lie idle, and hundreds of megabytes be held for nothing. */
function grown(length: number): number {
  return length < 1 << 20 ? length * 2 : Math.ceil(length * 1.5);
}

/** At most three of five slots are used: a name is found within a few steps. A power of two. */
function slotsFor(streams: number): number {
  return 2 ** Math.ceil(Math.log2((5 * streams) / 3));
}

function fillSlots(table: StreamTable, size: number): void {
  (table.slots.buffer as ArrayBuffer).transfer(0);
  const slots = new Int32Array(size).fill(EMPTY);
  const mask = size - 1;
  for (let index = 0; index < table.count; index += 1) {
    let slot = table.hashes[index]! & mask;
    while (slots[slot] !== EMPTY) slot = (slot + 1) & mask;
    slots[slot] = index;
  }
  table.slots = slots;
}

function growNames(table: StreamTable, more: number): void {
  const size = Math.max(grown(table.names.length), table.namesUsed + more);
  table.names = new Uint8Array(resize(table.names, size));
}

/** Moves a column into a larger buffer and frees the old one at once: it would otherwise stand until a collection. */
function resize(column: Uint8Array | Uint32Array | Float64Array, length: number): ArrayBuffer {
  return (column.buffer as ArrayBuffer).transfer(length * column.BYTES_PER_ELEMENT);
}
