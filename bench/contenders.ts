import { randomUUID } from 'node:crypto';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Command, measure } from '../test/harness/measure.ts';
import type { TestPostgres } from '../test/harness/postgres.ts';

/** What all contenders work on. */
export interface Ground {
  readonly postgres: TestPostgres;
  readonly folder: string;
  /** Name and address of the database with the events. */
  readonly source: string;
  readonly address: string;
}

export interface Contender {
  readonly name: string;
  readonly work: 'backup' | 'restore';
  /** The others of its work are compared with it. */
  readonly isBaseline: boolean;
  /** A program that must be there, or null. */
  readonly needs: string | null;
  prepare(run: number): Promise<Prepared>;
}

interface Prepared {
  readonly command: Command;
  /** What it wrote, or null where that says nothing. */
  bytes(): Promise<number | null>;
  cleanUp(): Promise<void>;
}

/** As it is published: the sources would be translated at each start, in each thread. */
const MAIN = join(import.meta.dirname, '../dist/cli/main.js');

export function contenders(ground: Ground): Contender[] {
  return [
    ours('backup, not read back', ground, ['--no-verify']),
    ours('backup, verified (default)', ground, []),
    dump('pg_dump -Fc', ground, true, ['-Fc']),
    dump('pg_dump -Fc -Z1', ground, false, ['-Fc', '-Z1']),
    ourRestore(ground),
    pgRestore('pg_restore -j2', ground, true),
  ];
}

function ours(name: string, ground: Ground, options: readonly string[]): Contender {
  return {
    name,
    work: 'backup',
    isBaseline: false,
    needs: null,
    async prepare() {
      const vault = join(ground.folder, `vault-${randomUUID()}`);
      const args = [
        MAIN,
        'backup',
        'full',
        '--store',
        ground.address,
        '--vault',
        vault,
        '--quiet',
        ...options,
      ];
      return {
        command: { program: process.execPath, args },
        bytes: () => folderBytes(vault),
        cleanUp: () => rm(vault, { recursive: true }),
      };
    },
  };
}

function dump(name: string, ground: Ground, isBaseline: boolean, options: readonly string[]): Contender {
  const program = join(ground.postgres.binDir, 'pg_dump');
  return {
    name,
    work: 'backup',
    isBaseline,
    needs: program,
    async prepare() {
      const file = join(ground.folder, `dump-${randomUUID()}`);
      return {
        command: { program, args: [...options, '-f', file, ground.address] },
        bytes: async () => (await stat(file)).size,
        cleanUp: () => rm(file),
      };
    },
  };
}

function ourRestore(ground: Ground): Contender {
  const vault = join(ground.folder, 'vault-to-restore');
  return {
    name: 'restore, verified',
    work: 'restore',
    isBaseline: false,
    needs: null,
    async prepare(run) {
      if (run === 0)
        await runOnce(process.execPath, [
          MAIN,
          'backup',
          'full',
          '--store',
          ground.address,
          '--vault',
          vault,
          '--quiet',
          '--no-verify',
        ]);
      const target = await ground.postgres.createDatabase();
      return {
        command: {
          program: process.execPath,
          args: [MAIN, 'restore', '--to', ground.postgres.address(target), '--vault', vault, '--quiet'],
        },
        bytes: async () => null,
        cleanUp: () => dropDatabase(ground, target),
      };
    },
  };
}

function pgRestore(name: string, ground: Ground, isBaseline: boolean): Contender {
  const program = join(ground.postgres.binDir, 'pg_restore');
  const file = join(ground.folder, 'dump-to-restore');
  return {
    name,
    work: 'restore',
    isBaseline,
    needs: program,
    async prepare(run) {
      if (run === 0)
        await runOnce(join(ground.postgres.binDir, 'pg_dump'), ['-Fc', '-f', file, ground.address]);
      const target = await ground.postgres.createDatabase();
      return {
        command: { program, args: ['-j2', '-d', ground.postgres.address(target), file] },
        bytes: async () => null,
        cleanUp: () => dropDatabase(ground, target),
      };
    },
  };
}

async function runOnce(program: string, args: readonly string[]): Promise<void> {
  await measure({ program, args });
}

/** Gives the disk back, and lets no checkpoint of one contender's writes fall into the next one's time. */
async function dropDatabase(ground: Ground, name: string): Promise<void> {
  await ground.postgres.exec(`DROP DATABASE "${name}"`);
  await ground.postgres.exec('CHECKPOINT');
}

async function folderBytes(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const sizes = await Promise.all(
    files.map(async (file) => (await stat(join(file.parentPath, file.name))).size),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
