import { spawnSync } from 'node:child_process';
import { availableParallelism, cpus, release, totalmem, type } from 'node:os';
import { join } from 'node:path';

/** What the numbers depend on. */
export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly system: string;
  /** By program: the version that was measured, of those that are there. */
  readonly versions: Readonly<Record<string, string>>;
}

export function describeMachine(postgresBinDir: string): Machine {
  const asked: readonly (readonly [string, string, string])[] = [
    ['PostgreSQL', join(postgresBinDir, 'postgres'), '--version'],
    ['zstd', 'zstd', '--version'],
    ['pgBackRest', 'pgbackrest', 'version'],
  ];
  const found = asked.flatMap(([name, program, argument]) => {
    const version = readVersion(program, argument);
    return version === null ? [] : [[name, version] as const];
  });
  return {
    processor: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release().replace(/^(\d+\.\d+).*/, '$1')}`,
    versions: {
      Node: process.versions.node,
      SQLite: process.versions.sqlite ?? 'unknown',
      ...Object.fromEntries(found),
    },
  };
}

function readVersion(program: string, argument: string): string | null {
  const { stdout, status } = spawnSync(program, [argument], { encoding: 'utf8' });
  return status === 0 ? (/\d+(?:\.\d+)+/.exec(stdout)?.[0] ?? null) : null;
}

export function machineText({ processor, cores, memoryGiB, system, versions }: Machine): string {
  const programs = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return `${processor}, ${cores} cores, ${memoryGiB} GiB, ${system}; ${programs.join(', ')}`;
}
