import { BackupError } from '../../core/errors.ts';
import { type EventBatch, makeSpans, NULL_LENGTH, type Spans } from '../../core/event-batch.ts';
import { type TimeColumn, timeColumn, timeReader } from './time-text.ts';
import { FIELDS, type WindowBytes } from './windows.ts';

/** Makes the batch of a window; null when the window holds an event that cannot be kept exactly. */
export type BatchMaker = (window: WindowBytes, events: number) => EventBatch | null;

interface Columns {
  readonly capacity: number;
  readonly fields: readonly [Spans, Spans, Spans, Spans, Spans, Spans];
  readonly versions: Float64Array;
  readonly time: TimeColumn;
}

const COMMA = 0x2c;
const MINUS = 0x2d;
const ZERO = 0x30;
const [ID, STREAM, TYPE, DATA, METADATA, TIME] = FIELDS.map((_, i) => i) as [
  number,
  number,
  number,
  number,
  number,
  number,
];

/** The columns are used again for the next batch; only the bytes are new each time. */
export function batchMaker(): BatchMaker {
  let columns = makeColumns(1024);
  const readTime = timeReader();
  return (window, events) => {
    if (events > columns.capacity) columns = makeColumns(Math.max(events, columns.capacity * 2));
    if (!placeFields(window, events, columns)) return null;
    const { fields, versions, time } = columns;
    return {
      count: events,
      bytes: window.bytes,
      idKind: 'text',
      id: fields[ID]!,
      stream: fields[STREAM]!,
      type: fields[TYPE]!,
      data: fields[DATA]!,
      metadata: fields[METADATA]!,
      versions,
      times: time.times,
      timeTexts: readTimes(window.bytes, events, columns, readTime),
      jsonIsCompact: false,
    };
  };
}

function makeColumns(capacity: number): Columns {
  const spans = (): Spans => makeSpans(capacity);
  return {
    capacity,
    fields: [spans(), spans(), spans(), spans(), spans(), spans()],
    versions: new Float64Array(capacity),
    time: timeColumn(new BigInt64Array(capacity)),
  };
}

/** False when an event has no exact version, or NULL where a value is needed. */
function placeFields({ bytes, facts }: WindowBytes, events: number, columns: Columns): boolean {
  const numbers = { facts, at: 0 };
  let at = 0;
  for (let row = 0; row < events; row += 1) {
    for (let field = 0; field < FIELDS.length; field += 1) {
      const spans = columns.fields[field]!;
      const length = nextNumber(numbers);
      spans.starts[row] = at;
      if (length >= 0) {
        spans.lengths[row] = length;
        at += length;
      } else {
        if (field !== DATA && field !== METADATA) return false;
        spans.lengths[row] = NULL_LENGTH;
      }
    }
    const version = nextNumber(numbers);
    if (Number.isNaN(version)) return false;
    columns.versions[row] = version;
  }
  if (at === bytes.length && numbers.at === facts.length + 1) return true;
  throw new BackupError('internal', `a window of ${bytes.length} bytes has fields of ${at} bytes`);
}

/** The next number of a text such as `36,-1,7`; NaN for `x`. Steps over the comma behind it. */
function nextNumber(numbers: { readonly facts: Uint8Array; at: number }): number {
  const { facts } = numbers;
  let { at } = numbers;
  const isNegative = facts[at] === MINUS;
  if (isNegative) at += 1;
  let value = 0;
  for (; at < facts.length && facts[at] !== COMMA; at += 1) {
    const digit = facts[at]! - ZERO;
    value = digit >= 0 && digit <= 9 ? value * 10 + digit : Number.NaN;
  }
  numbers.at = at + 1;
  return isNegative ? -value : value;
}

function readTimes(
  bytes: Uint8Array,
  events: number,
  { fields, time }: Columns,
  readTime: ReturnType<typeof timeReader>,
): ReadonlyMap<number, Uint8Array> | null {
  const { starts, lengths } = fields[TIME]!;
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
