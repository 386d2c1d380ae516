import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { CodeBlock } from '../../scripts/site/markdown.ts';
import { FIXTURES, type Fixture, type FixtureRoom, type Place, type Prepared } from './fixtures.ts';
import { isRun } from './not-run.ts';
import { PAGES, ROOT } from './pages.ts';
import { openShells, type Shell, type Shells } from './shell.ts';
import { findStandIns, isShown, readSteps, type Step } from './transcript.ts';

/** What one step of a page shows, and what was seen. */
export interface Ran {
  readonly block: CodeBlock;
  readonly steps: readonly Step[];
  /** One for each step, in the words of the page. */
  readonly seen: readonly string[];
}

export interface Program {
  /** What runs for `eventcore`: the sources, unless a test has installed the package. */
  readonly main?: string;
}

const SHELLS = ['console', 'sh'];
/** Pages that need one of these are left out where it is not there. */
const PROGRAMS = ['curl'];
/** What would configure the command, or make it look different. */
const UNSET = /^(EVENTCORE_|AWS_|PG|NO_COLOR|FORCE_COLOR|NODE_OPTIONS)/;
/** How a page shows the folder that it runs in. */
const FOLDER_SHOWN = '/data';

/** Run with the package that `test/package.int.test.ts` has installed. */
export const QUICK_START = 'docs/quick-start.md';

/** Whether anything of the page runs in a shell. */
export function isRunPage(path: string): boolean {
  return PAGES.get(path)!.blocks.some((block) => SHELLS.includes(block.language) && isRun(path, block));
}

/** Runs all blocks of a page, in order, in one folder that is empty at first. */
export async function runPage(path: string, room: FixtureRoom, program: Program = {}): Promise<Ran[]> {
  const text = readFileSync(join(ROOT, path), 'utf8');
  const home = realpathSync(mkdtempSync(join(tmpdir(), 'eventcore-page-')));
  const folder = join(home, 'data');
  mkdirSync(folder);
  const prepared = await room.prepare(readFixtures(path, text).fixtures, folder, text);
  const main = program.main ?? join(ROOT, 'src/cli/main.ts');
  const shells = openShells(folder, environment(home, prepared));
  try {
    writeShim(home, main);
    const world = { folder, shells, runSql: prepared.runSql, places: [...prepared.places] };
    const ran: Ran[] = [];
    for (const block of PAGES.get(path)!.blocks.filter((one) => one.isFenced && isRun(path, one))) {
      ran.push(...(await runBlock(block, world)));
    }
    return ran;
  } finally {
    shells.end();
    await prepared.end();
    rmSync(home, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** What the page says that it runs with: what is made for it, and programs that the machine may have or not. */
export function readFixtures(path: string, text: string): { fixtures: Fixture[]; programs: string[] } {
  const asked = /<!-- runs with: ([^>]*?) -->/.exec(text)?.[1]?.split(/,\s*/) ?? [];
  const fixtures = FIXTURES.filter((known) => asked.includes(known));
  const programs = PROGRAMS.filter((known) => asked.includes(known));
  if (fixtures.length + programs.length === asked.length) return { fixtures, programs };
  const known = [...FIXTURES, ...PROGRAMS].join(', ');
  throw new Error(`${path} runs with ${asked.join(', ')}: known are ${known}, each once`);
}

/** A program that the page runs with and this machine does not have; null when all are there. */
export function lackedBy(path: string): string | null {
  const { programs } = readFixtures(path, readFileSync(join(ROOT, path), 'utf8'));
  const folders = (process.env.PATH ?? '').split(':');
  return programs.find((name) => !folders.some((folder) => existsSync(join(folder, name)))) ?? null;
}

/** Of steps that printed something else, what was to be seen and what was. */
export function describeDifferences(path: string, ran: readonly Ran[]): string[] {
  return ran.flatMap(({ block, steps, seen }) =>
    steps.flatMap(({ command, output }, at) =>
      isShown(output, seen[at]!)
        ? []
        : [`${path}:${block.line}: $ ${command}\n--- shown\n${output}\n--- seen\n${seen[at]}`],
    ),
  );
}

interface World {
  readonly folder: string;
  readonly shells: Shells;
  readonly runSql: Prepared['runSql'];
  /** Grows by what steps print, and later ones name: ids, times, keys. */
  readonly places: Place[];
}

async function runBlock(block: CodeBlock, world: World): Promise<Ran[]> {
  const file = nameOfFile(block);
  if (file !== null) {
    mkdirSync(dirname(join(world.folder, file)), { recursive: true });
    writeFileSync(join(world.folder, file), toReal(block.text, world.places));
    return [];
  }
  if (block.language === 'sql') {
    if (world.runSql === null) throw new Error(`SQL in line ${block.line}, and no \`runs with: postgres\``);
    await world.runSql(block.text);
    return [];
  }
  const shell = world.shells.open();
  try {
    if (block.language === 'sh') return [await runAll(block, shell, world)];
    if (block.language === 'console') return [await runSteps(block, shell, world)];
    return [];
  } finally {
    shell.end();
  }
}

/** Each step by itself: what it prints may be named by those after it. */
async function runSteps(block: CodeBlock, shell: Shell, { folder, places }: World): Promise<Ran> {
  const steps = readSteps(block.text);
  const seen: string[] = [];
  for (const { command, output } of steps) {
    const printed = toShown(await shell.run(toReal(command, places)), folder, places);
    seen.push(printed);
    if (isShown(output, printed)) places.push(...findStandIns(output, printed));
  }
  return { block, steps, seen };
}

async function runAll(block: CodeBlock, shell: Shell, { folder, places }: World): Promise<Ran> {
  const printed = await shell.run(`set -e\n${toReal(block.text, places)}\necho done`);
  const isDone = printed.endsWith('done\n');
  const steps = [{ command: block.text, output: isDone ? '…' : 'done' }];
  return { block, steps, seen: [toShown(printed, folder, places)] };
}

/** A block that begins with a comment that is a path is the content of that file: `# eventcore.config.yaml`. */
export function nameOfFile({ text }: CodeBlock): string | null {
  return /^(?:#|\/\/|--) ([\w-]+(?:[./][\w-]+)*\.\w+)\n/.exec(text)?.[1] ?? null;
}

function environment(home: string, prepared: Prepared): Record<string, string | undefined> {
  const inherited = Object.entries(process.env).filter(([name]) => !UNSET.test(name));
  const path = [join(home, 'bin'), dirname(process.execPath), process.env.PATH].join(':');
  const own = { PATH: path, HOME: home, LC_ALL: 'C.UTF-8', TZ: 'UTC' };
  return { ...Object.fromEntries(inherited), ...own, ...prepared.env };
}

function writeShim(home: string, main: string): void {
  mkdirSync(join(home, 'bin'));
  const shim = `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`;
  writeFileSync(join(home, 'bin/eventcore'), shim, { mode: 0o755 });
}

/** Longer names first: a short id is the beginning of a long one. */
function toReal(text: string, places: readonly Place[]): string {
  return [...places]
    .sort((one, other) => other.shown.length - one.shown.length)
    .reduce((changed, { shown, real }) => changed.replaceAll(shown, real), text);
}

function toShown(text: string, folder: string, places: readonly Place[]): string {
  return [...places]
    .sort((one, other) => other.real.length - one.real.length)
    .reduce(
      (changed, { shown, real }) => changed.replaceAll(real, shown),
      text.replaceAll(folder, FOLDER_SHOWN),
    );
}
