/** What a store says about itself to somebody who looks after it. */
export interface StoreExamination {
  /** By how many milliseconds the store's clock is ahead of this machine's; null where it has none of its own. */
  readonly clockAheadMs: number | null;
  /** What keeps this user from reading all that a backup holds. */
  readonly backupObstacles: readonly Obstacle[];
  /** What keeps this user from following the commits. */
  readonly feedObstacles: readonly Obstacle[];
  /**
   * How a connection pooler stands before the server: where it gives no sessions, only what reads works through it. Left
   * out where none does.
   */
  readonly pooler?: 'session' | 'transaction';
  /** What killed restores left here, in words. */
  readonly leftovers: readonly string[];
}

/** Something in the way, and what an administrator can do about it. */
export interface Obstacle {
  readonly message: string;
  readonly hint: string | null;
  /** Only this role's: another one may well do it. */
  readonly isOfRole?: true;
}
