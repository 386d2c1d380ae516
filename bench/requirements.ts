import { findResult, type Outcome, type Result } from './results.ts';

/** Something that the benchmark must show. */
export interface Requirement {
  readonly row: string;
  readonly figure: 'wallSeconds' | 'bytes' | 'peakMiB' | 'eventsPerSecond';
  /** The contender that it is about; of several the largest figure. */
  readonly of: readonly string[];
  /** The contender that it is divided by; null when it stands for itself. */
  readonly by: string | null;
  /** Null where nothing is asked for: the row tells. */
  readonly must: number | null;
  readonly aim: number | null;
  /** The one number of events that it is about, where it asks for another figure at another; else any. */
  readonly at?: number;
}

const BYTES_AIM_TIME = 0.36;

/** At most, for all but events a second. */
export const REQUIREMENTS: readonly Requirement[] = [
  time('full backup vs `pg_dump -Fc`', 'backup', 'pg_dump -Fc', 0.28, 0.2),
  time('… vs `pg_dump -Fc -Z1`', 'backup', 'pg_dump -Fc -Z1', 0.6, 0.48),
  time('… vs `COPY binary | zstd -1`', 'backup', 'COPY binary | zstd -1', 0.9, 0.72),
  time('… vs pgBackRest full (zst-3, 2 processes)', 'backup', 'pgBackRest full', 0.8, 0.55),
  time('… read back and verified, vs `pg_dump -Fc`', 'backup, verified', 'pg_dump -Fc', null, null),
  size('bytes of a full backup vs `pg_dump -Fc`', 'backup', 0.8, 0.6),
  time(`… its time, for the aim at most ${BYTES_AIM_TIME}`, 'backup', 'pg_dump -Fc', null, BYTES_AIM_TIME),
  size('bytes, `--level max`', 'backup, level max', 0.6, 0.52),
  time('full backup, sealed vs not sealed', 'backup, sealed', 'backup', 1.1, null),
  time('restore, verified, vs `pg_restore -j2`', 'restore', 'pg_restore -j2', 0.85, 0.7),
  time('verify vs `sha256sum` + `zstd -d`', 'verify', 'sha256sum, then zstd -d', 1.5, 1.1),
  {
    ...{
      row: 'peak memory in MiB: backup, verify, restore',
      figure: 'peakMiB',
      by: null,
      must: 300,
      aim: 200,
    },
    of: ['backup', 'backup, verified', 'verify', 'restore'],
  },
  {
    ...{ row: 'one stream of 1M events into a new SQLite store, seconds', figure: 'wallSeconds', by: null },
    ...{ of: ['one stream'], must: 1, aim: null, at: 1_000_000 },
  },
  {
    ...{ row: '… into PostgreSQL', figure: 'wallSeconds', of: ['one stream into PostgreSQL'], by: null },
    ...{ must: null, aim: 1, at: 1_000_000 },
  },
  {
    ...{ row: '… bytes read vs the full backup', figure: 'bytes', of: ['one stream'], by: 'backup' },
    ...{ must: 0.02, aim: null, at: 1_000_000 },
  },
  {
    ...time('incremental of 1,000 new events vs full, at 1M', 'incremental', 'backup', 0.25, null),
    at: 1_000_000,
  },
  { ...time('… at 10M', 'incremental', 'backup', 0.1, null), at: 10_000_000 },
  {
    ...{ row: '… its bytes vs full, at 1M', figure: 'bytes', of: ['incremental'], by: 'backup' },
    ...{ must: 0.01, aim: null, at: 1_000_000 },
  },
  time('… vs pgBackRest incremental', 'incremental', 'pgBackRest incremental', 1, null),
  {
    ...{ row: '… peak memory in MiB', figure: 'peakMiB', of: ['incremental', 'incremental, verified'] },
    ...{ by: null, must: 300, aim: 200 },
  },
  {
    ...{ row: 'events a second, full backup', figure: 'eventsPerSecond', of: ['backup'], by: null },
    ...{ must: 250_000, aim: 400_000 },
  },
  time(
    'SQLite: full backup vs `VACUUM INTO` + `zstd -1`',
    'SQLite backup',
    'VACUUM INTO, then zstd -1',
    1.2,
    0.9,
  ),
  {
    ...time(
      'SQLite: incremental of 1,000 new events vs full, at 1M',
      'SQLite incremental',
      'SQLite backup',
      0.25,
      null,
    ),
    at: 1_000_000,
  },
];

function time(row: string, of: string, by: string, must: number | null, aim: number | null): Requirement {
  return { row, figure: 'wallSeconds', of: [of], by, must, aim };
}

function size(row: string, of: string, must: number, aim: number): Requirement {
  return { row, figure: 'bytes', of: [of], by: 'pg_dump -Fc', must, aim };
}

export type Verdict = 'aim reached' | 'reached' | 'not reached' | 'not measured' | '';

export interface Finding {
  readonly requirement: Requirement;
  /** The size at which it was measured; null when it was not. */
  readonly events: number | null;
  readonly value: number | null;
  readonly verdict: Verdict;
}

/** Judges a requirement by the largest size at which all that it needs was measured, or by the one size that it is about. */
export function judge(requirement: Requirement, outcomes: readonly Outcome[]): Finding {
  for (const outcome of outcomes.toSorted((a, b) => b.events - a.events)) {
    const { at = outcome.events } = requirement;
    const value = at === outcome.events ? measuredValue(requirement, outcome) : null;
    if (value === null) continue;
    return { requirement, events: outcome.events, value, verdict: verdictOn(requirement, value) };
  }
  return { requirement, events: null, value: null, verdict: 'not measured' };
}

/** The ratio, or the figure itself where there is nothing to divide by; null when it was not measured. */
export function measuredValue({ figure, of, by }: Requirement, outcome: Outcome): number | null {
  const results = of.map((name) => findResult(outcome, name));
  const divisor = by === null ? undefined : findResult(outcome, by);
  if (by !== null && divisor === undefined) return null;
  const values = results.map((result) => (result === undefined ? null : figureOf(result, figure, outcome)));
  const below = divisor === undefined ? 1 : figureOf(divisor, figure, outcome);
  const known = values.filter((value) => value !== null);
  if (known.length < values.length || below === null) return null;
  return Math.max(...known) / below;
}

function figureOf({ summary }: Result, figure: Requirement['figure'], { events }: Outcome): number | null {
  return figure === 'eventsPerSecond' ? events / summary.wallSeconds : summary[figure];
}

function verdictOn({ figure, must, aim }: Requirement, value: number): Verdict {
  const isWithin = (limit: number): boolean =>
    figure === 'eventsPerSecond' ? value >= limit : value <= limit;
  if (aim !== null && isWithin(aim)) return 'aim reached';
  if (must === null) return '';
  return isWithin(must) ? 'reached' : 'not reached';
}
