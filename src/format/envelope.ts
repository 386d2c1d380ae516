import { BackupError } from '../core/errors.ts';
import { type EventBatch, makeSpans, type Spans } from '../core/event-batch.ts';
import { jsonEnd } from './json-value.ts';

/** What envelopes of stores of others (FORMAT.md §25) held beside the metadata. Survives structured cloning. */
export interface EnvelopeContents {
  events: number;
  /** Events whose id is no UUID of version 7: such ids do not say what came first. */
  unorderedIds: number;
  readonly columns: ColumnCount[];
}

/** How often a column travelled in envelopes. */
export interface ColumnCount {
  readonly name: string;
  /** In how many envelopes it stood, with a value or with null. */
  present: number;
  nulls: number;
}

export function noContents(): EnvelopeContents {
  return { events: 0, unorderedIds: 0, columns: [] };
}

export function addContents(to: EnvelopeContents, more: EnvelopeContents): void {
  to.events += more.events;
  to.unorderedIds += more.unorderedIds;
  for (const { name, present, nulls } of more.columns) {
    const known = to.columns.find((column) => column.name === name);
    if (known === undefined) to.columns.push({ name, present, nulls });
    else {
      known.present += present;
      known.nulls += nulls;
    }
  }
}

/** Takes envelopes off, batch after batch. */
export interface EnvelopeOpener {
  /** The same events with what the store had as metadata; `{}` where it had none. Over the same bytes, or a copy of them. */
  readonly open: (batch: EventBatch) => EventBatch;
  /** What was in those that were opened so far. */
  readonly contents: EnvelopeContents;
}

interface Key {
  /** With its quotes. */
  readonly bytes: Uint8Array;
  readonly count: ColumnCount;
}

interface Opening {
  readonly contents: EnvelopeContents;
  readonly keys: Key[];
  /** Envelopes of one store have the same columns in the same order: where the next one is looked for first. */
  next: number;
}

export function makeOpener(): EnvelopeOpener {
  const opening: Opening = { contents: noContents(), keys: [], next: 0 };
  return { open: (batch) => openBatch(opening, batch), contents: opening.contents };
}

const NO_METADATA = Buffer.from('{}');

function openBatch(opening: Opening, batch: EventBatch): EventBatch {
  const { count, bytes } = batch;
  const metadata = makeSpans(count);
  let isMissing = false;
  for (let row = 0; row < count; row += 1) {
    if (openRow(opening, batch, row, metadata)) continue;
    isMissing = true;
    metadata.starts[row] = bytes.length;
    metadata.lengths[row] = NO_METADATA.length;
  }
  opening.contents.events += count;
  opening.contents.unorderedIds += countUnordered(batch);
  if (!isMissing) return { ...batch, metadata };
  const longer = new Uint8Array(bytes.length + NO_METADATA.length);
  longer.set(bytes);
  longer.set(NO_METADATA, bytes.length);
  return { ...batch, bytes: longer, metadata };
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BRACE_OPEN = 0x7b;
const BRACE_CLOSE = 0x7d;
const LETTER_N = 0x6e;
const COLUMNS = Buffer.from('"columns"');
const METADATA = Buffer.from('"metadata"');

/** Notes what is in one envelope, and where its metadata lies; false when it has none. */
function openRow(opening: Opening, batch: EventBatch, row: number, metadata: Spans): boolean {
  const { bytes, metadata: envelopes } = batch;
  const start = envelopes.starts[row]!;
  const end = start + envelopes.lengths[row]!;
  let found = false;
  opening.next = 0;
  const isRead = readMembers(bytes, start, end, (keyStart, keyEnd, valueStart, valueEnd) => {
    if (isAt(bytes, keyStart, keyEnd, COLUMNS)) return noteColumns(opening, bytes, valueStart, valueEnd);
    if (!isAt(bytes, keyStart, keyEnd, METADATA)) return false;
    found = true;
    metadata.starts[row] = valueStart;
    metadata.lengths[row] = valueEnd - valueStart;
    return true;
  });
  if (!isRead) throw notEnveloped();
  return found;
}

function notEnveloped(): BackupError {
  return new BackupError(
    'damaged',
    'an event of a store of others has no envelope where its metadata stands',
    {
      hint: 'run `eventcore verify` on the backup',
    },
  );
}

function noteColumns(opening: Opening, bytes: Uint8Array, start: number, end: number): boolean {
  return readMembers(bytes, start, end, (keyStart, keyEnd, valueStart) => {
    const { count } = keyAt(opening, bytes, keyStart, keyEnd);
    count.present += 1;
    if (bytes[valueStart] === LETTER_N) count.nulls += 1;
    return true;
  });
}

function keyAt(opening: Opening, bytes: Uint8Array, start: number, end: number): Key {
  const { keys, contents, next } = opening;
  const expected = keys[next];
  let place = next;
  if (expected === undefined || !isAt(bytes, start, end, expected.bytes))
    place = keys.findIndex((key) => isAt(bytes, start, end, key.bytes));
  if (place === -1) {
    const own = bytes.slice(start, end);
    const count = { name: JSON.parse(Buffer.from(own).toString()) as string, present: 0, nulls: 0 };
    contents.columns.push(count);
    place = keys.push({ bytes: own, count }) - 1;
  }
  opening.next = place + 1;
  return keys[place]!;
}

/** False from `take` ends it, and says that it is no such object. */
type TakeMember = (keyStart: number, keyEnd: number, valueStart: number, valueEnd: number) => boolean;

/** Gives each member of a JSON object, in order. False when it is none. */
function readMembers(bytes: Uint8Array, start: number, end: number, take: TakeMember): boolean {
  if (bytes[start] !== BRACE_OPEN) return false;
  let at = skipBlanks(bytes, start + 1, end);
  if (bytes[at] === BRACE_CLOSE) return at + 1 === end;
  for (;;) {
    if (bytes[at] !== QUOTE) return false;
    const colon = jsonEnd(bytes, at, end);
    if (colon === -1 || bytes[colon] !== COLON) return false;
    const valueStart = skipBlanks(bytes, colon + 1, end);
    const after = jsonEnd(bytes, valueStart, end);
    if (after === -1 || after >= end) return false;
    const keyEnd = trimmedEnd(bytes, at, colon);
    if (!take(at, keyEnd, valueStart, trimmedEnd(bytes, valueStart, after))) return false;
    if (bytes[after] === BRACE_CLOSE) return after + 1 === end;
    if (bytes[after] !== COMMA) return false;
    at = skipBlanks(bytes, after + 1, end);
  }
}

function isBlank(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function skipBlanks(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && isBlank(bytes[at])) at += 1;
  return at;
}

function trimmedEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = end;
  while (at > start && isBlank(bytes[at - 1])) at -= 1;
  return at;
}

function isAt(bytes: Uint8Array, start: number, end: number, wanted: Uint8Array): boolean {
  if (end - start !== wanted.length) return false;
  for (let i = 0; i < wanted.length; i += 1) if (bytes[start + i] !== wanted[i]) return false;
  return true;
}

const VERSION_PLACE = 6;
const VERSION_DIGIT_PLACE = 14;
const DIGIT_SEVEN = 0x37;

function countUnordered({ bytes, idKind, id, count }: EventBatch): number {
  let found = 0;
  for (let row = 0; row < count; row += 1) {
    const start = id.starts[row]!;
    const isOrdered =
      idKind === 'uuid'
        ? bytes[start + VERSION_PLACE]! >> 4 === 7
        : id.lengths[row] === 36 && bytes[start + VERSION_DIGIT_PLACE] === DIGIT_SEVEN;
    if (!isOrdered) found += 1;
  }
  return found;
}
