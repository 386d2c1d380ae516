import { availableParallelism } from 'node:os';
import { InvalidArgumentError } from 'commander';
import { formatSpan, parseSpan } from '../policy/duration.ts';
import type { Settings } from './config/config.ts';

/** Parts that are worked on at the same time. */
export const PARALLEL = { min: 1, max: 64 } as const;

/** A parser for an option that is a whole number from `min` to `max`. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^-?\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}

export const parallelOption = {
  flags: '--parallel <n>',
  description: `work on this many parts at once, ${PARALLEL.min}–${PARALLEL.max} (default: processors, at most 4)`,
  parse: wholeNumber(PARALLEL.min, PARALLEL.max),
} as const;

const MAX_DEFAULT_PARALLEL = 4;

export function chooseParallel(flag: number | undefined, settings: Settings): number {
  return flag ?? settings.backup.parallel ?? Math.min(MAX_DEFAULT_PARALLEL, availableParallelism());
}

/** What an incremental backup does when the store has not what was backed up. */
export const DIFFERENCE_ACTIONS = ['alarm', 'full'] as const;
export type DifferenceAction = (typeof DIFFERENCE_ACTIONS)[number];

/** Which server of a store is read by a backup. */
export const BACKUP_TARGETS = ['primary', 'prefer-standby', 'standby'] as const;
export type BackupTarget = (typeof BACKUP_TARGETS)[number];

/** What an archiver does while the vault cannot be written. */
export const OUTAGE_POLICIES = ['hold', 'spool', 'drop'] as const;
export type OutagePolicy = (typeof OUTAGE_POLICIES)[number];

export const FLUSH_MS = { min: 10, max: 60_000, default: 1000 } as const;
export const IDLE_MS = { min: 100, max: 3_600_000, default: 30_000 } as const;

const SIZE_UNITS: Readonly<Record<string, number>> = { B: 1, KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 };

/** Bytes of `500MB` or `20 GB`; null for any other text. */
export function parseSize(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?) ?([kKMGT]?B)$/.exec(text);
  if (match === null) return null;
  const bytes = Math.round(Number(match[1]) * SIZE_UNITS[match[2]!.toUpperCase()]!);
  return Number.isSafeInteger(bytes) ? bytes : null;
}

/** No slower: what leases and heads need must always pass. */
const MIN_RATE = 100_000;

/** Bytes per second of `50MB/s`; null for any other text, and for less than 100 kB. */
export function parseRate(text: string): number | null {
  const bytes = parseSize(text.replace(/\/s$/, ''));
  return bytes === null || bytes < MIN_RATE ? null : bytes;
}

export const rateLimitOption = {
  flags: '--rate-limit <rate>',
  description:
    'read from and write into the vault no faster than this, each for itself, all threads together: 50MB/s',
  parse: (text: string): number => {
    const rate = parseRate(text);
    if (rate !== null) return rate;
    throw new InvalidArgumentError('It must be a rate of at least 100kB/s, as 50MB/s.');
  },
} as const;

/** A parser for an option that is a size. */
export function readSize(text: string): number {
  const bytes = parseSize(text);
  if (bytes !== null) return bytes;
  throw new InvalidArgumentError('It must be a size, as 500MB or 20GB.');
}

/** A parser for an option that is a span of time, from `minMs` to `maxMs`. */
export function spanOfTime(minMs: number, maxMs: number): (text: string) => number {
  return (text) => {
    const ms = parseSpan(text, 'minutes');
    if (ms !== null && ms >= minMs && ms <= maxMs) return ms;
    throw new InvalidArgumentError(
      `It must be a span of time from ${formatSpan(minMs)} to ${formatSpan(maxMs)}, as 10s, 5m (minutes) or 1h.`,
    );
  };
}
