/**
 * An event store that nobody knows, as its owner describes it in the configuration. Names only: what is done with them is up to the adapter.
 */
export interface CustomMapping {
  readonly schema: string;
  readonly table: string;
  readonly columns: {
    /** Null: the store gives its events none; they get one made of stream and version. */
    readonly id: string | null;
    readonly stream: string;
    readonly version: string;
    readonly type: string;
    readonly data: string;
    readonly metadata: string | null;
    readonly time: string;
  };
  readonly versionBase: 0 | 1;
  /** Columns by which events are delivered; none: stream by stream. */
  readonly order: readonly string[];
  readonly sequences: readonly CustomSequence[];
  /** Tables that are backed up whole, with the events. */
  readonly belongs: readonly CustomTable[];
}

export interface CustomSequence {
  readonly name: string;
  readonly column: string;
}

/** By the name that `?layout=` gives it. */
export type CustomMappings = Readonly<Record<string, CustomMapping>>;

export interface CustomTable {
  readonly name: string;
  readonly role: 'streams' | 'progress' | 'ledger';
  /** Rows are read in its order. */
  readonly key: string;
}
