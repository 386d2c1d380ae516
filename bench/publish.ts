import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CAPACITY_PAGE, fillCapacityPage, readCapacityPage } from './capacity.ts';
import { machineText } from './machine.ts';
import { drawPicture } from './picture.ts';
import { judge, REQUIREMENTS } from './requirements.ts';
import type { Outcome } from './results.ts';
import { sizeText } from './sizes.ts';
import { requirementsTable, resultTables } from './tables.ts';

const DOCS = join(import.meta.dirname, '../docs');
const NUMBERS = join(DOCS, 'benchmarks.json');
export const PICTURE = join(DOCS, 'benchmarks.svg');
export const PAGE = join(DOCS, 'benchmarks.md');

/** The outcomes that are in docs/, one for each size, the smallest first. */
export function readPublished(): Outcome[] {
  const { outcomes } = JSON.parse(readFileSync(NUMBERS, 'utf8')) as { outcomes: Outcome[] };
  return outcomes;
}

/** Puts an outcome in the place of the published one of its size, and draws and writes anew what shows it. */
export function publish(outcome: Outcome): void {
  const outcomes = [...readPublished().filter(({ events }) => events !== outcome.events), outcome].sort(
    (a, b) => a.events - b.events,
  );
  writeFileSync(NUMBERS, `${JSON.stringify({ outcomes }, null, 2)}\n`);
  writeFileSync(PICTURE, drawPicture(mainOutcome(outcomes)));
  writeFileSync(PAGE, fillPage(readFileSync(PAGE, 'utf8'), outcomes));
  writeFileSync(CAPACITY_PAGE, fillCapacityPage(readCapacityPage(), outcomes));
}

/** The one that shows the most; of those the one with the most events. */
export function mainOutcome(outcomes: readonly Outcome[]): Outcome {
  return outcomes.toSorted((a, b) => b.results.length - a.results.length || b.events - a.events)[0]!;
}

/** The page with the text between its two marks replaced. */
export function fillPage(page: string, outcomes: readonly Outcome[]): string {
  const start = page.indexOf(START_MARK);
  const end = page.indexOf(END_MARK);
  if (start === -1 || end < start) throw new Error(`the page has no ${START_MARK} … ${END_MARK}`);
  return `${page.slice(0, start + START_MARK.length)}\n\n${generatedText(outcomes)}\n\n${page.slice(end)}`;
}

const START_MARK = '<!-- measured: begin -->';
const END_MARK = '<!-- measured: end -->';

function generatedText(outcomes: readonly Outcome[]): string {
  const findings = REQUIREMENTS.map((requirement) => judge(requirement, outcomes));
  const main = mainOutcome(outcomes);
  const others = outcomes.filter((outcome) => outcome !== main);
  return [
    '## What must be shown',
    requirementsTable(findings),
    ...[main, ...others.toReversed()].map(sectionOf),
  ].join('\n\n');
}

function sectionOf(outcome: Outcome): string {
  const tables = resultTables(outcome).map(({ table }) => table);
  const missing = outcome.leftOut.map(({ name, why }) => `${name} (${why})`);
  const runs = Math.max(...outcome.results.map((result) => result.runs.length));
  return [
    `## ${sizeText(outcome.events)} events`,
    `Measured on ${outcome.date}, medians of ${runs}. ${machineText(outcome.machine)}.`,
    ...(missing.length === 0 ? [] : [`Left out: ${missing.join(', ')}.`]),
    ...tables,
  ].join('\n\n');
}
