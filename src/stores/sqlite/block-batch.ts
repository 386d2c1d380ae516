import { BackupError } from '../../core/errors.ts';
import { type EventBatch, makeSpans, NULL_LENGTH, type Spans } from '../../core/event-batch.ts';
import { FIELDS } from './event-rows.ts';
import { CODE_BASE, NULL_CODE, ODD_HEAD_BYTES, ODD_MARK } from './pieces.ts';
import { type TimeColumn, timeColumn, timeReader } from './time-text.ts';

/** Makes the batch of a block's bytes, which become those of the batch. */
export type BatchMaker = (bytes: Uint8Array, events: number) => EventBatch;

interface Columns {
  readonly capacity: number;
  readonly fields: readonly Spans[];
  readonly versions: Float64Array;
  readonly time: TimeColumn;
}

/** The columns are used again for the next batch. */
export function batchMaker(): BatchMaker {
  let columns = makeColumns(1024);
  const readTime = timeReader();
  return (bytes, events) => {
    if (events > columns.capacity) columns = makeColumns(Math.max(events, columns.capacity * 2));
    placeFields(bytes, events, columns);
    const { versions, time } = columns;
    const [id, stream, type, data, metadata] = columns.fields as [Spans, Spans, Spans, Spans, Spans];
    return {
      count: events,
      bytes,
      idKind: 'text',
      ...{ id, stream, type, data, metadata, versions },
      times: time.times,
      timeTexts: readTimes(bytes, events, columns, readTime),
      jsonIsCompact: false,
    };
  };
}

function makeColumns(capacity: number): Columns {
  return {
    capacity,
    fields: FIELDS.map(() => makeSpans(capacity)),
    versions: new Float64Array(capacity),
    time: timeColumn(new BigInt64Array(capacity)),
  };
}

function placeFields(bytes: Uint8Array, events: number, columns: Columns): void {
  const place = { at: 0 };
  for (let row = 0; row < events; row += 1) {
    if (bytes[place.at] === ODD_MARK) placeOddEvent(bytes, place, row, columns);
    else placeUsualEvent(bytes, place, row, columns);
  }
  if (place.at === bytes.length) return;
  throw new BackupError('internal', `a block of ${bytes.length} bytes has events of ${place.at} bytes`);
}

function placeUsualEvent(bytes: Uint8Array, place: { at: number }, row: number, columns: Columns): void {
  const { fields, versions } = columns;
  for (let field = 0; field < FIELDS.length; field += 1) {
    const code = nextCode(bytes, place);
    fields[field]!.lengths[row] = code === NULL_CODE ? NULL_LENGTH : code;
  }
  const high = nextCode(bytes, place);
  versions[row] = high * CODE_BASE + nextCode(bytes, place);
  placeStarts(place, row, fields);
}

function placeOddEvent(bytes: Uint8Array, place: { at: number }, row: number, columns: Columns): void {
  const { fields, versions } = columns;
  const head = new DataView(bytes.buffer, bytes.byteOffset + place.at, ODD_HEAD_BYTES);
  for (let field = 0; field < FIELDS.length; field += 1) {
    fields[field]!.lengths[row] = head.getUint32(1 + field * 4, true);
  }
  versions[row] = head.getFloat64(ODD_HEAD_BYTES - 8, true);
  place.at += ODD_HEAD_BYTES;
  placeStarts(place, row, fields);
}

function placeStarts(place: { at: number }, row: number, fields: readonly Spans[]): void {
  for (let field = 0; field < FIELDS.length; field += 1) {
    const { starts, lengths } = fields[field]!;
    starts[row] = place.at;
    const length = lengths[row]!;
    if (length !== NULL_LENGTH) place.at += length;
  }
}

/** The next code point of UTF-8 that SQLite wrote; none is greater than CODE_BASE, so three bytes are the most. */
function nextCode(bytes: Uint8Array, place: { at: number }): number {
  const { at } = place;
  const first = bytes[at]!;
  if (first < 0x80) {
    place.at = at + 1;
    return first;
  }
  const second = bytes[at + 1]! & 0x3f;
  if (first < 0xe0) {
    place.at = at + 2;
    return ((first & 0x1f) << 6) | second;
  }
  place.at = at + 3;
  return ((first & 0x0f) << 12) | (second << 6) | (bytes[at + 2]! & 0x3f);
}

function readTimes(
  bytes: Uint8Array,
  events: number,
  { fields, time }: Columns,
  readTime: ReturnType<typeof timeReader>,
): ReadonlyMap<number, Uint8Array> | null {
  const { starts, lengths } = fields[FIELDS.indexOf('time')]!;
  let texts: Map<number, Uint8Array> | null = null;
  for (let row = 0; row < events; row += 1) {
    const start = starts[row]!;
    const length = lengths[row]!;
    if (readTime(bytes, start, length, time, row)) continue;
    texts ??= new Map();
    texts.set(row, bytes.subarray(start, start + length));
  }
  return texts;
}
