/** What came of a wait that has an end. */
export type Within<Result> =
  | { readonly kind: 'done'; readonly result: Result; readonly ms: number }
  | { readonly kind: 'failed'; readonly error: unknown; readonly ms: number }
  | { readonly kind: 'late'; readonly ms: number };

/**
 * Runs work that has so many milliseconds; never throws. What does not heed its signal is left alone then, and what comes of it is of no
 * use. Where the outer signal fires, it is late as well.
 */
export async function within<Result>(
  timeoutMs: number,
  outer: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Within<Result>> {
  const beganAtMs = performance.now();
  const passed = (): number => Math.round(performance.now() - beganAtMs);
  const own = new AbortController();
  const { promise: late, resolve } = Promise.withResolvers<Within<Result>>();
  const stop = (): void => {
    own.abort();
    resolve({ kind: 'late', ms: passed() });
  };
  const timer = setTimeout(stop, timeoutMs);
  outer?.addEventListener('abort', stop, { once: true });
  if (outer?.aborted === true) stop();
  try {
    return await Promise.race([late, settle(() => work(own.signal), passed)]);
  } finally {
    clearTimeout(timer);
    outer?.removeEventListener('abort', stop);
  }
}

async function settle<Result>(work: () => Promise<Result>, passed: () => number): Promise<Within<Result>> {
  try {
    const result = await work();
    return { kind: 'done', result, ms: passed() };
  } catch (error) {
    return { kind: 'failed', error, ms: passed() };
  }
}
