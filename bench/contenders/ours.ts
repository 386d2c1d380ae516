import { join } from 'node:path';
import { type Contender, type Place, shell } from './contender.ts';

/** As it is published: the sources would be translated at each start, in each thread. */
export const MAIN = join(import.meta.dirname, '../../dist/cli/main.js');

const VERIFY_BASELINE = `
  sha256sum "$1"/backups/*/events-*.zst >/dev/null
  zstd -dcq "$1"/backups/*/events-*.zst >/dev/null`;

/** Our command against a PostgreSQL store. */
export const OURS: readonly Contender[] = [
  backup('backup', 'ours', []),
  { ...backup('backup, verified', 'ours', []), command: (place) => fullBackup(place, { verified: true }) },
  backup('backup, level 3', 'variant', ['--level', '3']),
  backup('backup, level 9', 'variant', ['--level', '9']),
  backup('backup, level max', 'variant', ['--level', 'max']),
  backup('backup, gzip', 'variant', ['--compression', 'gzip']),
  backup('backup, not compressed', 'variant', ['--compression', 'none']),
  backup('backup, jsonl', 'variant', ['--format', 'jsonl']),
  backup('backup, msgpack', 'variant', ['--format', 'msgpack']),
  {
    ...{ name: 'verify', work: 'verify', role: 'ours', store: 'postgres', needs: [], input: 'backup' },
    command: ({ input }) => eventcore(['verify', '--vault', input]),
  },
  {
    ...{ name: 'sha256sum, then zstd -d', work: 'verify', role: 'baseline', store: 'postgres' },
    ...{ needs: ['sha256sum', 'zstd'], input: 'backup' },
    command: ({ input }) => shell(VERIFY_BASELINE, [input]),
  },
  {
    ...{ name: 'restore', work: 'restore', role: 'ours', store: 'postgres', needs: [], input: 'backup' },
    target: 'postgres',
    command: ({ input, target }) => eventcore(['restore', '--to', target, '--vault', input]),
  },
];

function backup(name: string, role: Contender['role'], options: readonly string[]): Contender {
  return {
    ...{ name, work: 'full backup', role, store: 'postgres', needs: [] },
    command: (place) => fullBackup(place, { options }),
  };
}

/** Not read back, unless said: the peers do not verify either. */
export function fullBackup(
  { source, output }: Place,
  { options = [], verified = false }: { options?: readonly string[]; verified?: boolean } = {},
): ReturnType<typeof eventcore> {
  const check = verified ? [] : ['--no-verify'];
  return eventcore(['backup', 'full', '--store', source, '--vault', output, ...check, ...options]);
}

export function eventcore(args: readonly string[]) {
  return { program: process.execPath, args: [MAIN, ...args, '--quiet'] };
}
