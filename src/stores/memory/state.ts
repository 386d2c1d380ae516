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

/** How many events there were after a commit, and when that was (microseconds since 2000). */
export interface MemoryCommit {
  readonly end: number;
  readonly time: bigint;
}

/** What the store holds. Lists are replaced, never changed, so that a snapshot is a reference. */
export interface MemoryState {
  initialised: boolean;
  /** In the order of their commits. */
  events: readonly MemoryEvent[];
  commits: readonly MemoryCommit[];
  readonly identity: string;
  /** Grows when events are taken away or replaced. */
  timeline: number;
  companions: readonly CompanionRow[];
  /** A restore is under way. */
  restoring: boolean;
  /** A repair is. */
  repairing: boolean;
}
