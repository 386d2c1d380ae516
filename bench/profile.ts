import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Contender } from './contenders/contender.ts';
import { busySeconds, type CpuProfile, type SelfTime, selfTimes } from './cpu-profile.ts';
import { type Ground, runOnce } from './ground.ts';
import { formatTable } from './tables.ts';

const SHOWN = 15;

/** What is profiled when nothing is chosen. */
export const PROFILED: readonly string[] = ['=backup', '=verify', '=restore', '=incremental'];

/** Runs each of ours once under V8's sampling profiler, and prints where its threads spent their time. */
export async function profile(
  ground: Ground,
  chosen: readonly Contender[],
  all: readonly Contender[],
  folder: string,
): Promise<void> {
  for (const contender of chosen.filter(({ role }) => role === 'ours' || role === 'variant')) {
    const into = resolve(folder, contender.name.replaceAll(/[^\w]+/g, '-'));
    mkdirSync(into, { recursive: true });
    const known = new Set(readdirSync(into));
    // Threads take the flags of the process that starts them, and write a file of their own.
    const flags = ['--cpu-prof', `--cpu-prof-dir=${into}`];
    const { wallSeconds } = await runOnce(ground, contender, all, ({ program, args }) => ({
      program,
      args: [...flags, ...args],
    }));
    const files = readdirSync(into).filter((file) => file.endsWith('.cpuprofile') && !known.has(file));
    console.log(`\n${contender.name}: ${wallSeconds.toFixed(2)} s, profiles in ${into}`);
    for (const file of files.toSorted((a, b) => threadOf(a) - threadOf(b)))
      printProfile(into, file, wallSeconds);
  }
}

function printProfile(folder: string, file: string, wallSeconds: number): void {
  const times = selfTimes(JSON.parse(readFileSync(join(folder, file), 'utf8')) as CpuProfile);
  const busy = busySeconds(times);
  const thread = threadOf(file) === 0 ? 'main thread' : `thread ${threadOf(file)}`;
  console.log(`\n${thread}: busy for ${busy.toFixed(2)} of ${wallSeconds.toFixed(2)} s`);
  console.log(formatTable(['function', 'self s', 'of busy', 'where'], topRows(times, busy)));
}

function topRows(times: readonly SelfTime[], busy: number): string[][] {
  return times
    .filter(({ name }) => name !== '(idle)')
    .slice(0, SHOWN)
    .map(({ name, place, seconds }) => [
      name,
      seconds.toFixed(2),
      `${((seconds / busy) * 100).toFixed(1)} %`,
      place,
    ]);
}

/** `CPU.20261124.112233.4711.2.001.cpuprofile`: the fifth part counts the threads, from 0. */
function threadOf(file: string): number {
  return Number(file.split('.')[4]);
}
