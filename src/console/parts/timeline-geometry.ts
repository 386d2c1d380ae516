import type { StatusBackup, StatusGap, StatusWindow } from '../../core/status.ts';

/** Where things stand in a picture of a recovery window: from 0, its left edge, to 1. Pure. */

export interface TimelineFacts {
  readonly windows: readonly StatusWindow[];
  readonly gaps: readonly StatusGap[];
  readonly backups: readonly StatusBackup[];
  /** How old the newest point may be; null: nothing is promised. */
  readonly rpoMs: number | null;
  readonly nowMs: number;
}

export interface Timeline {
  readonly fromMs: number;
  readonly toMs: number;
  /** Left to right, as are all others. */
  readonly spans: readonly TimelineSpan[];
  /** Where only the instants of backups come back. */
  readonly points: readonly number[];
  readonly gaps: readonly TimelineGap[];
  readonly fulls: readonly TimelineBackup[];
  readonly incrementals: readonly TimelineBackup[];
  readonly ticks: readonly TimelineTick[];
  readonly now: number;
  /** From the oldest instant that the newest point may be of, to now. */
  readonly promised: TimelineSpan | null;
}

export interface TimelineSpan {
  readonly start: number;
  readonly end: number;
}

export interface TimelineGap extends TimelineSpan {
  readonly reason: string;
}

export interface TimelineBackup {
  readonly at: number;
  readonly backup: StatusBackup;
}

export interface TimelineTick {
  readonly at: number;
  readonly label: string;
}

export const ZOOMS = {
  '24h': 24 * 3_600_000,
  '7d': 7 * 86_400_000,
  '30d': 30 * 86_400_000,
  all: null,
} as const;
export type Zoom = keyof typeof ZOOMS;

/** The zoom of a query; where it names none, the nearest that shows most of what there is. */
export function zoomOf(wanted: string | null, facts: TimelineFacts): Zoom {
  if (wanted !== null && Object.hasOwn(ZOOMS, wanted)) return wanted as Zoom;
  const age = facts.nowMs - oldestMs(facts);
  if (age <= ZOOMS['24h']) return 'all';
  return age <= 10 * 86_400_000 ? '7d' : age <= 45 * 86_400_000 ? '30d' : 'all';
}

/** Room behind `now`, as a share. */
const AHEAD = 0.02;
const SHORTEST_MS = 3_600_000;

export function layTimeline(facts: TimelineFacts, zoom: Zoom): Timeline {
  const { nowMs, rpoMs } = facts;
  const lengthMs = Math.max(ZOOMS[zoom] ?? nowMs - oldestMs(facts), SHORTEST_MS);
  const [fromMs, toMs] = [nowMs - lengthMs, nowMs + lengthMs * AHEAD];
  const place = (ms: number): number => Math.min(1, Math.max(0, (ms - fromMs) / (toMs - fromMs)));
  const isSeen = (ms: number): boolean => ms >= fromMs && ms <= toMs;
  const spanOf = (startMs: number, endMs: number): TimelineSpan => ({
    start: place(startMs),
    end: place(endMs),
  });
  const windows = facts.windows.map(({ source, from, to }) => ({
    source,
    fromMs: Date.parse(from),
    toMs: Date.parse(to),
  }));
  const backups = facts.backups
    .filter(({ stateAt }) => isSeen(Date.parse(stateAt)))
    .map((backup) => ({ at: place(Date.parse(backup.stateAt)), backup }))
    .sort((a, b) => a.at - b.at);
  const overlaps = (startMs: number, endMs: number): boolean => endMs >= fromMs && startMs <= toMs;
  return {
    ...{ fromMs, toMs, now: place(nowMs), ticks: ticksOf(fromMs, toMs, place) },
    spans: windows
      .filter((window) => window.source === 'log' && overlaps(window.fromMs, window.toMs))
      .map((window) => spanOf(window.fromMs, window.toMs))
      .sort((a, b) => a.start - b.start),
    points: windows
      .filter((window) => window.source === 'backup' && isSeen(window.fromMs))
      .map((window) => place(window.fromMs))
      .sort((a, b) => a - b),
    gaps: gapsOf(facts, fromMs)
      .filter((gap) => overlaps(gap.startMs, gap.endMs))
      .map(({ startMs, endMs, reason }) => ({ ...spanOf(startMs, endMs), reason }))
      .sort((a, b) => a.start - b.start),
    fulls: backups.filter(({ backup }) => backup.kind === 'full'),
    incrementals: backups.filter(({ backup }) => backup.kind === 'incremental'),
    promised: rpoMs === null ? null : spanOf(nowMs - rpoMs, nowMs),
  };
}

function oldestMs({ windows, backups, nowMs }: TimelineFacts): number {
  const times = [...windows.map(({ from }) => from), ...backups.map(({ stateAt }) => stateAt)];
  return times.reduce((oldest, time) => Math.min(oldest, Date.parse(time)), nowMs);
}

/** A gap goes on until the next window begins; where none does, until now. */
export function gapsOf(
  { gaps, windows, nowMs }: TimelineFacts,
  fromMs = 0,
): { startMs: number; endMs: number; reason: string }[] {
  const begins = windows
    .filter(({ source }) => source === 'log')
    .map(({ from }) => Date.parse(from))
    .sort((a, b) => a - b);
  return gaps.map(({ from, reason }) => {
    const startMs = from === null ? fromMs : Date.parse(from);
    return { startMs, endMs: begins.find((begin) => begin > startMs) ?? Math.max(nowMs, startMs), reason };
  });
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const STEPS_MS = [
  ...[HOUR_MS / 6, HOUR_MS / 2, HOUR_MS, 2 * HOUR_MS, 4 * HOUR_MS, 6 * HOUR_MS, 12 * HOUR_MS],
  ...[1, 2, 5, 7, 14, 30, 60, 90, 180, 365, 730, 1825].map((days) => days * DAY_MS),
];
const MOST_TICKS = 7;

function ticksOf(fromMs: number, toMs: number, place: (ms: number) => number): TimelineTick[] {
  const length = toMs - fromMs;
  const step = STEPS_MS.find((ms) => length / ms <= MOST_TICKS) ?? length / MOST_TICKS;
  const ticks: TimelineTick[] = [];
  for (let at = Math.ceil(fromMs / step) * step; at <= toMs; at += step) {
    ticks.push({ at: place(at), label: tickLabel(at, step) });
  }
  return ticks;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

function tickLabel(ms: number, step: number): string {
  const text = new Date(ms).toISOString();
  const day = `${Number(text.slice(8, 10))} ${MONTHS[Number(text.slice(5, 7)) - 1]}`;
  if (step >= 180 * DAY_MS) return `${day} ${text.slice(0, 4)}`;
  return step >= DAY_MS || ms % DAY_MS === 0 ? day : text.slice(11, 16);
}
