import { type EventBatch, makeSpans, type Spans } from '../core/event-batch.ts';

/** The arrays of a batch that a decoder fills; they are used again for the next chunk. */
export interface DecodedRows {
  capacity: number;
  id: Spans;
  stream: Spans;
  type: Spans;
  data: Spans;
  metadata: Spans;
  versions: Float64Array;
  times: BigInt64Array;
}

export function makeDecodedRows(capacity: number): DecodedRows {
  return {
    capacity,
    id: makeSpans(capacity),
    stream: makeSpans(capacity),
    type: makeSpans(capacity),
    data: makeSpans(capacity),
    metadata: makeSpans(capacity),
    versions: new Float64Array(capacity),
    times: new BigInt64Array(capacity),
  };
}

/** Makes room for `capacity` rows and keeps those that are there. */
export function growRows(rows: DecodedRows, capacity: number): void {
  if (capacity <= rows.capacity) return;
  const larger = makeDecodedRows(capacity);
  for (const field of ['id', 'stream', 'type', 'data', 'metadata'] as const) {
    larger[field].starts.set(rows[field].starts);
    larger[field].lengths.set(rows[field].lengths);
  }
  larger.versions.set(rows.versions);
  larger.times.set(rows.times);
  Object.assign(rows, larger);
}

export function batchOf(
  rows: DecodedRows,
  count: number,
  rest: Pick<EventBatch, 'bytes' | 'idKind' | 'timeTexts' | 'jsonIsCompact' | 'streamNumbers'>,
): EventBatch {
  const { id, stream, type, data, metadata, versions, times } = rows;
  return { count, id, stream, type, data, metadata, versions, times, ...rest };
}
