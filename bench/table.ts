import Table from 'cli-table3';
import { type Measured, median } from '../test/harness/measure.ts';
import type { Contender } from './contenders.ts';

export interface Result {
  readonly contender: Contender;
  readonly measured: readonly Measured[];
  readonly bytes: number | null;
}

/** Prints medians, and each one's ratio to the baseline of its work. */
export function printTable(results: readonly Result[], events: number): void {
  for (const work of ['backup', 'restore'] as const) {
    const group = results.filter((result) => result.contender.work === work);
    const baseline = group.find((result) => result.contender.isBaseline);
    const table = new Table({
      head: [work, 'wall s', 'of baseline', 'CPU s', 'peak MiB', 'MB', 'of baseline', 'events/s'],
      colAligns: ['left', ...Array<'right'>(7).fill('right')],
      style: { head: [], border: [] },
    });
    for (const result of group) table.push(row(result, baseline, events));
    console.log(table.toString());
  }
}

function row(result: Result, baseline: Result | undefined, events: number): string[] {
  const wall = wallOf(result);
  const { bytes } = result;
  return [
    result.contender.name,
    wall.toFixed(2),
    baseline === undefined ? '–' : (wall / wallOf(baseline)).toFixed(3),
    median(result.measured.map((one) => one.cpuSeconds)).toFixed(1),
    Math.max(...result.measured.map((one) => one.peakMiB)).toFixed(0),
    bytes === null ? '–' : (bytes / 1e6).toFixed(1),
    bytes === null || typeof baseline?.bytes !== 'number' ? '–' : (bytes / baseline.bytes).toFixed(3),
    Math.round(events / wall).toLocaleString('en'),
  ];
}

function wallOf(result: Result): number {
  return median(result.measured.map((one) => one.wallSeconds));
}
