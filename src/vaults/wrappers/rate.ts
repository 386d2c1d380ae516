/**
 * How many bytes may pass in a second, for all threads of a process together. All that is known stands in memory that they share; each
 * takes its turn with one compare-and-exchange, so that none waits for another.
 */

/** Given to a thread as it is. */
export type RateBudget = SharedArrayBuffer;

/** Places of the 64-bit words in a budget. Up and down are limited each for itself, as lines are. */
const RATE = 0;
export const UP = 1;
export const DOWN = 2;
const WORDS = 3;

/** So much may pass at once after a rest: enough to make up for a timer that comes late. */
const BURST_NS = 100_000_000n;
const SECOND_NS = 1_000_000_000n;

export function makeRateBudget(bytesPerSecond: number): RateBudget {
  const budget = new SharedArrayBuffer(WORDS * 8);
  new BigInt64Array(budget)[RATE] = BigInt(Math.max(1, Math.round(bytesPerSecond)));
  return budget;
}

export function rateOf(budget: RateBudget): number {
  return Number(new BigInt64Array(budget)[RATE]);
}

/** Takes so many bytes and gives the milliseconds to wait for them. */
export function takeBytes(
  budget: RateBudget,
  way: typeof UP | typeof DOWN,
  bytes: number,
  nowNs: bigint,
): number {
  const words = new BigInt64Array(budget);
  for (;;) {
    const seen = Atomics.load(words, way);
    const taken = take({ rate: words[RATE]!, paidUntilNs: seen }, BigInt(bytes), nowNs);
    if (Atomics.compareExchange(words, way, seen, taken.paidUntilNs) === seen) return taken.waitMs;
  }
}

/**
 * A token bucket, told by the instant until which all that was taken is paid for. Whoever takes waits until then; the bucket is full when
 * that is as far in the past as a burst lasts, and never fuller.
 */
export function take(
  bucket: { readonly rate: bigint; readonly paidUntilNs: bigint },
  bytes: bigint,
  nowNs: bigint,
): { readonly paidUntilNs: bigint; readonly waitMs: number } {
  const fullNs = nowNs - BURST_NS;
  const fromNs = bucket.paidUntilNs > fullNs ? bucket.paidUntilNs : fullNs;
  const paidUntilNs = fromNs + (bytes * SECOND_NS) / bucket.rate;
  const waitNs = paidUntilNs - nowNs;
  return { paidUntilNs, waitMs: waitNs > 0n ? Number(waitNs) / 1e6 : 0 };
}
