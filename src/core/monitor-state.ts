import type { Alert } from './alert.ts';

/**
 * What a monitor carries from run to run, and what stands in its reports. Nothing here names a stream or shows a payload: reports lie in
 * vaults that may be sealed for others.
 */

/** What is open: one for each check and place. */
export interface OpenAlert extends AlertPlace, AlertSize {
  readonly severity: Alert['severity'];
  /** RFC 3339: when it was found first. */
  readonly since: string;
  /** Which round of the sweep saw it last; 0 where nothing was ever swept. */
  readonly seenRound: number;
  readonly told: Told;
}

export interface AlertPlace {
  /** Name of the check that found it. */
  readonly check: string;
  /** `block 17`, `bucket 3`, `object` and a digest of its name, `store`, or `elsewhere`: at more places than are told one by one. */
  readonly place: string;
}

export interface AlertSize {
  readonly findings: number;
  readonly events: number;
}

/** What the last notice of an open alert said. */
export interface Told {
  /** RFC 3339. */
  readonly at: string;
  readonly severity: Alert['severity'];
  /** Of the size: each class is ten times as much as the one before. */
  readonly sizeClass: number;
  /** Names of those who were told that it began: they are told of its end. Left out by earlier programs, which told all. */
  readonly to?: readonly string[];
}

/** What some notifiers have still to be told. */
export interface OwedNotice extends AlertPlace, AlertSize {
  /** The alert's: it stays the same however often it is sent. */
  readonly id: string;
  readonly state: Alert['state'];
  readonly severity: Alert['severity'];
  readonly since: string;
  readonly at: string;
  /** Names of notifiers. */
  readonly to: readonly string[];
}

/** How many runs in a row something could not be looked at. */
export interface BlindCount {
  /** `store`, `vault`, `comparison`, `replication`, or `check` and its name. */
  readonly cause: string;
  readonly times: number;
}

export function alertKey({ check, place }: AlertPlace): string {
  return `${check}@${place}`;
}
