import type { Objective, StoreStatus } from '../core/status.ts';

/** What a daemon knows of one store, in memory: for metrics and the console. */
export interface StoreView {
  /** As the daemon calls it. */
  readonly store: string;
  /** The newest one; null: it could not be asked yet. */
  readonly status: StoreStatus | null;
  /** As of now. */
  readonly objectives: readonly Objective[];
  /** Why the status could not be asked the last time; null: it could. */
  readonly trouble: string | null;
}
