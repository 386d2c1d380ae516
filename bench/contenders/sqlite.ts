import { join } from 'node:path';
import { type Contender, NEW_EVENTS, shell } from './contender.ts';
import { continueChain, eventcore, fullBackup, incrementalBackup } from './ours.ts';

const VACUUM_INTO = join(import.meta.dirname, '../programs/vacuum-into.ts');

/** The same events in a SQLite store. */
export const SQLITE: readonly Contender[] = [
  {
    ...{ name: 'SQLite backup', work: 'SQLite: full backup', role: 'ours', store: 'sqlite', needs: [] },
    command: (place) => fullBackup(place),
  },
  {
    ...{ name: 'SQLite backup, verified', work: 'SQLite: full backup', role: 'ours', store: 'sqlite' },
    needs: [],
    command: (place) => fullBackup(place, { verified: true }),
  },
  {
    ...{ name: 'VACUUM INTO, then zstd -1', work: 'SQLite: full backup', role: 'baseline', store: 'sqlite' },
    needs: ['zstd'],
    command: ({ source, output }) =>
      shell('"$1" "$2" "$3" "$4.db" && zstd -1q --rm "$4.db" -o "$4"', [
        process.execPath,
        VACUUM_INTO,
        source,
        output,
      ]),
  },
  {
    ...{ name: 'sqlite3 .dump | zstd -1', work: 'SQLite: full backup', role: 'peer', store: 'sqlite' },
    needs: ['sqlite3', 'zstd'],
    command: ({ source, output }) =>
      shell('sqlite3 -readonly "$1" .dump | zstd -1q -o "$2"', [source.replace('sqlite:', ''), output]),
  },
  {
    ...{ name: 'SQLite incremental', work: 'SQLite: incremental backup', role: 'ours', store: 'sqlite' },
    ...{ needs: [], input: 'SQLite backup', newEvents: NEW_EVENTS, prepare: continueChain },
    command: (place) => incrementalBackup(place),
  },
  {
    ...{ name: 'SQLite restore', work: 'SQLite: restore', role: 'ours', store: 'sqlite', needs: [] },
    ...{ input: 'SQLite backup', target: 'sqlite' },
    command: ({ input, target }) => eventcore(['restore', '--to', target, '--vault', input]),
  },
  {
    ...{ name: 'zstd -d | sqlite3', work: 'SQLite: restore', role: 'baseline', store: 'sqlite' },
    ...{ needs: ['sqlite3', 'zstd'], input: 'sqlite3 .dump | zstd -1' },
    command: ({ input, output }) => shell('zstd -dcq "$1" | sqlite3 "$2"', [input, output]),
  },
  {
    ...{ name: 'zstd -d of the copied file', work: 'SQLite: restore', role: 'peer', store: 'sqlite' },
    ...{ needs: ['zstd'], input: 'VACUUM INTO, then zstd -1' },
    command: ({ input, output }) => ({ program: 'zstd', args: ['-dq', input, '-o', output] }),
  },
];
