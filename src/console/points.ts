import type { StatusBackup, StatusWindow, StoreStatus } from '../core/status.ts';
import type { RestoreForm } from './restore-form.ts';
import { shortTime } from './restore-form.ts';

/** Points that a store can be brought back to, out of what the daemon knows of it anyway. Pure. */

export interface QuickPoint {
  readonly title: string;
  readonly form: RestoreForm;
  /** It cannot be reached by what is known: the point is the nearest one before it. */
  readonly isNearest: boolean;
}

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** What people mostly ask for; nothing where there is nothing before it. */
export function quickPoints({ windows, gaps, newestPoint }: StoreStatus, nowMs: number): QuickPoint[] {
  if (newestPoint === null) return [];
  const wanted: readonly (readonly [string, number])[] = [
    ['5 minutes ago', nowMs - 5 * MINUTE_MS],
    ['1 hour ago', nowMs - 60 * MINUTE_MS],
    ['yesterday at this time', nowMs - DAY_MS],
  ];
  const gap = gaps.findLast(({ from }) => from !== null)?.from ?? null;
  return [
    { title: 'newest point', form: { kind: 'newest', value: '', streams: [] }, isNearest: false },
    ...wanted.flatMap(([title, ms]) => {
      const value = secondOf(ms);
      if (isWithin(windows, Date.parse(value))) return [{ title, form: atForm(value), isNearest: false }];
      const { before } = nearestInWindows(windows, ms);
      return before === null ? [] : [{ title, form: atForm(shortTime(before)), isNearest: true }];
    }),
    ...(gap === null
      ? []
      : [{ title: 'just before the last gap', form: atForm(shortTime(gap)), isNearest: false }]),
  ];
}

export function atForm(value: string): RestoreForm {
  return { kind: 'at', value, streams: [] };
}

function secondOf(ms: number): string {
  return shortTime(new Date(Math.floor(ms / 1000) * 1000).toISOString());
}

/** Where the field of the instant begins: the newest one, or now. */
export function firstInstant(status: StoreStatus | null, nowMs: number): string {
  const newest = status?.newestPoint ?? null;
  return newest === null ? secondOf(nowMs) : shortTime(newest);
}

function isWithin(windows: readonly StatusWindow[], ms: number): boolean {
  return windows.some(({ from, to }) => Date.parse(from) <= ms && ms <= Date.parse(to));
}

/** The newest backups, newest first. */
export function newestBackups({ backups }: StoreStatus, most: number): StatusBackup[] {
  return backups.slice(-most).reverse();
}

export interface Nearest {
  readonly before: RestoreForm | null;
  readonly after: RestoreForm | null;
}

type Facts = Readonly<Record<string, string | number | boolean | null>>;

/** The points next to one that cannot be reached: as the command told them, else as far as the daemon knows. */
export function nearestPoints(asked: RestoreForm, facts: Facts, status: StoreStatus | null): Nearest {
  const kind = asked.kind === 'lsn' ? 'lsn' : 'at';
  const told = (value: unknown): RestoreForm | null =>
    typeof value === 'string'
      ? { kind, value: kind === 'at' ? shortTime(value) : value, streams: asked.streams }
      : null;
  const reachable = kind === 'lsn' ? facts.reachableLsn : facts.reachableTime;
  const before = told(facts.nearestBefore ?? reachable);
  const after = told(facts.nearestAfter);
  if (before !== null || after !== null || asked.kind !== 'at' || status === null) return { before, after };
  const near = nearestInWindows(status.windows, Date.parse(asked.value));
  return { before: told(near.before), after: told(near.after) };
}

function nearestInWindows(
  windows: readonly StatusWindow[],
  ms: number,
): { before: string | null; after: string | null } {
  const latest = (a: string | null, b: string): string =>
    a !== null && Date.parse(a) >= Date.parse(b) ? a : b;
  const earliest = (a: string | null, b: string): string =>
    a !== null && Date.parse(a) <= Date.parse(b) ? a : b;
  let before: string | null = null;
  let after: string | null = null;
  for (const { from, to } of windows) {
    if (Date.parse(to) < ms) before = latest(before, to);
    else if (Date.parse(from) > ms) after = earliest(after, from);
  }
  return { before, after };
}
