import type { FeedState } from '../../core/change-feed.ts';
import { isBackupError } from '../../core/errors.ts';
import type { EventStore } from '../../core/event-store.ts';
import { timeFromUnixMs } from '../../core/time.ts';
import { formatBytes, formatDuration, plural } from '../../core/units.ts';
import { formatPosition } from '../../recovery/position.ts';
import { newestSpan, type SpanFacts } from '../../recovery/windows.ts';
import { withStore } from '../context.ts';
import type { Paint } from '../output.ts';

/** How far the log in a vault is behind its store. */
export interface LogLag {
  readonly storePosition: string;
  readonly logPosition: string;
  /** That the log has not; null when there are more than can be counted quickly, or the store does not tell. */
  readonly events: number | null;
  /** Of the store's own log, whatever it holds (PostgreSQL). */
  readonly bytes: number | null;
  readonly seconds: number;
  /** What the store keeps for the log, and may still keep before it throws it away. */
  readonly retainedBytes: number | null;
  readonly spareBytes: number | null;
  /** Somebody captures. */
  readonly isRead: boolean;
}

/** Asks the store; null where there is no log, or the store cannot be asked, which is no failure of a list. */
export async function findLag(
  address: string | null,
  spans: readonly SpanFacts[],
  nowMs: number,
): Promise<LogLag | null> {
  const last = newestSpan(spans);
  if (address === null || last === null) return null;
  try {
    return await withStore(address, (store) => measureLag(store, last, { nowMs, counts: true }));
  } catch (error) {
    if (!isBackupError(error)) throw error;
    return null;
  }
}

interface LagOptions {
  readonly nowMs: number;
  /** Events are counted, which may take a moment; else how many there are is not told. */
  readonly counts: boolean;
}

/** How far a log that ends so is behind its store; null where the store does not tell. Throws as the store does. */
export async function measureLag(
  store: EventStore,
  last: SpanFacts,
  { nowMs, counts }: LagOptions,
): Promise<LogLag | null> {
  const state = await store.feedState();
  if (state === null) return null;
  const { source, span } = last;
  if (state.position <= span.to) return lagOf(state, last, { nowMs, events: 0 });
  const place = { source, from: span.to, withinMs: COUNT_MS };
  return lagOf(state, last, { nowMs, events: counts ? await store.countAhead(place) : null });
}

/** To look at a list is worth this much of a server's work. */
const COUNT_MS = 2000;

export function lagOf(
  state: FeedState,
  { span, source, until }: SpanFacts,
  { nowMs, events }: { readonly nowMs: number; readonly events: number | null },
): LogLag {
  const behind = Number(state.position > span.to ? state.position - span.to : 0n);
  const isBytes = source.kind === 'postgres';
  const seconds = Number(timeFromUnixMs(nowMs) - until) / 1e6;
  return {
    storePosition: formatPosition(state.position, source.kind),
    logPosition: formatPosition(span.to, source.kind),
    events,
    bytes: isBytes ? behind : null,
    seconds: behind === 0 ? 0 : Math.max(0, seconds),
    ...{ retainedBytes: state.retainedBytes, spareBytes: state.spareBytes, isRead: state.isRead },
  };
}

export function lagLines(lag: LogLag | null, paint: Paint): string[] {
  if (lag === null) return [];
  const parts = [
    lag.events === null ? 'a number of events that cannot be told quickly' : plural(lag.events, 'event'),
    ...(lag.bytes === null ? [] : [`${formatBytes(lag.bytes)} of the store's log`]),
    formatDuration(lag.seconds * 1000),
  ];
  const kept = lag.retainedBytes === null ? '' : `; the store keeps ${formatBytes(lag.retainedBytes)} for it`;
  const spare = lag.spareBytes === null ? '' : `, and at most ${formatBytes(lag.spareBytes)} more`;
  const isNothing = lag.events === 0 && lag.seconds === 0 && !lag.bytes;
  const said = `  behind the store by ${isNothing ? 'nothing' : parts.join(', ')}${kept}${spare}`;
  return [said, ...(lag.isRead ? [] : [paint('warning', '  nobody captures at the moment')])];
}
