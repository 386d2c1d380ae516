import { availableParallelism } from 'node:os';
import { InvalidArgumentError } from 'commander';
import type { Settings } from './config.ts';

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
