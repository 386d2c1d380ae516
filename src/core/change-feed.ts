import type { EventBatch } from './event-batch.ts';
import type { StoreKind } from './event-store.ts';

/**
 * Follows what a store commits, transaction by transaction, in the order of the commits. Adapters: stores/memory,
 * stores/sqlite, stores/postgres; each passes `testing/change-feed-contract.ts`.
 *
 * A position is a number that grows with the commits (PostgreSQL: LSN, SQLite: rowid). A log up to position p holds every
 * transaction whose commit stands at less than p, and no other.
 *
 * Errors: `store_unreachable` (connect again), `lease_held` (another reads the slot), `store_refused` (rights, settings), `feed_lost` (the
 * store no longer has what came after the last acknowledged position: a gap, to be marked before the feed is begun anew).
 */
export interface ChangeFeed {
  /** Whose commits these are. Positions of different sources have nothing to do with one another. */
  readonly source: FeedSource;

  /** Everything committed at this position or later will be read; what the log has before it is known to be there. */
  readonly from: bigint;

  /**
   * Batches in commit order, until the signal aborts or the feed is closed. A batch is given when it has about
   * `batchBytes` of event bytes, or `lingerMs` after the first thing in it came; one without transactions about every `idleMs` in
   * which nothing came. One that begins in the middle of a transaction ends at its end at the latest. It is borrowed until the
   * next one is asked for. While nobody asks, the store is kept waiting, and told that this side lives. To be called once. When
   * the signal aborts it throws `interrupted`; closing the feed ends it.
   */
  read(options: FeedReadOptions): AsyncIterable<ChangeBatch>;

  /** All before this position is safe elsewhere: the store need not keep it any longer. Resolves when that is sent. */
  acknowledge(position: bigint): Promise<void>;

  /** Stops reading; what was not acknowledged comes again with the next feed. Safe to call twice. */
  close(): Promise<void>;
}

export interface FeedReadOptions {
  readonly batchBytes: number;
  readonly lingerMs: number;
  readonly idleMs: number;
  readonly signal?: AbortSignal | undefined;
}

export interface FeedOptions {
  /** Where the log in the vault ends; null when there is none yet: the feed then begins with what commits from now on. */
  readonly resumeAt: bigint | null;
  /** Whose log that is; null when there is none. With `resumeAt`, another source throws `feed_lost`. */
  readonly source: FeedSource | null;
  /**
   * Id, as text, of the last event in that log, null while it has none: by it a store that keeps no log of its own (SQLite)
   * tells that its rows are still the same ones. PostgreSQL needs it not.
   */
  readonly lastEventId: string | null;
}

/** A log that begins now. */
export const NEW_LOG: FeedOptions = { resumeAt: null, source: null, lastEventId: null };

export interface FeedSource {
  readonly kind: StoreKind;
  /** Of the database system, or of the store in a file; decimal digits. */
  readonly systemIdentifier: string;
  /** Grows whenever positions may come a second time, for other events (PostgreSQL: promotion; SQLite: each new log). */
  readonly timeline: number;
  readonly database: string;
  /** Of the events table. */
  readonly relation: string;
}

/** How far a store keeps what a feed has not acknowledged. */
export interface FeedState {
  /** Where the next commit will stand, or later. */
  readonly position: bigint;
  /** Up to which position the feed was acknowledged; null when the store keeps nothing for it. */
  readonly acknowledged: bigint | null;
  /** Bytes that the store keeps for it; null when it keeps nothing extra. */
  readonly retainedBytes: number | null;
  /** Bytes that it may still keep before what is kept is thrown away; null without a limit. */
  readonly spareBytes: number | null;
  /** Somebody reads a feed of it, as far as the store can tell. */
  readonly isRead: boolean;
}

/** What was committed: events and, for each transaction, how many of them are its. */
export interface ChangeBatch {
  /** New rows, in the order in which they were written, transaction by transaction. An updated row is one too. */
  readonly events: EventBatch;
  readonly transactions: TransactionTable;
  /** The first transaction is the rest of the last one of the batch before. */
  readonly isContinued: boolean;
  /** The last transaction goes on in the next batch. */
  readonly isOpen: boolean;
  /** Updates, deletes and truncations: none in a store that is only appended to. */
  readonly removals: readonly Removal[];
  /** With the batches before, this is all that was committed before this position; null while a transaction is open. */
  readonly to: bigint | null;
  /** Microseconds since 2000 by the store's clock: when the store had nothing more to send than this. */
  readonly asOf: bigint;
  /** Null where the source has none. */
  readonly horizon: Horizon | null;
  /** `performance.now()` when the first thing in this batch came. */
  readonly beganAtMs: number;
}

/** Every transaction with this number (64 bits) or a greater one has its commit at this position or later. */
export interface Horizon {
  readonly position: bigint;
  readonly xid: bigint;
}

/** One entry for each transaction; a struct of arrays, since there may be as many as events. The first `count` count. */
export interface TransactionTable {
  readonly count: number;
  /** PostgreSQL: the low 32 bits; else 0. */
  readonly xids: Uint32Array;
  /** Also of a transaction that is open: its commit is known before its events are. */
  readonly commits: BigUint64Array;
  /** Microseconds since 2000, by the store's clock. May go back a little from one commit to the next. */
  readonly times: BigInt64Array;
  /** Events of it in this batch. */
  readonly events: Uint32Array;
}

/** Rows that were there before and no longer are. */
export interface Removal {
  /** Events of the batch that were written before this. */
  readonly afterEvents: number;
  /** Index of its transaction in the batch. */
  readonly transaction: number;
  readonly kind: 'truncate' | 'delete' | 'update';
  /** The event's id as text; null for all events. The new row of an update is the next event. */
  readonly eventId: string | null;
}
