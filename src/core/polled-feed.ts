import type { ChangeBatch, FeedReadOptions } from './change-feed.ts';
import { throwIfAborted } from './errors.ts';

/** What a store that has to be asked for news tells. */
export interface PolledChanges {
  /** About how many event bytes there are to be read; 0 when there is nothing new. */
  pendingBytes(): number;
  /** The next batch; asked for when there is something to be read. Null when it cannot be read just now. */
  next(batchBytes: number): PolledBatch | null;
  /** A batch of nothing. */
  idle(): PolledBatch;
}

export type PolledBatch = Omit<ChangeBatch, 'beganAtMs' | 'horizon'>;

/** Wakes the reader of a feed early: something was committed, or the feed was closed. */
export interface Alarm {
  ring(): void;
  /** Resolves after `ms`, at the next ring, when it rang since the last wait, or when the signal aborts. */
  wait(ms: number, signal?: AbortSignal): Promise<void>;
}

export function makeAlarm(): Alarm {
  let rang = false;
  let wake = (): void => {};
  return {
    ring: () => {
      rang = true;
      wake();
    },
    wait: async (ms, signal) => {
      if (!rang && signal?.aborted !== true) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, ms);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
          signal?.addEventListener('abort', wake, { once: true });
        });
        signal?.removeEventListener('abort', wake);
      }
      rang = false;
      wake = () => {};
    },
  };
}

export interface PolledFeed {
  readonly changes: PolledChanges;
  readonly alarm: Alarm;
  /** How long to wait before the store is asked again when no alarm rings. */
  readonly pollMs: number;
  isClosed(): boolean;
}

/** `ChangeFeed.read` of a store that has to be asked for news. */
export async function* readPolled(
  { changes, alarm, pollMs, isClosed }: PolledFeed,
  { batchBytes, lingerMs, idleMs, signal }: FeedReadOptions,
): AsyncGenerator<ChangeBatch> {
  let quietSince = performance.now();
  let beganAtMs: number | null = null;
  for (;;) {
    throwIfAborted(signal);
    if (isClosed()) return;
    const bytes = changes.pendingBytes();
    const now = performance.now();
    if (bytes > 0) beganAtMs ??= now;
    const dueAt: number = beganAtMs === null ? quietSince + idleMs : beganAtMs + lingerMs;
    if (now < dueAt && bytes < batchBytes) {
      await alarm.wait(Math.min(pollMs, dueAt - now), signal);
      continue;
    }
    const batch = bytes > 0 ? changes.next(batchBytes) : changes.idle();
    if (batch === null) {
      await alarm.wait(pollMs, signal);
      continue;
    }
    yield { ...batch, horizon: null, beganAtMs: beganAtMs ?? now };
    quietSince = performance.now();
    beganAtMs = null;
    // A store of this kind works in the calling thread: signals, timers and the thread pool's results come through here.
    await new Promise(setImmediate);
  }
}
