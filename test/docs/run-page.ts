import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { CodeBlock } from '../../scripts/site/markdown.ts';
import { FIXTURES, type Fixture, type FixtureRoom, type Place, type Prepared } from './fixtures.ts';
import { isRun } from './not-run.ts';
import { PAGES, ROOT } from './pages.ts';
import { isShown, readSteps, type Step } from './transcript.ts';

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

const BLOCK_TIMEOUT_MS = 120_000;
const SHELLS = ['console', 'sh'];
/** What would configure the command, or make it look different. */
const UNSET = /^(EVENTCORE_|AWS_|PG|NO_COLOR|FORCE_COLOR|NODE_OPTIONS)/;
/** How a page shows the folder that it runs in. */
const FOLDER_SHOWN = '/data';

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
  const prepared = await room.prepare(readFixtures(path, text), folder, text);
  const shells: number[] = [];
  try {
    const world = { home, folder, prepared, shells, main: program.main ?? join(ROOT, 'src/cli/main.ts') };
    writeShim(world);
    const ran: Ran[] = [];
    for (const block of PAGES.get(path)!.blocks.filter((one) => one.isFenced && isRun(path, one))) {
      ran.push(...(await runBlock(block, world)));
    }
    return ran;
  } finally {
    for (const pid of shells) endGroup(pid);
    await prepared.end();
    rmSync(home, { recursive: true, force: true, maxRetries: 5 });
  }
}

export function readFixtures(path: string, text: string): Fixture[] {
  const asked = /<!-- runs with: ([^>]*?) -->/.exec(text)?.[1]?.split(/,\s*/) ?? [];
  return asked.map((name) => {
    const fixture = FIXTURES.find((known) => known === name);
    if (fixture === undefined) throw new Error(`${path} runs with ${name}: known are ${FIXTURES.join(', ')}`);
    return fixture;
  });
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
  readonly home: string;
  readonly folder: string;
  readonly prepared: Prepared;
  readonly main: string;
  /** Of the shells that were started: each leads a group of processes. */
  readonly shells: number[];
}

async function runBlock(block: CodeBlock, world: World): Promise<Ran[]> {
  const { prepared } = world;
  const file = nameOfFile(block);
  if (file !== null) {
    mkdirSync(dirname(join(world.folder, file)), { recursive: true });
    writeFileSync(join(world.folder, file), toReal(block.text, prepared.places));
    return [];
  }
  if (block.language === 'sql') {
    if (prepared.runSql === null)
      throw new Error(`SQL in line ${block.line}, and no \`runs with: postgres\``);
    await prepared.runSql(block.text);
    return [];
  }
  if (block.language === 'sh') {
    const [seen] = await runShell([`set -e\n${block.text}\necho done`], world);
    const isDone = seen!.endsWith('done\n');
    return [{ block, steps: [{ command: block.text, output: isDone ? '…' : 'done' }], seen: [seen!] }];
  }
  if (block.language !== 'console') return [];
  const steps = readSteps(block.text);
  const commands = steps.map(({ command }) => command);
  return [{ block, steps, seen: await runShell(commands, world) }];
}

/** A block that begins with a comment that is a path is the content of that file: `# eventcore.config.yaml`. */
export function nameOfFile({ text }: CodeBlock): string | null {
  return /^(?:#|\/\/|--) ([\w-]+(?:[./][\w-]+)*\.\w+)\n/.exec(text)?.[1] ?? null;
}

/** Runs commands in one shell, so that `cd` and variables hold until the end of their block, and gives what each printed. */
async function runShell(commands: readonly string[], world: World): Promise<string[]> {
  const { home, folder, prepared } = world;
  const out = mkdtempSync(join(home, 'out-'));
  const script = commands
    .map(
      (command, at) =>
        `{ ${toReal(command, prepared.places)}\n} >'${join(out, String(at))}' 2>&1 </dev/null\n`,
    )
    .join('');
  const child = spawn('bash', ['-c', script], {
    ...{ cwd: folder, env: environment(world), detached: true, stdio: 'ignore' },
  });
  world.shells.push(child.pid!);
  const timer = setTimeout(() => endGroup(child.pid!), BLOCK_TIMEOUT_MS);
  await new Promise<void>((resolve, reject) => child.once('exit', () => resolve()).once('error', reject));
  clearTimeout(timer);
  return commands.map((_, at) => toShown(readSeen(join(out, String(at))), folder, prepared.places));
}

function readSeen(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '(it was not run: what stands before it did not end, or is no command that a shell understands)';
  }
}

function environment({ home, prepared }: World): Record<string, string | undefined> {
  const inherited = Object.entries(process.env).filter(([name]) => !UNSET.test(name));
  const path = [join(home, 'bin'), dirname(process.execPath), process.env.PATH].join(':');
  const own = { PATH: path, HOME: home, LC_ALL: 'C.UTF-8', TZ: 'UTC' };
  return { ...Object.fromEntries(inherited), ...own, ...prepared.env };
}

function writeShim({ home, main }: World): void {
  mkdirSync(join(home, 'bin'));
  const shim = `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`;
  writeFileSync(join(home, 'bin/eventcore'), shim, { mode: 0o755 });
}

function toReal(text: string, places: readonly Place[]): string {
  return places.reduce((changed, { shown, real }) => changed.replaceAll(shown, real), text);
}

function toShown(text: string, folder: string, places: readonly Place[]): string {
  const put = text.replaceAll(folder, FOLDER_SHOWN);
  return places.reduce((changed, { shown, real }) => changed.replaceAll(real, shown), put);
}

function endGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // All of it has ended.
  }
}
