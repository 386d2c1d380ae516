import type { StreamSummary } from '../core/event-store.ts';
import { compareUtf8 } from '../core/text-order.ts';

/** A stream that the old store has not just as the new one; `there` is null where the new one does not have it at all. */
export interface StreamPair {
  readonly here: StreamSummary;
  readonly there: StreamSummary | null;
}

/**
 * Streams of the old store that are not the same in the new one, and those that `wanted` names. Both come in byte order of the names, so
 * memory stays flat.
 */
export async function* pairStreams(
  old: AsyncIterable<StreamSummary>,
  fresh: AsyncIterable<StreamSummary>,
  wanted: (streamId: string) => boolean,
): AsyncGenerator<StreamPair> {
  const others = fresh[Symbol.asyncIterator]();
  try {
    let step = await others.next();
    for await (const here of old) {
      while (step.done !== true && compareUtf8(step.value.streamId, here.streamId) < 0)
        step = await others.next();
      const there = step.done !== true && step.value.streamId === here.streamId ? step.value : null;
      if (there === null || wanted(here.streamId) || !isSame(here, there)) yield { here, there };
    }
  } finally {
    await others.return?.();
  }
}

/**
 * An id stands for one event: so two streams without a hole that end with the same one have the same events. Where somebody changed one in
 * its row, `eventcore diff` shows it.
 */
function isSame(here: StreamSummary, there: StreamSummary): boolean {
  return (
    here.events === there.events &&
    here.firstVersion === there.firstVersion &&
    here.lastVersion === there.lastVersion &&
    here.lastEventId.toLowerCase() === there.lastEventId.toLowerCase()
  );
}

/** Whether a stream has every version from its first one to its last one, each once: as far as numbers tell. */
export function isWhole({ events, firstVersion, lastVersion }: StreamSummary): boolean {
  return events === lastVersion - firstVersion + 1;
}

/** What one lookup by id would settle. */
export type ForkQuestion =
  /** Nothing is known of where they part: all of it is read. */
  | { readonly kind: 'read_all' }
  /** Whether the old one's last event is in the new one, at the same place: then it has all of the old one. */
  | { readonly kind: 'has_ours'; readonly eventId: string; readonly version: number }
  /** Whether the new one's last event is in the old one, at the same place: then the old one goes on behind it. */
  | { readonly kind: 'has_theirs'; readonly eventId: string; readonly version: number };

export function askFork({ here, there }: StreamPair): ForkQuestion {
  if (there === null || here.firstVersion !== there.firstVersion || !isWhole(here) || !isWhole(there))
    return { kind: 'read_all' };
  if (here.lastVersion <= there.lastVersion)
    return { kind: 'has_ours', eventId: here.lastEventId, version: here.lastVersion };
  return { kind: 'has_theirs', eventId: there.lastEventId, version: there.lastVersion };
}

/**
 * The first version from which on two streams differ, where they are the same up to some version: `first` to `last` are those that both
 * have. Asks about the logarithm of their number.
 */
export async function findFork(
  first: number,
  last: number,
  isShared: (version: number) => Promise<boolean>,
): Promise<number> {
  let low = first;
  let high = last + 1;
  while (low < high) {
    const middle = low + Math.floor((high - low) / 2);
    if (await isShared(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}
