import { BackupError } from '../core/errors.ts';
import type { StoreKind } from '../core/event-store.ts';
import { formatTime } from '../core/time.ts';
import { formatPosition } from './position.ts';
import { type Bound, describeTarget, type RecoveryTarget } from './target.ts';
import { type BackupPoint, gapsOf, type RecoveryWindow, type SpanFacts } from './windows.ts';

/** What came of the try to reach a target from one backup. */
export type Attempt = { readonly backupId: string } & (
  | { readonly outcome: 'later'; readonly reason: string }
  | { readonly outcome: 'not-met'; readonly reason: string }
  | { readonly outcome: 'ends'; readonly at: SpanFacts }
);

/** Why a backup cannot be the base, whatever the log says; null when it may be. */
export function whyTooLate({ createdAt, position, kind }: BackupPoint, bound: Bound): string | null {
  if (bound.kind === 'time' && createdAt > bound.time) return 'it was taken later';
  if (bound.kind !== 'before' || position === null) return null;
  const near = kind === 'postgres' ? NEAR : 0n;
  return position >= bound.position + near ? 'it lies behind that position' : null;
}

/** Bytes of a server's log: a position may lie that little before a base's, which saw nothing in between; the log tells. */
const NEAR = 1n << 24n;

/** Whether an unbroken run of the log holds all commits up to the bound. */
export function covers({ span, until }: SpanFacts, bound: Bound): boolean {
  if (bound.kind === 'end') return true;
  return bound.kind === 'time' ? until >= bound.time : span.to >= bound.position;
}

/** Whether a backup, without any log, is the very point that is wanted. */
export function isThePoint({ createdAt, position }: BackupPoint, target: RecoveryTarget): boolean {
  if (target.kind === 'latest') return true;
  // Backups are known by the millisecond.
  if (target.kind === 'time') return createdAt / MS === target.time / MS;
  return target.kind === 'position' && position === target.position;
}

const MS = 1000n;

/** The points next to the target on both sides, in words; null where there is none, or none that can be compared. */
export interface NearestPoints {
  readonly before: string | null;
  readonly after: string | null;
}

export function nearestPoints(target: RecoveryTarget, windows: readonly RecoveryWindow[]): NearestPoints {
  if (target.kind === 'time') {
    const at = formatTime(target.time);
    // Fractions of three and of six digits compare by what they have in common.
    const isLater = (a: string, b: string): boolean => padded(a) > padded(b);
    const before = windows
      .filter(({ from }) => !isLater(from, at))
      .map(({ to }) => (isLater(to, at) ? at : to))
      .reduce<string | null>((best, to) => (best === null || isLater(to, best) ? to : best), null);
    const after = windows
      .map(({ from }) => from)
      .filter((from) => isLater(from, at))
      .reduce<string | null>((best, from) => (best === null || isLater(best, from) ? from : best), null);
    return { before, after };
  }
  if (target.kind !== 'position') return { before: null, after: null };
  return nearestPositions(target.position, windows);
}

function padded(time: string): string {
  return time.replace(/(\.\d+)?Z$/, (_, fraction: string = '.') => fraction.padEnd(7, '0'));
}

function nearestPositions(position: bigint, windows: readonly RecoveryWindow[]): NearestPoints {
  let before: { readonly at: bigint; readonly text: string } | null = null;
  let after: { readonly at: bigint; readonly text: string } | null = null;
  for (const { fromLsn, toLsn } of windows) {
    const from = fromLsn === null ? null : readPosition(fromLsn);
    const to = toLsn === null ? null : readPosition(toLsn);
    if (from === null || to === null) continue;
    if (from > position) {
      if (after === null || from < after.at) after = { at: from, text: fromLsn! };
    } else if (before === null || to > before.at) {
      before = { at: to, text: toLsn! };
    }
  }
  return { before: before?.text ?? null, after: after?.text ?? null };
}

function readPosition(text: string): bigint {
  const [high, low] = text.split('/') as [string, string?];
  return low === undefined ? BigInt(high) : (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`);
}

/**
 * Why a target cannot be reached: a gap in the way (`log_gap`), and how far it could go; or it lies outside of all that can be
 * brought back (`no_restore_point`), and what lies next to it.
 */
export function refusePoint(
  target: RecoveryTarget,
  attempts: readonly Attempt[],
  windows: readonly RecoveryWindow[],
  kind: StoreKind,
): BackupError {
  const wanted = describeTarget(target, kind);
  const blocked = attempts
    .flatMap((attempt) => (attempt.outcome === 'ends' ? [attempt] : []))
    .flatMap(({ at }) => {
      const gap = gapsOf(at.timeline).find(({ from }) => from >= at.span.to);
      return gap === undefined ? [] : [{ at, gap }];
    })
    .toSorted((a, b) => (a.at.until < b.at.until ? 1 : -1))[0];
  if (blocked !== undefined) return refuseGap(wanted, blocked);
  const { before, after } = nearestPoints(target, windows);
  const near = [
    before === null ? 'there is none before it' : `the nearest before it is ${before}`,
    after === null ? 'none after it' : `the nearest after it ${after}`,
  ];
  const notMet = attempts.find((attempt) => attempt.outcome === 'not-met');
  const why =
    notMet === undefined ? '' : `; backup ${notMet.backupId} cannot be carried on: ${notMet.reason}`;
  return new BackupError('no_restore_point', `no restore point for ${wanted}: ${near.join(', ')}${why}`, {
    hint: 'choose an instant within a recovery window: `eventcore list` shows them',
    facts: { nearestBefore: before, nearestAfter: after },
  });
}

function refuseGap(
  wanted: string,
  { at, gap }: { at: SpanFacts; gap: ReturnType<typeof gapsOf>[number] },
): BackupError {
  const { kind } = at.source;
  const time = formatTime(at.until);
  const lsn = formatPosition(at.span.to - 1n, kind);
  const [from, to] = [gap.from, gap.to].map((position) => formatPosition(position, kind)) as [string, string];
  return new BackupError(
    'log_gap',
    `cannot reach ${wanted}: the log has a gap from ${from} to ${to} (${gap.message}); it is whole up to ${time}, ${lsn}`,
    {
      hint: `recover up to the gap with --at ${time} or --lsn ${lsn}, or from a backup that was taken after it`,
      facts: { reachableTime: time, reachableLsn: lsn, gapFrom: from, gapTo: to, gapReason: gap.reason },
    },
  );
}
