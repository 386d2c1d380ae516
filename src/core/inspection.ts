/**
 * Questions to a live store in its own language, that change nothing. Adapters: stores/sqlite, stores/postgres; one that has no SQL
 * gives null instead (`EventStore.openInspection`).
 */
export interface StoreInspection {
  readonly names: SqlNames;

  /**
   * Rows of one statement, which only reads: in a transaction of its own that cannot write, and that ends at the time limit. Values in
   * the store's text form. Throws `check_refused` for a statement that fails (its message is the server's), `check_timed_out`.
   */
  select(
    sql: string,
    options?: {
      readonly parameters?: readonly SqlValue[];
      readonly limit?: number;
      readonly signal?: AbortSignal;
    },
  ): AsyncIterable<SqlRow>;

  close(): Promise<void>;
}

export type SqlValue = string | number | bigint | null | readonly (string | number)[];

export type SqlRow = Readonly<Record<string, string | null>>;

export interface InspectionOptions {
  /** Milliseconds that one statement may take. */
  readonly statementTimeoutMs: number;
}

/** What statements call things, quoted where that is needed: put into SQL as they are. */
export interface SqlNames {
  readonly dialect: 'postgres' | 'sqlite';
  readonly layout: string;
  readonly versionBase: 0 | 1;
  /** The table of the events, with its schema where there are schemas. */
  readonly events: string;
  readonly id: string;
  readonly stream: string;
  readonly version: string;
  readonly type: string;
  readonly data: string;
  readonly metadata: string;
  readonly time: string;
  /** Tables that belong to the events; null where the layout has none, or it is not there. */
  readonly checkpoints: string | null;
  readonly snapshots: string | null;
  /** The same names without quotes, for questions to the catalog. */
  readonly schemaName: string | null;
  readonly eventsName: string;
  /** SQL that is true for the events of the streams of one bucket (`StreamSample`). */
  inBucket(sample: StreamSample): string;
}

/** Streams whose names fall into some of `of` buckets, by a hash of the seed and the name: each as likely as any other. */
export interface StreamSample {
  readonly seed: number;
  readonly of: number;
  readonly buckets: readonly number[];
}
