import type { FeedSource } from '../core/change-feed.ts';
import type { StoreKind } from '../core/event-store.ts';
import { formatTime } from '../core/time.ts';
import type { LogSpan, LogTimeline } from '../format/log-catalog.ts';
import { formatPosition } from './position.ts';

/** An unbroken run of a log, and what its ends say. */
export interface SpanFacts {
  readonly timeline: LogTimeline;
  readonly span: LogSpan;
  readonly source: FeedSource;
  /** Microseconds since 2000: when its first block was made. */
  readonly since: bigint;
  /** Microseconds since 2000: the log holds all that had committed by then. */
  readonly until: bigint;
}

/** The one that holds the latest instant; null when there is none. */
export function newestSpan(spans: readonly SpanFacts[]): SpanFacts | null {
  return spans.reduce<SpanFacts | null>(
    (newest, span) => (newest === null || span.until >= newest.until ? span : newest),
    null,
  );
}

/** A backup that can be used, as a point in time. */
export interface BackupPoint {
  readonly backupId: string;
  readonly kind: StoreKind;
  /** Microseconds since 2000. */
  readonly createdAt: bigint;
  /** The position of a log that it is the state of; null where that is not known. */
  readonly position: bigint | null;
}

/** A run of a log with the oldest backup that it carries on. */
export interface CarriedSpan extends SpanFacts {
  readonly base: BackupPoint & { readonly position: bigint };
}

/** Every instant from `from` to `to` can be brought back; of a backup alone, that one instant. */
export interface RecoveryWindow {
  readonly source: 'log' | 'backup';
  /** RFC 3339. */
  readonly from: string;
  readonly to: string;
  readonly fromLsn: string | null;
  readonly toLsn: string | null;
  /** The oldest backup of the window. */
  readonly backupId: string;
}

/** The newest instant that can be brought back, as RFC 3339; null where there is none. */
export function newestInstant(windows: readonly Pick<RecoveryWindow, 'to'>[]): string | null {
  return windows.reduce<string | null>((max, { to }) => (max === null || to > max ? to : max), null);
}

/** Commits that no recovery crosses. */
export interface LogGap {
  readonly systemIdentifier: string;
  readonly timeline: number;
  readonly fromLsn: string;
  readonly toLsn: string;
  /** The log holds all before this instant; null when it holds nothing before the gap. */
  readonly from: string | null;
  readonly reason: string;
  readonly message: string;
}

/** What can be brought back, by time: windows of logs, and the backups that lie in none of them. */
export function recoveryWindows(
  backups: readonly BackupPoint[],
  spans: readonly CarriedSpan[],
): RecoveryWindow[] {
  const windows = spans.map(({ base, source, span, until }) => ({
    ...{ base, source, to: until > base.createdAt ? until : base.createdAt },
    toPosition: span.to - 1n > base.position ? span.to - 1n : base.position,
  }));
  const alone = backups.filter(
    ({ kind, createdAt }) =>
      !windows.some(
        ({ base, source, to }) => kind === source.kind && createdAt >= base.createdAt && createdAt <= to,
      ),
  );
  return [
    ...windows.map(({ base, source, to, toPosition }): RecoveryWindow => {
      const { kind } = source;
      return {
        ...{ source: 'log', from: formatTime(base.createdAt), to: formatTime(to) },
        ...{ fromLsn: formatPosition(base.position, kind), toLsn: formatPosition(toPosition, kind) },
        backupId: base.backupId,
      };
    }),
    ...alone.map(({ backupId, kind, createdAt, position }): RecoveryWindow => {
      const lsn = position === null ? null : formatPosition(position, kind);
      const at = formatTime(createdAt, 3);
      return { source: 'backup', from: at, to: at, fromLsn: lsn, toLsn: lsn, backupId };
    }),
  ].sort((a, b) => compare(a.from, b.from) || compare(a.to, b.to));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Marked gaps, and breaks that nobody marked. `spans` has what is known of the runs of files. */
export function listGaps(timelines: readonly LogTimeline[], spans: readonly SpanFacts[]): LogGap[] {
  return timelines.flatMap((timeline) => {
    const own = spans.filter((facts) => facts.timeline === timeline);
    const kind = own[0]?.source.kind ?? 'postgres';
    return gapsOf(timeline).map(({ from, to, reason, message }): LogGap => {
      const before = own.findLast(({ span }) => span.to <= from);
      return {
        ...{ systemIdentifier: timeline.systemIdentifier, timeline: timeline.timeline },
        ...{ fromLsn: formatPosition(from, kind), toLsn: formatPosition(to, kind) },
        from: before === undefined ? null : formatTime(before.until),
        ...{ reason, message },
      };
    });
  });
}

interface Gap {
  readonly from: bigint;
  readonly to: bigint;
  readonly reason: string;
  readonly message: string;
}

/** All gaps of a timeline by position. */
export function gapsOf({ gaps, spans }: LogTimeline): Gap[] {
  const unmarked = spans.slice(1).flatMap(({ from }, i): Gap[] => {
    const { to } = spans[i]!;
    if (gaps.some((gap) => gap.from <= from && gap.to >= to)) return [];
    return [{ from: to, to: from, reason: 'files_missing', message: 'files of the log are missing' }];
  });
  return [...gaps, ...unmarked].sort((a, b) => (a.from < b.from ? -1 : a.from > b.from ? 1 : 0));
}
