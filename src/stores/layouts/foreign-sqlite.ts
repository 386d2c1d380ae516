import type { ForeignLayout } from './foreign.ts';

/**
 * An event store of others in SQLite, as data: as in PostgreSQL, but for what the dialect asks for otherwise. stores/sqlite reads it as if its
 * events lay in EventCore's table, and writes them back.
 */
export interface SqliteForeignLayout
  extends Pick<
    ForeignLayout,
    | 'name'
    | 'versionBase'
    | 'table'
    | 'read'
    | 'archivedAs'
    | 'whole'
    | 'rewritten'
    | 'adopts'
    | 'order'
    | 'made'
  > {
  /** Columns that it is known by. */
  readonly columns: readonly string[];
  /** A text of JSON; null: what it has as metadata travels as the other columns do. */
  readonly metadata: string | null;
  /** The column, with an index, that a stream is found by; its name ends with what that column has, behind a `separator` if one is given. */
  readonly streamKey: { readonly column: string; readonly separator: string | null };
  readonly companions: readonly SqliteForeignCompanion[];
  /** Statements before events are put into their table, and after, in the same transaction. The events stand in temp.eventcore_restored, with EventCore's columns. */
  readonly before: readonly ForeignStatement[];
  readonly after: readonly ForeignStatement[];
}

export interface SqliteForeignCompanion {
  readonly name: string;
  readonly role: 'streams' | 'progress' | 'ledger';
  /**
   * For rows of a table that newer versions of the store have no more: the definition of a temporary table of that name, which gathers them where
   * the target has none; a statement `after` then puts them elsewhere.
   */
  readonly gathered?: string;
}

export interface ForeignStatement {
  /** It is run where all of these tables are. */
  readonly needs: readonly string[];
  readonly sql: string;
}
