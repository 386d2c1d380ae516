import { join } from 'node:path';
import { streamBytes } from '../bytes-read.ts';
import type { Command } from '../measure.ts';
import { type Contender, copyInput, NEW_EVENTS, type Place, shell } from './contender.ts';

/** As it is published: the sources would be translated at each start, in each thread. */
export const MAIN = join(import.meta.dirname, '../../dist/cli/main.js');

const VERIFY_BASELINE = `
  sha256sum "$1"/backups/*/events-*.zst >/dev/null
  zstd -dcq "$1"/backups/*/events-*.zst >/dev/null`;

/** A recipient of age whose identity was thrown away. */
const NOBODY = 'age1tldc9kwc62wv2294vdepyr5j2u9ud2qtam5eg0usu0gwrfwmpqnqwck4m5';

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
  backup('backup, sealed', 'variant', ['--recipient', NOBODY]),
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
  oneStream('one stream', 'sqlite'),
  oneStream('one stream into PostgreSQL', 'postgres'),
  incremental('incremental', { newEvents: NEW_EVENTS }),
  incremental('incremental, verified', { newEvents: NEW_EVENTS, verified: true }),
  incremental('incremental, nothing new', {}),
];

const PICK_STREAM = join(import.meta.dirname, '../programs/pick-stream.ts');
const RESTORE_STREAM = 'exec "$1" "$2" restore --to "$3" --vault "$4" --stream "$(cat "$5")" --quiet';

function oneStream(name: string, target: 'sqlite' | 'postgres'): Contender {
  return {
    ...{ name, work: 'restore of one stream', role: 'ours', store: 'postgres', needs: [], input: 'backup' },
    target,
    prepare: ({ input, output }) => [{ program: process.execPath, args: [PICK_STREAM, input, output] }],
    command: ({ input, output, target: to }) =>
      shell(RESTORE_STREAM, [process.execPath, MAIN, to, input, output]),
    bytes: streamBytes,
  };
}

function incremental(
  name: string,
  { verified = false, ...rest }: Pick<Contender, 'newEvents'> & { verified?: boolean },
): Contender {
  return {
    ...{ name, work: 'incremental backup', role: 'ours', store: 'postgres', needs: [], input: 'backup' },
    ...rest,
    prepare: continueChain,
    command: (place) => incrementalBackup(place, { verified }),
  };
}

/** A full backup, and one that has what the store got in earlier runs: what comes next has what is new alone. */
export function continueChain(place: Place): readonly Command[] {
  return [copyInput(place), incrementalBackup(place)];
}

export function incrementalBackup(
  { source, output }: Place,
  { verified = false }: { verified?: boolean } = {},
): Command {
  const check = verified ? [] : ['--no-verify'];
  return eventcore(['backup', 'incremental', '--store', source, '--vault', output, ...check]);
}

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
): Command {
  const check = verified ? [] : ['--no-verify'];
  return eventcore(['backup', 'full', '--store', source, '--vault', output, ...check, ...options]);
}

export function eventcore(args: readonly string[]): Command {
  return { program: process.execPath, args: [MAIN, ...args, '--quiet'] };
}
