import type { CompanionRow } from '../../core/event-store.ts';

/** One event as this store keeps it: text as UTF-8 bytes, exactly as it came. */
export interface MemoryEvent {
  readonly id: Uint8Array;
  readonly stream: Uint8Array;
  readonly version: number;
  readonly type: Uint8Array;
  readonly data: Uint8Array | null;
  readonly metadata: Uint8Array | null;
  readonly time: bigint;
  readonly timeText: Uint8Array | null;
}

/** What the store holds. Lists are replaced, never changed, so that a snapshot is a reference. */
export interface MemoryState {
  initialised: boolean;
  /** In the order of their commits. */
  events: readonly MemoryEvent[];
  companions: readonly CompanionRow[];
  /** A restore is under way. */
  restoring: boolean;
}
