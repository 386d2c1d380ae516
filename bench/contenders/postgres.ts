import { join } from 'node:path';
import { type Contender, type Place, shell } from './contender.ts';

const COPY_ROWS = 'COPY eventcore_events TO STDOUT (FORMAT binary)';
const NAIVE = join(import.meta.dirname, '../programs/naive-backup.ts');

/** What PostgreSQL brings, and what one would write oneself in an afternoon. */
export function postgresPeers(binDir: string): readonly Contender[] {
  const dump = join(binDir, 'pg_dump');
  const restore = join(binDir, 'pg_restore');
  const psql = join(binDir, 'psql');
  const baseBackup = join(binDir, 'pg_basebackup');
  const verifyBackup = join(binDir, 'pg_verifybackup');
  const common = { store: 'postgres', needs: [dump] } as const;
  const pgDump = (name: string, role: Contender['role'], options: readonly string[]): Contender => ({
    ...{ ...common, name, role, work: 'full backup' },
    command: ({ source, output }) => ({ program: dump, args: [...options, '-f', output, source] }),
  });
  const pgRestore = (name: string, role: Contender['role'], jobs: number): Contender => ({
    ...{ ...common, name, role, work: 'restore', needs: [restore], input: 'pg_dump -Fc', target: 'postgres' },
    command: ({ input, target }) => ({ program: restore, args: [`-j${jobs}`, '-d', target, input] }),
  });
  return [
    pgDump('pg_dump -Fc', 'baseline', ['-Fc']),
    pgDump('pg_dump -Fc -Z1', 'peer', ['-Fc', '-Z1']),
    pgDump('pg_dump -Fd -j2', 'peer', ['-Fd', '-j2']),
    {
      ...{
        ...common,
        name: 'COPY binary | zstd -1',
        role: 'peer',
        work: 'full backup',
        needs: [psql, 'zstd'],
      },
      command: ({ source, output }) =>
        shell('"$1" -qXc "$2" "$3" | zstd -1q -o "$4"', [psql, COPY_ROWS, source, output]),
    },
    {
      ...{ ...common, name: 'cursor, JSON.stringify, gzip', role: 'peer', work: 'full backup', needs: [] },
      command: ({ source, output }: Place) => ({ program: process.execPath, args: [NAIVE, source, output] }),
    },
    {
      ...{ ...common, name: 'pg_basebackup', role: 'peer', work: 'full backup', needs: [baseBackup] },
      command: ({ server, output }: Place) => ({
        program: baseBackup,
        args: ['-h', server.socketDir, '-p', `${server.port}`, '-U', 'postgres', '-c', 'fast', '-D', output],
      }),
    },
    {
      ...{
        ...common,
        name: 'pg_verifybackup',
        role: 'peer',
        work: 'verify',
        needs: [baseBackup, verifyBackup],
      },
      input: 'pg_basebackup',
      // It leaves out the log of the server: that is read by the server's own major version of another program.
      command: ({ input }: Place) => ({ program: verifyBackup, args: ['--no-parse-wal', '--quiet', input] }),
    },
    pgRestore('pg_restore -j1', 'peer', 1),
    pgRestore('pg_restore -j2', 'baseline', 2),
  ];
}
