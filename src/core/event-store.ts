import type { ChangeFeed, FeedOptions, FeedSource, FeedState } from './change-feed.ts';
import type { AppendResult, StoredEvent, StreamAppend } from './event.ts';
import type { EventBatch } from './event-batch.ts';
import type { StoreExamination } from './examination.ts';
import type { InspectionOptions, StoreInspection, StreamSample } from './inspection.ts';
import type { RepairOptions, RepairSession } from './repair.ts';

/**
 * A place where events live. Adapters: stores/memory, stores/sqlite, stores/postgres, stores/files; each
 * passes `testing/event-store-contract.ts`. How others make one of their own: docs/implementing-a-store.md.
 *
 * Errors, from every method: `store_unreachable` (may work later), `store_refused` (rights, a lock, a full
 * disk), `not_an_event_store` (the tables of the layout are not there).
 */
export interface EventStore {
  /** The address to show to people, without a password. */
  readonly address: string;

  /** What is there, without reading events. Creates nothing, not even an empty database file. */
  inspect(): Promise<StoreDescription>;

  /**
   * What backups and a change log need of the store and whether it is there. Changes nothing, reads no event. Throws
   * `not_an_event_store`.
   */
  examine(): Promise<StoreExamination>;

  /** Creates the layout's tables, indexes and triggers where they are missing. Safe to repeat. */
  initialise(): Promise<void>;

  /** Stream heads in the byte order of their UTF-8 names, after `after` (exclusive). */
  listStreams(options?: { after?: string; limit?: number }): AsyncIterable<StreamHead>;

  /** Events of one stream in version order; empty when the stream does not exist. `limit` defaults to 1000. */
  readStream(streamId: string, options?: { fromVersion?: bigint; limit?: number }): Promise<StoredEvent[]>;

  /** What there is of one stream, by its name as text; null when there is nothing. Reads no payload. */
  findStream(streamId: string): Promise<StreamSummary | null>;

  /**
   * Events recorded at or after `since` (RFC 3339), ordered by time, then id. For looking, never for
   * incremental backups: an event may commit later than its time says.
   */
  readSince(since: string, options?: { limit?: number }): AsyncIterable<StoredEvent>;

  /** Up to `size` events, each as likely as any other. */
  sampleEvents(size: number): Promise<StoredEvent[]>;

  count(): Promise<{ events: number; streams: number }>;

  /**
   * Appends to several streams in one transaction: all or none. Events keep the order given. Throws
   * `version_conflict` when a stream is not where `expectedVersion` says, `event_invalid` for an empty
   * stream id or type, or data that is no JSON; nothing is written then.
   */
  append(appends: readonly StreamAppend[]): Promise<AppendResult>;

  /** Removes every event and what belongs to them (checkpoints, snapshots); the schema stays. */
  clear(): Promise<void>;

  /** One consistent view of all committed events, which stays the same until it is closed. */
  openSnapshot(): Promise<StoreSnapshot>;

  /**
   * Joins a view that another connection holds open, by its `token`. Only where `StoreSnapshot.token` is not
   * null.
   */
  joinSnapshot(token: string): Promise<BatchReader>;

  /**
   * Starts a restore into this store. Throws `target_not_empty` when events or what belongs to them are
   * there and `replace` is false. Nothing that readers see changes before `publish`.
   */
  openRestore(options: RestoreSessionOptions): Promise<RestoreSession>;

  /** Joins a restore from another thread by its `token`. Only where `RestoreSession.token` is not null. */
  joinRestore(token: string): Promise<BatchWriter>;

  /**
   * Joins a restore to load a part of it exactly once, however often and wherever that is tried: the events of the first
   * who ends it count, with what that one recorded. `part` names it within the restore. Only where `RestoreSession.token` is
   * not null. Throws `store_refused` when the restore is over, or whoever began it is gone.
   */
  joinPart(token: string, part: string): Promise<JoinedPart>;

  /**
   * Starts to add what is missing of some streams to a store that is in use, without touching anything that is there. Throws
   * `not_an_event_store`.
   */
  openMerge(options: MergeOptions): Promise<MergeSession>;

  /** Starts to put right what is damaged in a store that is in use. Throws `not_an_event_store`, `lease_held`. */
  openRepair(options: RepairOptions): Promise<RepairSession>;

  /**
   * For questions in the store's own SQL, which change nothing: on a standby too. Null for a store that has none. Throws
   * `not_an_event_store`.
   */
  openInspection(options: InspectionOptions): Promise<StoreInspection | null>;

  /**
   * Follows what is committed from now on, or from where a log in a vault ends. Prepares the store for it where that is
   * needed (PostgreSQL: publication and slot).
   */
  openFeed(options: FeedOptions): Promise<ChangeFeed>;

  /** Null when no feed was ever opened here, where that makes a difference to the store. */
  feedState(): Promise<FeedState | null>;

  /**
   * How many events a feed that stands at a place has still to give, of what is committed now. Exact; null where that is not to be
   * told, or takes longer than allowed. What whoever reads the feed has acknowledged meanwhile may be counted or not.
   */
  countAhead(place: PlaceAhead): Promise<number | null>;

  /** The store keeps nothing for a feed any longer: what was not acknowledged is lost to it. Safe to repeat. */
  dropFeed(): Promise<void>;

  /** Ends all connections. Safe to call twice. */
  close(): Promise<void>;
}

/** Where a log ends. */
export interface PlaceAhead {
  readonly source: FeedSource;
  readonly from: bigint;
  readonly withinMs: number;
}

/** `files`: a folder of EventCore's file backend, a file a transaction. `shards`: several stores, each stream in one. Adapters of others have kinds of their own. */
export type StoreKind =
  | 'memory'
  | 'sqlite'
  | 'postgres'
  | 'files'
  | 'shards'
  | (string & Record<never, never>);

export interface StoreDescription {
  readonly kind: StoreKind;
  /** Name of the layout, for example `eventcore`. */
  readonly layout: string;
  /** The version of a stream's first event: 0 or 1. */
  readonly versionBase: 0 | 1;
  /** Of the server or library, for example `15.18`. */
  readonly serverVersion: string;
  /** `missing`: no such tables, or no file where one would be made. `empty`: tables without events. */
  readonly state: 'missing' | 'empty' | 'filled';
  /** With `missing`: the database, or its file, is there, and has no such tables. */
  readonly placeExists?: true;
  /** How its tables are made, for people, where a restore does not make them. */
  readonly made?: string;
  /** Where the events lie, for people; left out where there is no such table. */
  readonly table?: string;
  /** Columns of that table that are not backed up: the layout has no place for them. */
  readonly unknownColumns?: readonly string[];
  /** Of the events' table, where it is one of others: names, and types as the store spells them. Left out where there is none. */
  readonly columns?: Readonly<Record<string, string>>;
  /** Those of them that may not be empty, and get a value neither from the store nor from what every event has. */
  readonly neededColumns?: readonly string[];
  /** A store of others that can hold whole events of EventCore (`RestoreSessionOptions.adopt`). */
  readonly adopts?: boolean;
}

export interface StreamHead {
  readonly streamId: string;
  /** Version of the stream's last event. */
  readonly version: bigint;
  /** How many events the store has of it. */
  readonly events: number;
}

/** Reads event batches out of one view of a store. */
export interface BatchReader {
  /**
   * The events of a range, in batches of about `batchBytes` of event bytes (one event may be larger). Each
   * batch is valid until the next one is asked for. A store that holds a version outside ±(2^53 − 1) throws
   * `store_unsupported`. Ending the iteration early frees what it held.
   */
  readRange(
    range: StoreRange,
    options: { batchBytes: number; signal?: AbortSignal },
  ): AsyncIterable<EventBatch>;

  /**
   * The same of several ranges that `planPasses` put together, one behind the other. Left out: they are read one by one.
   */
  readPass?(
    ranges: readonly StoreRange[],
    options: { batchBytes: number; signal?: AbortSignal },
  ): AsyncIterable<RangeBatch>;

  close(): Promise<void>;
}

/** Events of one of several ranges. */
export interface RangeBatch {
  /** The place of the range among them. */
  readonly place: number;
  readonly batch: EventBatch;
}

export interface StoreSnapshot extends BatchReader {
  /** What another thread needs to join this view; null when only this connection can read it. */
  readonly token: string | null;

  /** True where this connection's thread reads for all who join: it should be left to that. */
  readonly servesJoined: boolean;

  /** What this view saw, read inside it. */
  readonly cursor: StoreCursor;

  /**
   * Whether `planChanges` holds events too that were there before and were written over since. Where it does not, all events must be
   * read to find them.
   */
  readonly showsRewritten: boolean;

  /** The stream in which events of a stream stand once the store has archived them; left out: it archives none. */
  readonly archivedAs?: ((streamId: string) => string) | undefined;

  /**
   * Versions follow from an order in which others may come in between (replicas that are merged): where changes cannot be planned,
   * the streams' last versions do not tell what is new either. Left out: they do.
   */
  readonly versionsMayShift?: boolean;

  /**
   * The cursor from which the next incremental backup may start: as `cursor`, once a crash of the store can take back
   * nothing that this view saw. Waits shortly for that; where it does not come about, the cursor says so.
   */
  settledCursor(): Promise<StoreCursor>;

  /** Rough sizes for progress, from the store's own statistics; null where it has none. */
  estimate(): Promise<{ events: number | null; bytes: number | null }>;

  /**
   * Cuts the store into at most `parallel` ranges that together hold each event exactly once. With `rangeBytes` into more,
   * of about this size, where ranges of one view can be read in a later one too (`planChangesIn`).
   */
  planRanges(parallel: number, rangeBytes?: number): Promise<StoreRange[]>;

  /**
   * Puts ranges together that are better read in one pass over the store (`readPass`): at most `parallel` passes, of all
   * these ranges in the order in which they lie there. Null, or left out: ranges are best read one by one.
   */
  planPasses?(ranges: readonly StoreRange[], parallel: number): Promise<StoreRange[][] | null>;

  /**
   * At most `parallel` ranges that together hold, each once, every event that the view of `since` could not see, and
   * perhaps some that it saw: to be read at the same time. Or why that is not to be had, in words. Throws `store_behind` when this view is older.
   */
  planChanges(since: StoreCursor, parallel: number): Promise<StoreRange[] | string>;

  /**
   * Of ranges that the view of `since` was cut into: ranges that together hold, each once, every event that lies in them
   * now and that the view of `since` could not see, and perhaps some that it saw. Where they are to be had, a range of that
   * view may be read whole in this view as well, and all of them together still hold each event exactly once. Or why not, in
   * words: what lay in one range may lie in another now. Throws `store_behind` when this view is older.
   */
  planChangesIn(since: StoreCursor, ranges: readonly StoreRange[]): Promise<StoreRange[] | string>;

  /** Ranges that together hold, each once, every event of these tails, and perhaps others: to be read in their order. */
  planTails(tails: readonly StreamTail[]): Promise<StoreRange[]>;

  /**
   * Cuts the store into many small parts that together hold each event exactly once, to look at some of them. Where a part lies
   * stays the same from view to view, as long as no events are moved: new ones come at the end. Parts are read one after the other
   * with little effort each, in one process of the store.
   */
  planBlocks(): Promise<BlockPlan>;

  countEvents(): Promise<number>;

  /** What there is of each stream, or of those of some buckets, in byte order of the names. */
  readSummaries(options?: { readonly sample?: StreamSample }): AsyncIterable<StreamSummary>;

  /** Rows of the tables that belong to the events: consumer checkpoints, snapshots, schema ledgers. */
  readCompanions(): AsyncIterable<CompanionRow>;

  /**
   * Is told streams of which a version was read twice. Throws `damaged` where that tells of something else than a store that holds it twice: of a
   * stream in two shards. Left out: it does not.
   */
  judgeDoubled?(streamIds: readonly string[]): Promise<void>;
}

/** Parts of a view, of about 256 KiB each, for `readRange`. */
export interface BlockPlan {
  /** At least 1. */
  readonly blocks: number;
  /** The block of this number, from 0. */
  readonly range: (block: number) => StoreRange;
}

/** The events of a stream from a version on. */
export interface StreamTail {
  readonly streamId: string;
  readonly fromVersion: number;
}

/** A part of a store that one reader reads. `spec` belongs to the adapter; it survives structured cloning. */
export interface StoreRange {
  readonly index: number;
  readonly spec: string;
}

/**
 * Identifies the state that a snapshot saw. Fields are the adapter's; PostgreSQL: systemIdentifier, timeline,
 * database, relation, filenode, snapshot. `headsDigest` is added by the backup.
 */
export interface StoreCursor {
  readonly kind: StoreKind;
  readonly [field: string]: string | number | null;
}

/** One row of a table that belongs to the events. */
export interface CompanionRow {
  readonly table: string;
  readonly role: CompanionRole;
  /** Column values in the store's text form; null for SQL NULL. */
  readonly values: Readonly<Record<string, string | null>>;
}

/**
 * Checkpoints, snapshots and ledger are EventCore's. `streams`: what a store of others keeps of each stream; `progress`: how far its consumers are, in a
 * form of its own, which it maps to what is restored.
 */
export type CompanionRole = 'checkpoints' | 'snapshots' | 'ledger' | 'streams' | 'progress';

export interface RestoreSessionOptions {
  /** Names the attempt, so that what a killed one left can be found and thrown away. */
  readonly attemptId: string;
  /** The target may hold events; publishing replaces them. */
  readonly replace: boolean;
  /** Events are EventCore's, with their metadata as it stands, in a store of others. Left out: they are as the store gave them. */
  readonly adopt?: boolean;
  /** Things that the store may do for it at the same time, such as indexes to build. The adapter knows a default. */
  readonly parallel?: number;
}

/** Takes event batches into a place that no reader sees. */
export interface BatchWriter {
  /**
   * Every id, version and time is kept. Throws `value_not_storable` for what the target cannot hold
   * (a text id in a UUID column, `\u0000` in jsonb), naming the event.
   */
  write(batch: EventBatch): Promise<void>;

  /** Flushes; what was written counts only after this resolved. */
  end(): Promise<void>;

  /** Gives up what this writer wrote and frees its connection. Safe after `end`. */
  abort(): Promise<void>;
}

/** `loaded`: its events are there, and this was recorded with them. */
export type JoinedPart =
  | { readonly state: 'open'; readonly writer: PartWriter }
  | { readonly state: 'loaded'; readonly record: string };

/** Writes a part into a place that nobody sees. It does not count before `end`, whatever dies. */
export interface PartWriter extends Pick<BatchWriter, 'write' | 'abort'> {
  /**
   * Makes what was written count and records the part as loaded: both or neither. Gives what is recorded: of another writer, where
   * that was quicker, and then nothing of this one is there. When the store is lost meanwhile, either may be; who joins the part
   * again is told.
   */
  end(record: string): Promise<string>;
}

/** A restore under way. The order of calls is: writers, finishLoad, readSummaries, publish; or discard at any point. */
export interface RestoreSession {
  /** What another thread needs to write too; null when only this connection can. */
  readonly token: string | null;

  /** What a killed attempt had left here and this one threw away, in words; empty when nothing. */
  readonly discarded: readonly string[];

  /** `alone`: no other writer is ever opened, nor joins; a store may load quicker then. */
  openWriter(options?: { readonly alone?: boolean }): Promise<BatchWriter>;

  /**
   * Stages a companion row to be published with the events. Returns false when this store has no place for it
   * (another layout or kind): the restore then reports the table as left out.
   */
  writeCompanion(row: CompanionRow): Promise<boolean>;

  /**
   * After all writers ended: indexes, constraints. Who still writes a part, which another one has ended then, is cut off. `onStep`
   * names what is being done, for people.
   */
  finishLoad(onStep?: (step: string) => void): Promise<void>;

  /**
   * What was loaded, stream by stream in byte order of their names, read back from the store. Where `token` is not null
   * it may be read while `finishLoad` is under way.
   */
  readSummaries(): AsyncIterable<StreamSummary>;

  /** Does all of `publish` but its last step: what can fail, fails here. After it comes `publish` or `discard`, soon. Left out: `publish` does it. */
  preparePublish?(): Promise<void>;

  /** Makes all of it visible in one step, triggers on. After it, `discard` does nothing. */
  publish(): Promise<void>;

  /** Throws away what was loaded; the target is as it was. Safe to repeat. */
  discard(): Promise<void>;
}

export interface MergeOptions {
  /** Only to compare: nothing is locked, and `publish` is not called. */
  readonly dryRun: boolean;
}

/** A merge under way. The order of calls is: one writer, compare, publish; or discard at any point. */
export interface MergeSession {
  /** Takes all events of the streams, also those that the store has, into a place that no reader sees. */
  openWriter(): Promise<BatchWriter>;

  /**
   * Holds what was written against the store, stream by stream in byte order of their names. From the first one on until the
   * session is over, nobody appends to these streams. To be read to its end.
   */
  compare(): AsyncIterable<MergedStream>;

  /**
   * Adds all events whose version the store lacks, every id, version and time kept, in one transaction: all or none. Only after
   * a comparison that found no conflict. Throws `version_conflict` when somebody who keeps to no locks was quicker. Gives
   * how many were added.
   */
  publish(): Promise<number>;

  /** Throws away what was written; the store is as it was. Safe to repeat, and after `publish`. */
  discard(): Promise<void>;
}

/** What a merge would add to one stream. */
export interface MergedStream {
  readonly streamId: string;
  /** How many events were written of it. */
  readonly written: number;
  /** Of those, how many the store lacks, with the first and last of their versions. */
  readonly missing: number;
  readonly firstMissing: number | null;
  readonly lastMissing: number | null;
  /** The version of the store's last event; null when it has no such stream. */
  readonly storeLast: number | null;
  /**
   * The first written version that cannot be: the store has another event there, or has this event's id at another place.
   */
  readonly conflictAt: number | null;
}

/** What a store or a backup holds of one stream. */
export interface StreamSummary {
  readonly streamId: string;
  readonly events: number;
  readonly firstVersion: number;
  readonly lastVersion: number;
  /** Id of the event at `lastVersion`, in the text form of the store. */
  readonly lastEventId: string;
}
