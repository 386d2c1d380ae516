import type { FeedState } from '../core/change-feed.ts';
import { isBackupError } from '../core/errors.ts';
import { timeFromUnixMs } from '../core/time.ts';
import { formatPosition } from '../recovery/position.ts';
import { newestSpan, type SpanFacts } from '../recovery/windows.ts';
import { withStore } from './context.ts';
import type { Paint } from './output.ts';
import { formatBytes, formatCount, formatDuration } from './units.ts';

/** How far the log in a vault is behind its store. */
export interface LogLag {
  readonly storePosition: string;
  readonly logPosition: string;
  /** Known where positions count events (SQLite). */
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
    const state = await withStore(address, (store) => store.feedState());
    return state === null ? null : lagOf(state, last, nowMs);
  } catch (error) {
    if (!isBackupError(error)) throw error;
    return null;
  }
}

export function lagOf(state: FeedState, { span, source, until }: SpanFacts, nowMs: number): LogLag {
  const behind = Number(state.position > span.to ? state.position - span.to : 0n);
  const isBytes = source.kind === 'postgres';
  const seconds = Number(timeFromUnixMs(nowMs) - until) / 1e6;
  return {
    storePosition: formatPosition(state.position, source.kind),
    logPosition: formatPosition(span.to, source.kind),
    events: isBytes ? null : behind,
    bytes: isBytes ? behind : null,
    seconds: behind === 0 ? 0 : Math.max(0, seconds),
    ...{ retainedBytes: state.retainedBytes, spareBytes: state.spareBytes, isRead: state.isRead },
  };
}

export function lagLines(lag: LogLag | null, paint: Paint): string[] {
  if (lag === null) return [];
  const parts = [
    ...(lag.events === null ? [] : [`${formatCount(lag.events)} events`]),
    ...(lag.bytes === null ? [] : [`${formatBytes(lag.bytes)} of the store's log`]),
    formatDuration(lag.seconds * 1000),
  ];
  const kept = lag.retainedBytes === null ? '' : `; the store keeps ${formatBytes(lag.retainedBytes)} for it`;
  const spare = lag.spareBytes === null ? '' : `, and at most ${formatBytes(lag.spareBytes)} more`;
  const said = `  behind the store by ${parts.join(', ')}${kept}${spare}`;
  return [said, ...(lag.isRead ? [] : [paint('warning', '  nobody captures at the moment')])];
}
