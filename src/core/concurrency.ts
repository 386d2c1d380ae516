/**
 * Runs `work` for every item, at most `limit` at a time, and gives the results in the items' order. After the
 * first failure no further item is begun; the ones under way are told to stop by their signal and awaited, then that
 * failure is thrown. The signal fires with `outer` too.
 */
export async function runLimited<Item, Result>(
  items: readonly Item[],
  limit: number,
  work: (item: Item, signal: AbortSignal) => Promise<Result>,
  outer?: AbortSignal,
): Promise<Result[]> {
  const results = new Array<Result>(items.length);
  const failures: unknown[] = [];
  const stop = new AbortController();
  const signal = outer === undefined ? stop.signal : AbortSignal.any([outer, stop.signal]);
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < items.length && failures.length === 0) {
      const index = next;
      next += 1;
      try {
        results[index] = await work(items[index]!, signal);
      } catch (error) {
        failures.push(error);
        stop.abort();
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, lane));
  if (failures.length > 0) throw failures[0];
  return results;
}

/**
 * Hands results on in the order of their places, from 0, each as soon as all before it have come. What is handed on can be
 * given up: with `runLimited`, few results wait at a time.
 */
export function inOrder<Result>(take: (result: Result) => void): (place: number, result: Result) => void {
  const waiting = new Map<number, Result>();
  let next = 0;
  return (place, result) => {
    waiting.set(place, result);
    for (; waiting.has(next); next += 1) {
      const ready = waiting.get(next)!;
      waiting.delete(next);
      take(ready);
    }
  };
}

/** Work is done `here` while nothing else is, and `elsewhere` meanwhile. */
export function hereFirst<Arguments extends readonly unknown[], Result>(
  here: (...job: Arguments) => Promise<Result>,
  elsewhere: (...job: Arguments) => Promise<Result>,
): (...job: Arguments) => Promise<Result> {
  let isBusy = false;
  return async (...job) => {
    if (isBusy) return elsewhere(...job);
    isBusy = true;
    try {
      return await here(...job);
    } finally {
      isBusy = false;
    }
  };
}

/**
 * Marks a promise as one that will be awaited later, in its turn: until then its failure must not end the process
 * as unhandled.
 */
export function awaitedLater<Value>(promise: Promise<Value>): Promise<Value> {
  promise.catch(() => undefined);
  return promise;
}

/** At most so many at a time; others wait for their turn, in the order in which they came. */
export function atMost<Arguments extends readonly unknown[], Result>(
  limit: number,
  work: (...job: Arguments) => Promise<Result>,
): (...job: Arguments) => Promise<Result> {
  const waiting: (() => void)[] = [];
  let free = limit;
  return async (...job) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work(...job);
    } finally {
      const next = waiting.shift();
      if (next === undefined) free += 1;
      else next();
    }
  };
}
