/**
 * Events on the bulk path: one block of bytes and, for each field, where in it each event's value lies.
 * A batch is made by a store reader or a chunk decoder and read by a chunk encoder, a store loader or a
 * check. No event becomes an object on the way.
 *
 * A batch is borrowed: it is valid until the next one is asked for, since the maker may reuse its buffers.
 */
export interface EventBatch {
  readonly count: number;
  readonly bytes: Uint8Array;
  /** `uuid`: every id is 16 bytes. `text`: ids are text as the store has them. */
  readonly idKind: 'uuid' | 'text';
  readonly id: Spans;
  readonly stream: Spans;
  /**
   * Where it is known, for each event the number of its stream: streams are numbered from 0 as the batch first names
   * them.
   */
  readonly streamNumbers?: Uint32Array;
  readonly type: Spans;
  /** JSON text. */
  readonly data: Spans;
  /** JSON text; NULL_LENGTH where the store has SQL NULL. */
  readonly metadata: Spans;
  /** Versions as exact integers; a store that holds one outside ±(2^53 − 1) is refused by its reader. */
  readonly versions: Float64Array;
  /** Microseconds since 2000-01-01T00:00:00Z (see core/time.ts). */
  readonly times: BigInt64Array;
  /**
   * Rows whose time the store holds in a text that the layout's usual form of `times` does not give back
   * (SQLite keeps times as text); null when there are none.
   */
  readonly timeTexts: ReadonlyMap<number, Uint8Array> | null;
  /** True where the maker knows that data and metadata are JSON without line breaks (PostgreSQL's jsonb). */
  readonly jsonIsCompact: boolean;
}

/** For each event the place of one field in the batch's bytes. */
export interface Spans {
  readonly starts: Uint32Array;
  readonly lengths: Uint32Array;
}

/** The length that stands for SQL NULL. */
export const NULL_LENGTH = 0xffffffff;

export function makeSpans(capacity: number): Spans {
  return { starts: new Uint32Array(capacity), lengths: new Uint32Array(capacity) };
}

/** The bytes of one field of one event, without copying; null for SQL NULL. */
export function spanBytes(batch: EventBatch, spans: Spans, row: number): Uint8Array | null {
  const length = spans.lengths[row]!;
  if (length === NULL_LENGTH) return null;
  const start = spans.starts[row]!;
  return batch.bytes.subarray(start, start + length);
}

/** The events of a batch at these rows, ascending, over the same bytes. */
export function selectRows(batch: EventBatch, rows: readonly number[]): EventBatch {
  if (rows.length === batch.count) return batch;
  const pick = ({ starts, lengths }: Spans): Spans => ({
    starts: Uint32Array.from(rows, (row) => starts[row]!),
    lengths: Uint32Array.from(rows, (row) => lengths[row]!),
  });
  const { streamNumbers: _, timeTexts, ...fields } = batch;
  const texts = new Map<number, Uint8Array>();
  rows.forEach((row, to) => {
    const text = timeTexts?.get(row);
    if (text !== undefined) texts.set(to, text);
  });
  return {
    ...fields,
    count: rows.length,
    ...{ id: pick(batch.id), stream: pick(batch.stream), type: pick(batch.type) },
    ...{ data: pick(batch.data), metadata: pick(batch.metadata) },
    versions: Float64Array.from(rows, (row) => batch.versions[row]!),
    times: BigInt64Array.from(rows, (row) => batch.times[row]!),
    timeTexts: texts.size === 0 ? null : texts,
  };
}

/** The largest exact version: 2^53 − 1. */
export const MAX_VERSION = Number.MAX_SAFE_INTEGER;
