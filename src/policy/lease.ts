/** The newest record of a lease, as a taker finds it. */
export interface FoundLease {
  readonly state: 'held' | 'released';
  readonly ttlMs: number;
  /** When it was written, and now: both by the vault's clock. */
  readonly writtenAtMs: number;
  readonly nowMs: number;
}

export const LEASE_TTL_MS = 60_000;
/** Nobody blocks others for longer, whatever a record says. */
export const MAX_LEASE_TTL_MS = 600_000;
/** What a taker waits beyond the end: a vault may know its times by the second. */
const GRACE_MS = 2000;
/** A holder stops so much of the time before the end. */
const HOLDER_MARGIN = 1 / 6;
/** A holder renews when so much of the time has passed. */
const RENEW_AFTER = 1 / 3;

/** How long a taker must wait; 0 when the lease is free. A vault's clock that was set back makes nobody wait longer than the whole. */
export function leaseRemainingMs({ state, ttlMs, writtenAtMs, nowMs }: FoundLease): number {
  if (state === 'released') return 0;
  const wholeMs = Math.min(ttlMs, MAX_LEASE_TTL_MS) + GRACE_MS;
  return Math.min(wholeMs, Math.max(0, writtenAtMs + wholeMs - nowMs));
}

/** Until when a holder may act, and when it renews: by its own clock, from before it wrote the record. */
export function holdingTimes(beganAtMs: number, ttlMs: number): { untilMs: number; renewAtMs: number } {
  return { untilMs: beganAtMs + ttlMs * (1 - HOLDER_MARGIN), renewAtMs: beganAtMs + ttlMs * RENEW_AFTER };
}
