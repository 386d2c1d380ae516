/**
 * The right to change what is in a vault (remove, join), for one holder at a time. It ends by itself when it is not renewed, so
 * a holder that died blocks nobody for longer than that.
 */
export interface Lease {
  /** Grows with each holder. */
  readonly epoch: number;
  /** Throws `lease_held` when it may have ended, by the clock of this process. Called before each removal. */
  assertHeld(): void;
}

/**
 * Runs work under a lease, and gives that back. The signal fires when the lease may have ended, and with the caller's own. Throws
 * `lease_held` when somebody else has it: nothing was done then.
 */
export type UnderLease = <Result>(
  work: (lease: Lease, signal: AbortSignal) => Promise<Result>,
) => Promise<Result>;
