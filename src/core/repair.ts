import type { EventBatch } from './event-batch.ts';
import type { SqlValue } from './inspection.ts';

/**
 * Changes to a live store that put right what is damaged: all in one transaction, each on record in the store itself (table
 * `eventcore_repairs`, made where it is missing), with what was there before. The order of calls is: any of the first three, publish; or discard at
 * any point. Adapters: memory, sqlite, postgres.
 */
export interface RepairSession {
  /**
   * Makes the events of these streams and versions what the batch says; the guards of the layout are lifted for these rows alone. Where several
   * rows have a version, one stays. What is not there is not added: that is a merge. Gives how many rows were changed or taken away.
   */
  putBack(batch: EventBatch, reason: string): Promise<number>;

  /** Runs one statement of a check's repair; `before` tells what is kept of the state before it. Not in stores without SQL: throws `store_unsupported`. */
  execute(statement: RepairStatement): Promise<void>;

  /** Makes all of it visible in one step, guards in force. After it, `discard` does nothing. */
  publish(): Promise<void>;

  /** The store is as it was. Safe to repeat. */
  discard(): Promise<void>;
}

export interface RepairOptions {
  /** Names the repair in the store's record and in the vault's. */
  readonly repairId: string;
}

export interface RepairStatement {
  readonly sql: string;
  readonly parameters?: readonly SqlValue[];
  /** For people, and for the record. */
  readonly reason: string;
  /** A statement that gives what it changes as it was, kept aside as JSON; null where nothing is lost by it. */
  readonly before: { readonly sql: string; readonly parameters?: readonly SqlValue[] } | null;
}
