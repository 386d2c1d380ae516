import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatBytes, formatDuration } from '../src/core/units.ts';
import type { Outcome } from './results.ts';
import { formatTable } from './tables.ts';

/** What to expect of stores that nobody has measured: lines through what was, of docs/benchmarks.json. */

export const CAPACITY_PAGE = join(import.meta.dirname, '../docs/operating/capacity.md');

const SIZES = [1e6, 1e7, 1e8, 1e9] as const;
/** Of the measured history, whatever its size. */
const EVENTS_PER_STREAM = 20;

/**
 * Requests to a bucket: so many whatever there is, and so many for each MB of the backup. Counted on 2026-11-30 with backups of 9.7 and 98.6 MB, by the server of
 * S3 that the tests have. Of small backups, whose files go up in one piece each, it is less: `test/bench/capacity.test.ts` looks that it is no more.
 */
export const REQUESTS = {
  backup: { fixed: 42, perMB: 0.42 },
  backupUnverified: { fixed: 30, perMB: 0.16 },
  verify: { fixed: 15, perMB: 0.26 },
  restore: { fixed: 22, perMB: 0.63 },
} as const;

type Figure = 'wallSeconds' | 'peakMiB' | 'bytes';

interface Estimate {
  readonly value: number;
  /** It was measured with as many events. */
  readonly isMeasured: boolean;
}

/**
 * A figure of a contender, at a size: as it was measured there, else on the line through the smallest and the largest that were. Of time the
 * greater of that and as many times what the nearest size took: it must not look better than it is.
 */
export function estimate(
  outcomes: readonly Outcome[],
  name: string,
  figure: Figure,
  events: number,
): Estimate {
  const points = outcomes
    .flatMap((outcome) => {
      const value = outcome.results.find((result) => result.name === name)?.summary[figure] ?? null;
      return value === null ? [] : [{ events: outcome.events, value }];
    })
    .toSorted((one, other) => one.events - other.events);
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined || first === last)
    throw new Error(`${name} was not measured at two sizes`);
  const measured = points.find((point) => point.events === events);
  if (measured !== undefined) return { value: measured.value, isMeasured: true };
  const slope = (last.value - first.value) / (last.events - first.events);
  const onLine = last.value + slope * (events - last.events);
  const nearest = events < first.events ? first : last;
  const value =
    figure === 'wallSeconds' ? Math.max(onLine, (nearest.value * events) / nearest.events) : onLine;
  return { value, isMeasured: false };
}

/** The page with what lies between its marks computed anew. */
export function fillCapacityPage(page: string, outcomes: readonly Outcome[]): string {
  const start = page.indexOf(START_MARK);
  const end = page.indexOf(END_MARK);
  if (start === -1 || end < start) throw new Error(`the page has no ${START_MARK} … ${END_MARK}`);
  return `${page.slice(0, start + START_MARK.length)}\n\n${capacityTable(outcomes)}\n\n${page.slice(end)}`;
}

const START_MARK = '<!-- computed: begin -->';
const END_MARK = '<!-- computed: end -->';

export function readCapacityPage(): string {
  return readFileSync(CAPACITY_PAGE, 'utf8');
}

function capacityTable(outcomes: readonly Outcome[]): string {
  const at = (name: string, figure: Figure, show: (value: number) => string): string[] =>
    SIZES.map((events) => {
      const { value, isMeasured } = estimate(outcomes, name, figure, events);
      return isMeasured ? show(value) : `≈ ${show(roundTo2(value))}`;
    });
  const seconds = (value: number): string => formatDuration(value * 1000);
  const memory = (value: number): string => `${Math.round(value).toLocaleString('en')} MiB`;
  const requests = SIZES.map((events) => {
    const megabytes = estimate(outcomes, BACKUP, 'bytes', events).value / 1e6;
    return `≈ ${roundTo2(REQUESTS.backup.fixed + REQUESTS.backup.perMB * megabytes).toLocaleString('en')}`;
  });
  return formatTable(
    ['', ...SIZES.map((events) => `${(events / 1e6).toLocaleString('en')}M events`)],
    [
      ['streams', ...SIZES.map((events) => (events / EVENTS_PER_STREAM).toLocaleString('en'))],
      ['full backup, verified', ...at(BACKUP, 'wallSeconds', seconds)],
      ['… its size', ...at(BACKUP, 'bytes', formatBytes)],
      ['… its memory', ...at(BACKUP, 'peakMiB', memory)],
      ['… its requests to S3', ...requests],
      ['incremental backup of 1,000 events', ...at('incremental', 'wallSeconds', seconds)],
      ['verify', ...at('verify', 'wallSeconds', seconds)],
      ['restore into PostgreSQL', ...at('restore', 'wallSeconds', seconds)],
      ['… its memory', ...at('restore', 'peakMiB', memory)],
    ],
  );
}

const BACKUP = 'backup, verified';

function roundTo2(value: number): number {
  return Number(value.toPrecision(2));
}
