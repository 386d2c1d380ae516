/**
 * One event as a person or a program looks at it. Bulk paths never build these: they work on an
 * EventBatch, whose bytes pass through untouched.
 */
export interface StoredEvent {
  readonly id: string;
  readonly streamId: string;
  /** Place in its stream; the first is the layout's `versionBase`. */
  readonly version: bigint;
  readonly type: string;
  /** JSON text exactly as the store gives it. */
  readonly data: string;
  /** JSON text, or null where the store has SQL NULL. */
  readonly metadata: string | null;
  /** RFC 3339 in UTC with microseconds, or the store's own text where that is no such time. */
  readonly recordedAt: string;
}

/** An event to append. Without an `id` the store makes a UUIDv7. */
export interface NewEvent {
  readonly id?: string;
  readonly type: string;
  /** JSON text. */
  readonly data: string;
  /** JSON text; `{}` when left out. */
  readonly metadata?: string;
}

/**
 * Events for one stream. `expectedVersion` is the version of the stream's last event; `versionBase - 1`
 * means that the stream must not exist yet; left out, no check is made.
 */
export interface StreamAppend {
  readonly streamId: string;
  readonly expectedVersion?: bigint;
  readonly events: readonly NewEvent[];
}

/** The new head of each stream that an append wrote to. */
export interface AppendResult {
  readonly heads: ReadonlyMap<string, bigint>;
}
