import type { EventBatch } from './event-batch.ts';
import type { RepairKind } from './finding.ts';
import type { SqlValue } from './inspection.ts';

/**
 * Changes to a live store that put right what is damaged: all in one transaction, each on record in the store itself (table
 * `eventcore_repairs`, made where it is missing), with what was there before. The order of calls is: any of the first two,
 * publish; or discard at any point. Adapters: memory, sqlite, postgres; the contract is in `testing/event-store/repairs.ts`.
 *
 * Throws `lease_held` while another repair of this store is under way, `store_refused` for rights that are missing, with the way out.
 */
export interface RepairSession {
  /**
   * Makes events of the store what the batch says, the guards of the layout lifted for these rows alone. An event is told by its
   * id, wherever it lies; a row at its place with another id and the same content is a copy of it, or is it where no row has the id.
   * Of several copies one stays. What is not there is not added: that is a merge. What is put back must read back byte for
   * byte, or `value_not_storable` is thrown. Throws `store_diverged` where another event stands in its place; nothing of the batch
   * is changed then, and the session goes on. Stream and version are told apart within a batch: each may be there once.
   */
  putBack(batch: EventBatch, reason: string): Promise<PutBackCounts>;

  /**
   * Runs the statements of one repair that a check knows, all or none, and keeps aside what they change. Where one fails they leave no
   * trace, and the session goes on. Throws `store_unsupported` where a store has no SQL.
   */
  execute(statements: readonly RepairStatement[], kind: RepairKind): Promise<void>;

  /** Makes all of it visible in one step, guards in force. After it, `discard` does nothing. */
  publish(): Promise<void>;

  /** The store is as it was. Safe to repeat. */
  discard(): Promise<void>;
}

export interface RepairOptions {
  /** A UUID, which names the repair in the store's record and in the vault's. */
  readonly repairId: string;
  /** Rows are looked for without the store's indexes, since one of them may be damaged: each batch costs a scan of the table. */
  readonly withoutIndexes?: boolean;
}

export interface PutBackCounts {
  /** Events that were made what the batch says. */
  readonly changed: number;
  /** Copies that were taken away. */
  readonly removed: number;
  /** Events of the batch that the store has nowhere. */
  readonly absent: number;
}

export interface RepairStatement {
  readonly sql: string;
  readonly parameters?: readonly SqlValue[];
  /** For people, and for the record. */
  readonly reason: string;
  /** A statement that gives what it changes as it was, kept aside as JSON; null where nothing is lost by it. */
  readonly before: { readonly sql: string; readonly parameters?: readonly SqlValue[] } | null;
}
