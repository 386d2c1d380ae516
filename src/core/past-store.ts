import type { EventBatch } from './event-batch.ts';
import type { StoreCursor } from './event-store.ts';
import type { StreamTable } from './stream-table.ts';

/** What a store held: as a backup with all that it builds on has it, or as it was at an instant. */
export interface PastStore {
  readonly table: StreamTable;
  /** Of the view that this is the state of; null where there was no such view. */
  readonly cursor: StoreCursor | null;
  /**
   * Gives every event of certain streams, and perhaps others, in no order. A batch is valid until `take` has returned. Throws
   * `damaged`.
   */
  read(names: readonly Uint8Array[] | 'all', take: (batch: EventBatch) => void): Promise<void>;
}
