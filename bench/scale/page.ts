import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatBytes, formatDuration } from '../../src/core/units.ts';
import { machineText } from '../machine.ts';
import { formatTable } from '../tables.ts';
import type { Answers } from './answer-all.ts';
import { type Answer, mainLimit } from './answers.ts';
import { ALLOWED, type Compared, comparisonTable, isFar } from './compare.ts';
import { type Calibration, costsOf, serialSeconds } from './costs.ts';
import { DIVIDED } from './predict.ts';
import { drawScale } from './scale-picture.ts';

/** docs/operating/scale.md and its picture, of what was measured and simulated. */

const FOLDER = join(import.meta.dirname, '../../docs/operating');
const SAVED = join(FOLDER, 'scale.json');
const PAGE = join(FOLDER, 'scale.md');
export const SCALE_PICTURE = join(FOLDER, '../pictures/scale.svg');

/** What is committed. */
export interface Saved {
  readonly calibration: Calibration;
  readonly answers: Answers;
  /** Null: not compared since it was calibrated. */
  readonly compared: readonly Compared[] | null;
}

export function readSaved(): Saved {
  return JSON.parse(readFileSync(SAVED, 'utf8')) as Saved;
}

export function readScalePage(): string {
  return readFileSync(PAGE, 'utf8');
}

/** Writes the numbers, and the page and the picture that are made of them. */
export function save(saved: Saved): void {
  writeFileSync(SAVED, `${JSON.stringify(saved, rounded, 1)}\n`);
  const read = readSaved();
  writeFileSync(PAGE, fillScalePage(readScalePage(), read));
  writeFileSync(SCALE_PICTURE, drawScale(read.answers.byWorkers));
}

/** Of processors' time more than a ten-thousandth would be noise; what is less than a thousandth keeps its digits. */
function rounded(_: string, value: unknown): unknown {
  if (typeof value !== 'number' || Number.isInteger(value)) return value;
  return Math.abs(value) < 1e-3 ? Number(value.toPrecision(4)) : Number(value.toFixed(4));
}

/** The page with what lies between each pair of marks made anew. */
export function fillScalePage(page: string, saved: Saved): string {
  const parts = {
    answers: answersTable,
    limits: limitsTable,
    ranges: rangesTable,
    costs: costsTable,
    agreement,
  };
  let filled = page;
  for (const [name, make] of Object.entries(parts)) {
    const [begin, end] = [`<!-- ${name}: begin -->`, `<!-- ${name}: end -->`];
    const [start, stop] = [filled.indexOf(begin), filled.indexOf(end)];
    if (start === -1 || stop < start) throw new Error(`the page has no ${begin} … ${end}`);
    filled = `${filled.slice(0, start + begin.length)}\n\n${make(saved)}\n\n${filled.slice(stop)}`;
  }
  return filled;
}

function answersTable({ answers }: Saved): string {
  const rows = answers.asked.map((one) => [
    `${one.fleet}: ${one.work}`,
    formatDuration(one.seconds * 1000),
    mainLimit(one),
    percent(one.busy),
    thousands(one.puts),
    thousands(one.gets),
    `$${one.dollars.toFixed(2)}`,
  ]);
  const head = [
    '',
    'time',
    'waits most for',
    'workers busy',
    'write requests',
    'read requests',
    'price of a run',
  ];
  const failing = answers.failing.map(failingText).join('; ');
  const { storedBytes, dollarsMonth } = answers.asked[0]!;
  return [
    formatTable(head, rows),
    `In the vault lie ${formatBytes(storedBytes)} of it, which are $${dollarsMonth.toFixed(0)} a month.`,
    `Where each worker dies once a day: ${failing}.`,
  ].join('\n\n');
}

function failingText({ fleet, seconds, attemptsLost }: Answer): string {
  return `${fleet}, backup: ${formatDuration(seconds * 1000)}, ${attemptsLost} jobs done twice`;
}

function limitsTable({ answers }: Saved): string {
  const rows = answers.limits.map(({ fleet, work, limits }) => [
    `${fleet}: ${work}`,
    limits
      .slice(0, SHOWN_LIMITS)
      .map(({ kind, workers }) => `${kind}: ${thousands(workers)}`)
      .join('; '),
  ]);
  return formatTable(['', 'used up by so many workers at once'], rows);
}

const SHOWN_LIMITS = 4;

function rangesTable({ answers }: Saved): string {
  const fleets = [...new Set(answers.byRange.map(({ fleet }) => fleet))];
  const sizes = [...new Set(answers.byRange.map(({ rangeMiB }) => rangeMiB))];
  const rows = fleets.map((fleet) => [
    `${fleet}: backup`,
    ...sizes.map((size) => {
      const found = answers.byRange.find((one) => one.fleet === fleet && one.rangeMiB === size)!;
      return formatDuration(found.seconds * 1000);
    }),
  ]);
  return formatTable(['', ...sizes.map((size) => `${size} MiB`)], rows);
}

function costsTable({ calibration }: Saved): string {
  const micro = (seconds: number): string => (seconds * 1e6).toFixed(2);
  const rows = costsOf(calibration).flatMap(({ work, store, steps }) =>
    steps
      .filter(({ two }) => two.wall.perEvent >= LEAST_SHOWN)
      .map((step) => [
        `${work}, ${store}: ${step.name}`,
        `${(step.two.wall.fixed * 1000).toFixed(0)} ms`,
        micro(step.two.client.perEvent),
        micro(step.two.server.perEvent),
        DIVIDED.has(step.name) ? micro(serialSeconds(step)) : '–',
      ]),
  );
  const { date, machine, events, bytes, note } = calibration;
  return [
    ...(note === undefined ? [] : [note]),
    formatTable(['step', 'to begin', 'µs of the worker', 'µs of the server', 'µs of one alone'], rows),
    `For an event, measured on ${date} with stores of ${events.map(thousands).join(', ')} events on: ${machineText(machine)}. An event is ${bytes.values.toFixed(0)} bytes, ${bytes.sent.toFixed(0)} as the server sends it, ${bytes.stored.toFixed(0)} in the vault.`,
  ].join('\n\n');
}

/** Seconds of an event: less is noise of a step that has nothing to do with them. */
const LEAST_SHOWN = 0.15e-6;

function agreement({ compared }: Saved): string {
  if (compared === null)
    return 'Not compared since the last calibration: `npm run bench:scale -- --check --publish`.';
  const far = compared.filter((one) => isFar(one, 'time')).length;
  const verdict =
    far === 0
      ? `All ${compared.length} within ${ALLOWED * 100} %.`
      : `${far} of ${compared.length} are further off than ${ALLOWED * 100} %.`;
  return `${comparisonTable(compared, 'time')}\n\n${verdict}`;
}

function thousands(value: number): string {
  return Math.round(value).toLocaleString('en');
}

function percent(part: number): string {
  return `${(part * 100).toFixed(0)} %`;
}
