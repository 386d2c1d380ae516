import type { Contender, Work } from './contenders/contender.ts';
import type { Machine } from './machine.ts';
import type { Measured } from './measure.ts';

/** What one run took, and what it wrote; null where that says nothing. */
export interface Figures extends Measured {
  readonly bytes: number | null;
}

export interface Result {
  readonly name: string;
  readonly work: Work;
  readonly role: Contender['role'];
  /** Medians of the runs; of the memory the most. */
  readonly summary: Figures;
  readonly runs: readonly Figures[];
}

/** What one `npm run bench` found, in turns and on one machine: its numbers may be compared with each other. */
export interface Outcome {
  readonly events: number;
  /** As `2026-11-24`. */
  readonly date: string;
  readonly machine: Machine;
  readonly leftOut: readonly LeftOut[];
  readonly results: readonly Result[];
}

/** What could not be measured, and why. */
export interface LeftOut {
  readonly name: string;
  readonly why: string;
}

export function makeResult({ name, work, role }: Contender, runs: readonly Figures[]): Result {
  return { name, work, role, summary: summarise(runs), runs: runs.map(rounded) };
}

function summarise(runs: readonly Figures[]): Figures {
  const of = (figure: (one: Figures) => number): number => median(runs.map(figure));
  const isWriting = runs.every(({ bytes }) => bytes !== null);
  return rounded({
    wallSeconds: of((one) => one.wallSeconds),
    clientCpuSeconds: of((one) => one.clientCpuSeconds),
    serverCpuSeconds: of((one) => one.serverCpuSeconds),
    peakMiB: Math.max(...runs.map(({ peakMiB }) => peakMiB)),
    bytes: isWriting ? of(({ bytes }) => bytes ?? 0) : null,
  });
}

function rounded({ bytes, peakMiB, ...seconds }: Figures): Figures {
  const { wallSeconds, clientCpuSeconds, serverCpuSeconds } = seconds;
  return {
    wallSeconds: round(wallSeconds, 3),
    clientCpuSeconds: round(clientCpuSeconds, 2),
    serverCpuSeconds: round(serverCpuSeconds, 2),
    peakMiB: round(peakMiB, 1),
    bytes: bytes === null ? null : Math.round(bytes),
  };
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

/** The middle one; of an even number the mean of the two in the middle. Of nothing NaN. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export function findResult(outcome: Outcome, name: string): Result | undefined {
  return outcome.results.find((result) => result.name === name);
}

/** What the others of a work are compared with. */
export function baselineOf(outcome: Outcome, work: Work): Result | undefined {
  return outcome.results.find((result) => result.work === work && result.role === 'baseline');
}
