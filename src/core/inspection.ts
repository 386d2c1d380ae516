/**
 * Questions to a live store in its own language, that change nothing. Adapters: stores/sqlite, stores/postgres; one that has no SQL
 * gives null instead (`EventStore.openInspection`).
 */
export interface StoreInspection {
  readonly names: SqlNames;

  /**
   * Rows of one statement, which only reads: in a transaction of its own that cannot write, and that ends at the time limit, whoever
   * takes the rows included. Values in the store's text form. Ending the iteration early ends the statement; several may be under way
   * at once. Throws `check_refused` for a statement that is not one or that fails (its message is the server's), `check_timed_out`,
   * `damaged` where the store itself cannot be read.
   */
  select(sql: string, options?: SelectOptions): AsyncIterable<SqlRow>;

  close(): Promise<void>;
}

export interface SelectOptions {
  /** For `$1`, `$2` … in PostgreSQL, `?1`, `?2` … in SQLite, which takes no lists. */
  readonly parameters?: readonly SqlValue[];
  /** No more rows than these are asked for. */
  readonly limit?: number;
  /** Settings of the PostgreSQL server for this statement, `enable_seqscan: off` say. SQLite has none. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
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
  /** Behind that and its alias: SQL by which no index is used, where there is such SQL. */
  readonly unindexed: string;
  readonly id: string;
  readonly stream: string;
  readonly version: string;
  readonly type: string;
  readonly data: string;
  readonly metadata: string;
  readonly time: string;
  /** Tables that belong to the events; null where the layout has none, or it is not there. */
  readonly checkpoints: SqlCheckpoints | null;
  readonly snapshots: SqlSnapshots | null;
  /** The same names without quotes, for questions to the catalog. */
  readonly schemaName: string | null;
  readonly eventsName: string;
  /** Without quotes: the tables of the layout that are there, the events' first. */
  readonly tables: readonly string[];
  /** What the layout has to keep events as they are, there or not. */
  readonly guards: readonly SqlGuard[];
  readonly indexes: readonly SqlIndex[];
  /** SQL for the bucket, from 0 on, that a text falls into: left out, the name of an event's stream. */
  bucket(seed: number, of: number, text?: string): string;
  /** SQL that is true for the events of the streams of some buckets. No index answers it: the streams of all events are read. */
  inBucket(sample: StreamSample): string;
  /** SQL that is true for the events of these streams, by an index over them. */
  inStreams(streams: readonly string[]): string;
}

export interface SqlCheckpoints {
  readonly table: string;
  /** The consumer's name, and the id of the last event that it has seen. */
  readonly name: string;
  readonly position: string;
}

export interface SqlSnapshots {
  readonly table: string;
  readonly id: string;
  /** A JSON object of streams and the versions that are in the snapshot; null where the layout keeps none. */
  readonly versions: string | null;
}

/** A trigger of the layout, on the events. */
export interface SqlGuard {
  /** Without quotes. */
  readonly name: string;
  /** It fires before each row. */
  readonly event: 'INSERT' | 'UPDATE' | 'DELETE';
  readonly functionName: string;
  readonly functionBody: string;
  /** Statements that make it as the layout has it, in place of one of its name or of its function's. */
  readonly create: readonly string[];
  /** Switches on one that is there. */
  readonly enable: string;
}

/** An index of the layout, those of keys included, on a table that is there. */
export interface SqlIndex {
  /** Without quotes; null where the store names it. */
  readonly name: string | null;
  /** As `SqlNames.events`, and without quotes. */
  readonly table: string;
  readonly tableName: string;
  readonly unique: boolean;
  readonly isKey: boolean;
  /** Without quotes, in their order. */
  readonly columns: readonly string[];
  /** Makes it where there is none; null where that takes a new table. */
  readonly create: string | null;
}

/** Streams whose names fall into some of `of` buckets, by a hash of the seed and the name (`core/stream-bucket.ts`): each as likely as any other. */
export interface StreamSample {
  /** 32 bits. */
  readonly seed: number;
  readonly of: number;
  readonly buckets: readonly number[];
}
