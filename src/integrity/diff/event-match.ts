import { type EventBatch, NULL_LENGTH, type Spans } from '../../core/event-batch.ts';
import { FNV_BASIS, fnv1a } from '../../core/stream-table.ts';
import { parseUuid, UUID_BYTES } from '../../core/uuid-text.ts';
import { shortDigest } from '../../format/content-digest.ts';

/** How an event of the past and the store differ; of one version each. */
export const DIFF_KINDS = [
  /** In the past, and not in the store. */
  'missing',
  /** The store has another event at its stream and version. */
  'replaced',
  /** The same id with other content. */
  'changed',
  /** Only the store has it, at a version where the past should have it, had it been there. */
  'between',
] as const;

export type DiffKind = (typeof DIFF_KINDS)[number];

/** In the order of their bits in a mask. `id`: written otherwise, as the same UUID in capitals. */
export const EVENT_FIELDS = ['type', 'data', 'metadata', 'time', 'id'] as const;

export type EventField = (typeof EVENT_FIELDS)[number];

/** Takes one difference. `place`: of the stream in the past's table. `fields`: a mask, of what is `changed` alone. */
export type TakeDifference = (place: number, version: number, kind: DiffKind, fields: number) => void;

/** Events of the past, a few numbers each, and what the store was found to have of them. */
export interface EventMatch {
  /** Takes an event of the past: all of them before the first one of the store. */
  readonly note: (place: number, batch: EventBatch, row: number) => void;
  /** Holds an event of the store against them. */
  readonly meet: (place: number, batch: EventBatch, row: number) => void;
  /** Says what differs, when all events of both have come; where the past has nothing at a version, `meet` has said it. */
  readonly settle: () => void;
}

/** About 60 bytes an event. */
interface Noted {
  places: Uint32Array;
  versions: Float64Array;
  ids: Float64Array;
  digests: Float64Array;
  /** Hashes of the fields, `HASHED_FIELDS` to an event: they only say which one differs where the digest does. */
  fields: Uint32Array;
  states: Uint8Array;
  masks: Uint8Array;
  /** At the first event of a version: events of the store there with an id that the past has not. */
  others: Uint32Array;
  slots: Int32Array;
  count: number;
}

const HASHED_FIELDS = 4;
const ID_BIT = 1 << HASHED_FIELDS;
const EMPTY = -1;
const [UNMET, EQUAL, CHANGED] = [0, 1, 2];

/**
 * Matches by id first, so that an event that stands twice, or beside another one of its version, is found whatever the order; what
 * then remains of a version on both sides was replaced. `expected`: how many events will be noted; it grows where there are more.
 */
export function makeEventMatch(expected: number, take: TakeDifference): EventMatch {
  const noted = makeNoted(Math.max(16, expected));
  return {
    note: (place, batch, row) => {
      if (noted.count === noted.places.length) grow(noted);
      noteEvent(noted, place, batch, row);
    },
    meet: (place, batch, row) => meetEvent(noted, place, batch, row, take),
    settle: () => settle(noted, take),
  };
}

function makeNoted(capacity: number): Noted {
  return {
    places: new Uint32Array(capacity),
    versions: new Float64Array(capacity),
    ids: new Float64Array(capacity),
    digests: new Float64Array(capacity),
    fields: new Uint32Array(capacity * HASHED_FIELDS),
    states: new Uint8Array(capacity),
    masks: new Uint8Array(capacity),
    others: new Uint32Array(capacity),
    slots: new Int32Array(slotsFor(capacity)).fill(EMPTY),
    count: 0,
  };
}

function slotsFor(capacity: number): number {
  return 2 ** Math.ceil(Math.log2(capacity * 2));
}

function grow(noted: Noted): void {
  const capacity = noted.places.length * 2;
  const larger = makeNoted(capacity);
  for (const name of [
    'places',
    'versions',
    'ids',
    'digests',
    'fields',
    'states',
    'masks',
    'others',
  ] as const) {
    larger[name].set(noted[name]);
  }
  larger.count = noted.count;
  for (let entry = 0; entry < noted.count; entry += 1) {
    placeEntry(larger, entry, larger.places[entry]!, larger.versions[entry]!);
  }
  Object.assign(noted, larger);
}

function noteEvent(noted: Noted, place: number, batch: EventBatch, row: number): void {
  const entry = noted.count;
  const version = batch.versions[row]!;
  noted.count += 1;
  noted.places[entry] = place;
  noted.versions[entry] = version;
  noted.ids[entry] = idKey(batch, row);
  noted.digests[entry] = shortDigest(batch, row);
  for (let field = 0; field < HASHED_FIELDS; field += 1) {
    noted.fields[entry * HASHED_FIELDS + field] = fieldHash(batch, row, field);
  }
  placeEntry(noted, entry, place, version);
}

/** Entries of one version lie one behind the other, in the order in which they came. */
function placeEntry({ slots }: Noted, entry: number, place: number, version: number): void {
  const mask = slots.length - 1;
  let slot = slotOf(place, version) & mask;
  while (slots[slot] !== EMPTY) slot = (slot + 1) & mask;
  slots[slot] = entry;
}

function slotOf(place: number, version: number): number {
  const low = version % 0x1_0000_0000;
  let hash = Math.imul(place + 1, 0x9e37_79b1) ^ Math.imul(low | 0, 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b_3c6d);
  return (hash ^ (hash >>> 13)) >>> 0;
}

function meetEvent(noted: Noted, place: number, batch: EventBatch, row: number, take: TakeDifference): void {
  const version = batch.versions[row]!;
  const id = idKey(batch, row);
  let first = EMPTY;
  for (const entry of entriesAt(noted, place, version)) {
    if (first === EMPTY) first = entry;
    if (noted.states[entry] !== UNMET || noted.ids[entry] !== id) continue;
    compareWith(noted, entry, batch, row);
    return;
  }
  if (first === EMPTY) take(place, version, 'between', 0);
  else noted.others[first] = noted.others[first]! + 1;
}

function* entriesAt({ slots, places, versions }: Noted, place: number, version: number): Generator<number> {
  const mask = slots.length - 1;
  for (let slot = slotOf(place, version) & mask; slots[slot] !== EMPTY; slot = (slot + 1) & mask) {
    const entry = slots[slot]!;
    if (places[entry] === place && versions[entry] === version) yield entry;
  }
}

function compareWith(noted: Noted, entry: number, batch: EventBatch, row: number): void {
  if (noted.digests[entry] === shortDigest(batch, row)) {
    noted.states[entry] = EQUAL!;
    return;
  }
  let mask = 0;
  for (let field = 0; field < HASHED_FIELDS; field += 1) {
    if (noted.fields[entry * HASHED_FIELDS + field] !== fieldHash(batch, row, field)) mask |= 1 << field;
  }
  noted.states[entry] = CHANGED!;
  noted.masks[entry] = mask === 0 ? ID_BIT : mask;
}

function settle(noted: Noted, take: TakeDifference): void {
  const { places, versions, states, masks, others, count } = noted;
  for (let entry = 0; entry < count; entry += 1) {
    const place = places[entry]!;
    const version = versions[entry]!;
    if (states[entry] === CHANGED) take(place, version, 'changed', masks[entry]!);
    if (states[entry] !== UNMET) continue;
    const [first = entry] = entriesAt(noted, place, version);
    const isReplaced = others[first]! > 0;
    if (isReplaced) others[first] = others[first]! - 1;
    take(place, version, isReplaced ? 'replaced' : 'missing', 0);
  }
  for (let entry = 0; entry < count; entry += 1) {
    for (let left = others[entry]!; left > 0; left -= 1) take(places[entry]!, versions[entry]!, 'between', 0);
    others[entry] = 0;
  }
}

const uuid = new Uint8Array(UUID_BYTES);

const OTHER_BASIS = 0x01000193;

/** 48 bits that are the same for the same id: of a UUID in whatever form and case it is kept. */
function idKey(batch: EventBatch, row: number): number {
  const id = comparableId(batch, row);
  const low = fnv1a(id, 0, id.length, OTHER_BASIS) & 0xffff;
  return fnv1a(id, 0, id.length, FNV_BASIS) * 0x1_0000 + low;
}

/** The bytes of an id: 16 of a UUID, in whatever form and case it is kept, and of others what is there. Valid until the next call. */
export function comparableId({ bytes, id, idKind }: EventBatch, row: number): Uint8Array {
  const start = id.starts[row]!;
  const length = id.lengths[row]!;
  if (length === NULL_LENGTH) return uuid.subarray(0, 0);
  const own = bytes.subarray(start, start + length);
  if (idKind === 'uuid' || length !== UUID_TEXT_BYTES) return own;
  const lower = Buffer.from(own.map((byte) => (byte >= 0x41 && byte <= 0x46 ? byte | 0x20 : byte)));
  return parseUuid(lower, 0, lower.length, uuid, 0) ? uuid : own;
}

const UUID_TEXT_BYTES = 36;

/** Of a time in a text that its layout would write otherwise, the text counts too. */
function fieldHash(batch: EventBatch, row: number, field: number): number {
  if (field === 0) return spanHash(batch, batch.type, row);
  if (field === 1) return spanHash(batch, batch.data, row);
  if (field === 2) return spanHash(batch, batch.metadata, row);
  const text = batch.timeTexts?.get(row);
  const time = BigInt.asUintN(64, batch.times[row]!);
  const low = Number(time & 0xffff_ffffn) ^ Number(time >> 32n);
  return (text === undefined ? low : low ^ fnv1a(text, 0, text.length, FNV_BASIS)) >>> 0;
}

function spanHash({ bytes }: EventBatch, { starts, lengths }: Spans, row: number): number {
  const length = lengths[row]!;
  return length === NULL_LENGTH ? 0 : fnv1a(bytes, starts[row]!, length, FNV_BASIS);
}
