/** Lets through so many at once, and then so many a minute, for each key. How many keys are known is bounded: the one seen longest ago is forgotten. */
export interface Limit {
  /** Null: it is let through. Else how long until the next one is. */
  readonly take: (key: string) => number | null;
}

export interface LimitOptions {
  readonly burst: number;
  readonly perMinute: number;
  readonly maxKeys: number;
  /** A clock that is not set. */
  readonly nowMs: () => number;
}

interface Bucket {
  left: number;
  atMs: number;
}

export function makeLimit({ burst, perMinute, maxKeys, nowMs }: LimitOptions): Limit {
  const buckets = new Map<string, Bucket>();
  const msForOne = 60_000 / perMinute;
  return {
    take: (key) => {
      const now = nowMs();
      const known = buckets.get(key) ?? { left: burst, atMs: now };
      const left = Math.min(burst, known.left + (now - known.atMs) / msForOne);
      buckets.delete(key);
      if (buckets.size >= maxKeys) buckets.delete(buckets.keys().next().value!);
      buckets.set(key, { left: left >= 1 ? left - 1 : left, atMs: now });
      return left >= 1 ? null : Math.ceil((1 - left) * msForOne);
    },
  };
}
