/**
 * Measures our command against what else there is, in one run, in turns, on a PostgreSQL of its own: `npm run bench`.
 * docs/benchmarks.md says what for; `bench/contenders/` has who takes part.
 */
import { writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { type Change, compareOutcomes, namesToCompare } from './compare.ts';
import { allContenders, chooseContenders, missingProgram } from './contenders/all.ts';
import type { Contender } from './contenders/contender.ts';
import { closeGround, loadStores, openGround, requireDisk, runOnce } from './ground.ts';
import { describeMachine, machineText } from './machine.ts';
import { type Options, readOptions, USAGE } from './options.ts';
import { PROFILED, profile } from './profile.ts';
import { publish, readPublished } from './publish.ts';
import { judge, REQUIREMENTS } from './requirements.ts';
import { type Figures, type LeftOut, makeResult, type Outcome } from './results.ts';
import { sizeText } from './sizes.ts';
import { formatTable, requirementsTable, resultTables } from './tables.ts';

const options = readOptionsOrExit();
// Said now rather than after all that measuring.
const published = options.check ? publishedOutcome(options.events) : null;
const ground = await openGround();
try {
  await requireDisk(ground, options.events);
  const all = allContenders(ground.postgres.binDir);
  const { here, leftOut } = pickContenders(all);
  await loadStores(ground, here, options.events);
  if (options.profile !== null) await profile(ground, here, all, options.profile);
  else report(await measureAll(here, all, leftOut));
} finally {
  await closeGround(ground);
}

function readOptionsOrExit(): Options {
  try {
    return readOptions(process.argv.slice(2));
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    process.exit(2);
  }
}

function publishedOutcome(events: number): Outcome {
  const found = readPublished().find((outcome) => outcome.events === events);
  if (found !== undefined) return found;
  console.error(
    `nothing is published for ${sizeText(events)} events: run npm run bench with --publish first`,
  );
  process.exit(2);
}

function pickContenders(all: readonly Contender[]): { here: Contender[]; leftOut: LeftOut[] } {
  const only = options.profile !== null && options.only.length === 0 ? PROFILED : options.only;
  const wanted = published === null ? null : namesToCompare(published);
  const chosen = chooseContenders(all, only).filter(({ name }) => wanted === null || wanted.has(name));
  const leftOut: LeftOut[] = [];
  const here = chosen.filter((contender) => {
    const needs = missingProgram(contender, all);
    if (needs !== null) leaveOut(leftOut, contender, `${basename(needs)} is not installed`);
    return needs === null;
  });
  return { here, leftOut };
}

function leaveOut(leftOut: LeftOut[], { name }: Contender, why: string): void {
  leftOut.push({ name, why });
  console.log(`LEFT OUT: ${name}: ${why}`);
}

/** A B C, A B C, …: a machine that speeds up or slows down does so for all. */
async function measureAll(
  here: readonly Contender[],
  all: readonly Contender[],
  leftOut: LeftOut[],
): Promise<Outcome> {
  const figures = new Map(here.map((contender) => [contender, [] as Figures[]]));
  for (let run = 1; run <= options.runs; run += 1) {
    for (const [contender, measured] of figures) {
      try {
        measured.push(await runOnce(ground, contender, all));
      } catch (error) {
        if (contender.role !== 'peer' && contender.role !== 'baseline') throw error;
        // Another version of a peer may want other options: that must not cost all the other numbers.
        console.error(error);
        figures.delete(contender);
        leaveOut(leftOut, contender, 'it failed');
        continue;
      }
      const { wallSeconds } = measured.at(-1)!;
      console.log(`run ${run} of ${options.runs}: ${contender.name}: ${wallSeconds.toFixed(2)} s`);
    }
  }
  return {
    events: options.events,
    date: new Date().toISOString().slice(0, 10),
    machine: describeMachine(ground.postgres.binDir),
    leftOut,
    results: Array.from(figures, ([contender, measured]) => makeResult(contender, measured)),
  };
}

function report(outcome: Outcome): void {
  console.log(
    `\n${sizeText(outcome.events)} events, medians of ${options.runs}; ${machineText(outcome.machine)}`,
  );
  for (const { table } of resultTables(outcome)) console.log(`\n${table}`);
  const findings = REQUIREMENTS.map((requirement) => judge(requirement, [outcome]));
  console.log(`\n${requirementsTable(findings)}`);
  for (const { name, why } of outcome.leftOut) console.log(`LEFT OUT: ${name}: ${why}`);
  if (options.json !== null) writeFileSync(options.json, `${JSON.stringify(outcome, null, 2)}\n`);
  if (published !== null) reportChanges(compareOutcomes(published, outcome));
  if (options.publish) publish(outcome);
}

function reportChanges(changes: readonly Change[]): void {
  const worse = changes.filter(({ isWorse }) => isWorse);
  const rows = changes.map(({ name, figure, before, value, isWorse }) => [
    name,
    figure,
    before.toFixed(3),
    value.toFixed(3),
    `${((value / before - 1) * 100).toFixed(1)} %`,
    isWorse ? 'WORSE' : '',
  ]);
  console.log(`\n${formatTable(['ratio', 'of', 'published', 'now', 'change', ''], rows)}`);
  console.log(
    `\n${worse.length === 0 ? 'nothing got worse' : `${worse.length} of ${changes.length} got worse`}`,
  );
  if (worse.length > 0 || changes.length === 0) process.exitCode = 1;
}
