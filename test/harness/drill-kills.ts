import assert from 'node:assert/strict';
import { chmodSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { awaitCommand, digestAt, startCommand } from './command.ts';
import { type DrillWorld, drilledBy, makeDrillWorld } from './drill-world.ts';
import type { TestPostgres } from './postgres.ts';

/** Where drills are killed, and what each of them is to be held against. */
export interface DrillGround {
  readonly world: DrillWorld;
  readonly server: TestPostgres;
  readonly digest: string;
  readonly vault: readonly string[];
  /** Tests to run; none: all. */
  readonly only: readonly string[];
  /** How long a drill takes that nobody kills, by target. */
  readonly durations: Map<string, number>;
  killed: number;
  readonly remove: () => void;
}

export type KilledTarget = 'files' | 'databases' | 'server';

export async function prepareDrillGround(
  server: TestPostgres,
  only: readonly string[] = [],
): Promise<DrillGround> {
  const world = await makeDrillWorld();
  // The server of a drill may run as another user.
  chmodSync(world.path, 0o755);
  return {
    ...{ world, server, digest: await digestAt(world.store), vault: backupsOf(world) },
    ...{ only, durations: new Map(), killed: 0, remove: world.remove },
  };
}

function backupsOf({ path }: DrillWorld): string[] {
  return globSync('vault/{backups,log}/**', { cwd: path }).sort();
}

function wordsFor({ world, server, only }: DrillGround, target: KilledTarget): string[] {
  const place = {
    files: `sqlite:${world.path}`,
    databases: server.address('postgres'),
    server: 'postgres',
  }[target];
  return [
    'drill',
    '--json',
    '--config',
    world.config,
    '--target',
    place,
    ...only.flatMap((name) => ['--only', name]),
  ];
}

/** How long a drill may take that was not timed yet. */
const FIRST_GUESS_MS = 2500;

/** The programs that the test server runs with; folders of drills in a place of their own. */
function envOf({ world, server }: DrillGround): Record<string, string> {
  return { PG_BIN: server.binDir, TMPDIR: world.path };
}

/**
 * Starts a drill, kills it at a random moment, with all that it started still running, and lets another one run to its end: nothing is
 * left then, no file, database or process, and store and vault are what they were.
 */
export async function killOneDrill(
  ground: DrillGround,
  target: KilledTarget,
): Promise<'killed' | 'finished'> {
  const { world, digest, vault, durations } = ground;
  const usualMs = durations.get(target) ?? FIRST_GUESS_MS;
  const child = startCommand(world.path, wordsFor(ground, target), { env: envOf(ground) });
  child.stdout!.resume();
  child.stderr!.resume();
  const gone = new Promise<string | null>((resolve) => child.once('exit', (_, signal) => resolve(signal)));
  await sleep(Math.random() * usualMs);
  child.kill('SIGKILL');
  const outcome = (await gone) === 'SIGKILL' ? 'killed' : 'finished';
  if (outcome === 'killed') ground.killed += 1;
  const startedMs = performance.now();
  await expectPass(ground, target);
  durations.set(target, performance.now() - startedMs);
  await assertNothingLeft(ground);
  assert.equal(await digestAt(world.store), digest);
  assert.deepEqual(backupsOf(world), vault);
  return outcome;
}

async function expectPass(ground: DrillGround, target: KilledTarget): Promise<void> {
  const child = startCommand(ground.world.path, wordsFor(ground, target), { env: envOf(ground) });
  const drilled = drilledBy(await awaitCommand(child));
  assert.equal(drilled.code, 0, JSON.stringify(drilled.reasons));
}

async function assertNothingLeft({ world, server }: DrillGround): Promise<void> {
  assert.deepEqual(globSync('{*drill-*{,/*},vault/drills/scratch/**}', { cwd: world.path }), []);
  const databases = await server.exec(`SELECT datname FROM pg_database WHERE datname LIKE '%drill%'`);
  assert.deepEqual(databases, []);
  assert.deepEqual(serversIn(world.path), []);
}

/** Processes that were started with a folder of a drill below this one. */
function serversIn(folder: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => `${pid} ${commandLineOf(pid)}`)
    .filter((line) => line.includes(`${folder}/eventcore-drill`));
}

/** Empty for one that has ended meanwhile. */
function commandLineOf(pid: string): string {
  try {
    return readFileSync(join('/proc', pid, 'cmdline'), 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}
