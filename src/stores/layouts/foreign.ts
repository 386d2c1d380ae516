/**
 * An event store of others in PostgreSQL, as data: stores/postgres reads it as if its events lay in EventCore's table, and writes them back.
 * What has no place in a batch travels beside the metadata, column by column as text (FORMAT.md §25), so that a restore gives back all of it.
 */
export interface ForeignLayout {
  /** As `?layout=` names it. */
  readonly name: string;
  /** The schema in which its tables lie unless `?schema=` says otherwise. */
  readonly schema: string;
  /** The version of a stream's first event. */
  readonly versionBase: 0 | 1;
  /** Holds the events; may be partitioned. */
  readonly table: string;
  /** The layout of a table of another name, where its users name the table; left out: it has this name only. */
  readonly renamed?: (table: string) => ForeignLayout;
  /** Columns that it is known by, with the types that each may have, as format_type() spells them. */
  readonly columns: Readonly<Record<string, readonly string[]>>;
  /** Of type jsonb; null: what it has as metadata travels as the other columns do. */
  readonly metadata: string | null;
  /**
   * SQL over a row `e` of the table. Here and in all other SQL of a layout `{schema}` stands for the quoted name of its schema, and
   * `{type of data}` for the type that the column `data` has in the table at hand.
   */
  readonly read: {
    /** A uuid; the same for the same event, whenever it is read. */
    readonly id: string;
    readonly stream: string;
    readonly version: string;
    readonly type: string;
    /** jsonb. */
    readonly data: string;
    /** timestamp with time zone. */
    readonly time: string;
  };
  /** The stream in which `read` has the events of a stream once they are archived; left out: none are, or they stay in theirs. */
  readonly archivedAs?: (stream: string) => string;
  /** Columns that `read` gives whole, and the SQL that gives them back of a staged row `s`. */
  readonly whole: Readonly<Record<string, WholeColumn>>;
  /** Columns that are given another value when they are restored, as SQL over a staged row `s` and its `number` from 1 in the store's order. */
  readonly rewritten: Readonly<Record<string, string>>;
  /**
   * Where all of an event of EventCore has a place, and what its tables need beside can be made: SQL over a staged row `s` and its `number` for each
   * column that events of EventCore do not have, and that has no default.
   */
  readonly adopts?: Readonly<Record<string, string>>;
  /** SQL by which staged rows `s` are numbered: the order in which the store has them delivered. Rows that are alike in it go by stream and version. */
  readonly order: string;
  /** Sequences that go on behind what was restored. */
  readonly sequences: readonly ForeignSequence[];
  /** Tables that belong to the events. */
  readonly companions: readonly ForeignCompanion[];
  /**
   * Statements before and after events and companions are put into their tables, in the same transaction, with the store's schema on the search
   * path. They find the restored events in `pg_temp.restored (event_id, stream_id, stream_version, number, columns jsonb)`, and rows of companions
   * in `pg_temp.restored_rows (companion, columns jsonb)`. Ids of events may be doubled where the store's may.
   */
  readonly before: readonly string[];
  readonly after: readonly string[];
  /** How its empty tables are made, for people. */
  readonly made: string;
}

export interface ForeignSequence {
  /** The column whose greatest value it stands at. */
  readonly column: string;
  /** The table of the column; left out: the events'. */
  readonly table?: string;
  /** Left out: the one that the column's default takes its values of. */
  readonly name?: string;
}

/** A table of others that is backed up whole, whatever columns it has; a restore puts its rows where the target has such a table. */
export interface ForeignCompanion {
  /** With `%` at its end: all tables whose names begin so. */
  readonly name: string;
  /** Its rows are put into their table when the events are in theirs. */
  readonly refersToEvents?: true;
  readonly role: 'streams' | 'progress' | 'ledger';
  /** SQL: rows are read in its order. */
  readonly key: string;
}

export interface WholeColumn {
  readonly sql: string;
  /** SQL over a row `e` of the table: where it holds, the value travels beside. */
  readonly unless?: string;
}
