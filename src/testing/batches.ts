import { type EventBatch, makeSpans, NULL_LENGTH, type Spans, spanBytes } from '../core/event-batch.ts';
import { formatUuid, parseUuid } from '../core/uuid-text.ts';

/** A value of a text column: a string, or its bytes where they are not valid UTF-8. */
export type TestText = string | Uint8Array;

/** One event as a test writes it; what is left out gets the value that `completeEvent` says. */
export interface TestEvent {
  readonly id?: TestText;
  readonly streamId: TestText;
  readonly version: number;
  readonly type?: TestText;
  /** JSON text; null is SQL NULL. */
  readonly data?: TestText | null;
  readonly metadata?: TestText | null;
  /** Microseconds since 2000-01-01T00:00:00Z. */
  readonly time?: bigint;
  /** The store's own text of the time, where `time` alone does not give it back. */
  readonly timeText?: TestText | null;
}

export interface BatchOptions {
  /** `uuid` when every id is a canonical lower-case UUID, else `text`, unless said here. */
  readonly idKind?: EventBatch['idKind'];
  /** False unless said here: nothing is promised about data and metadata. */
  readonly jsonIsCompact?: boolean;
}

/** Fills in a made-up id (by `row`), type `Tested`, data and metadata `{}` and the first instant of 2000. */
export function completeEvent(event: TestEvent, row: number): Required<TestEvent> {
  return {
    id: event.id ?? `00000000-0000-7000-8000-${row.toString(16).padStart(12, '0')}`,
    streamId: event.streamId,
    version: event.version,
    type: event.type ?? 'Tested',
    data: event.data === undefined ? '{}' : event.data,
    metadata: event.metadata === undefined ? '{}' : event.metadata,
    time: event.time ?? 0n,
    timeText: event.timeText ?? null,
  };
}

/**
 * A batch that holds these events in this order. Foreign bytes lie between the values, and the columns have room
 * for one more event than there is, so that code which looks past a span or past `count` is found out.
 */
export function makeBatch(events: readonly TestEvent[], options: BatchOptions = {}): EventBatch {
  const rows = events.map(completeEvent);
  const idKind = options.idKind ?? (rows.every((row) => uuidBytes(row.id) !== null) ? 'uuid' : 'text');
  const { bytes, spans } = placeColumns([
    rows.map(({ id }) => (idKind === 'uuid' ? requireUuid(id) : toBytes(id))),
    rows.map(({ streamId }) => toBytes(streamId)),
    rows.map(({ type }) => toBytes(type)),
    rows.map(({ data }) => toBytes(data)),
    rows.map(({ metadata }) => toBytes(metadata)),
  ]);
  const timeTexts = new Map<number, Uint8Array>();
  for (const [row, { timeText }] of rows.entries()) {
    if (timeText !== null) timeTexts.set(row, toBytes(timeText)!);
  }
  return {
    count: rows.length,
    bytes,
    idKind,
    id: spans[0]!,
    stream: spans[1]!,
    type: spans[2]!,
    data: spans[3]!,
    metadata: spans[4]!,
    versions: Float64Array.from([...rows.map((row) => row.version), Number.NaN]),
    times: BigInt64Array.from([...rows.map((row) => row.time), -1n]),
    timeTexts: timeTexts.size === 0 ? null : timeTexts,
    jsonIsCompact: options.jsonIsCompact ?? false,
  };
}

/**
 * The events of a batch as plain values that `deepEqual` compares. Text is a string where it is valid UTF-8 and
 * bytes where it is not; an id of 16 bytes is shown as canonical UUID text, as it is the same id.
 */
export function batchRows(batch: EventBatch): Required<TestEvent>[] {
  return Array.from({ length: batch.count }, (_, row) => ({
    id:
      batch.idKind === 'uuid'
        ? formatUuid(batch.bytes, batch.id.starts[row]!)
        : toText(spanBytes(batch, batch.id, row))!,
    streamId: toText(spanBytes(batch, batch.stream, row))!,
    version: batch.versions[row]!,
    type: toText(spanBytes(batch, batch.type, row))!,
    data: toText(spanBytes(batch, batch.data, row)),
    metadata: toText(spanBytes(batch, batch.metadata, row)),
    time: batch.times[row]!,
    timeText: toText(batch.timeTexts?.get(row) ?? null),
  }));
}

const FOREIGN_BYTE = 0xee;

/** Lays the values of each column behind those of the one before, each value between foreign bytes. */
function placeColumns(columns: readonly (readonly (Uint8Array | null)[])[]): {
  bytes: Uint8Array;
  spans: Spans[];
} {
  const sizeBytes = columns.flat().reduce((sum, value) => sum + 1 + (value?.length ?? 0), 1);
  const bytes = new Uint8Array(sizeBytes).fill(FOREIGN_BYTE);
  let at = 1;
  const spans = columns.map((values) => {
    const column = makeSpans(values.length + 1);
    for (const [row, value] of values.entries()) {
      column.starts[row] = at;
      column.lengths[row] = value === null ? NULL_LENGTH : value.length;
      if (value !== null) bytes.set(value, at);
      at += 1 + (value?.length ?? 0);
    }
    return column;
  });
  return { bytes, spans };
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function toBytes(text: TestText | null): Uint8Array | null {
  return typeof text === 'string' ? encoder.encode(text) : text;
}

function toText(bytes: Uint8Array | null): TestText | null {
  if (bytes === null) return null;
  try {
    return decoder.decode(bytes);
  } catch {
    return Uint8Array.from(bytes);
  }
}

function uuidBytes(id: TestText): Uint8Array | null {
  const bytes = toBytes(id)!;
  const uuid = new Uint8Array(16);
  return parseUuid(bytes, 0, bytes.length, uuid, 0) ? uuid : null;
}

function requireUuid(id: TestText): Uint8Array {
  const uuid = uuidBytes(id);
  if (uuid === null) throw new TypeError(`not a canonical UUID: ${String(id)}`);
  return uuid;
}
