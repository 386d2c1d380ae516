import { join } from 'node:path';
import type { Command } from '../measure.ts';
import { type Contender, copyInput, NEW_EVENTS, type Place, shell } from './contender.ts';

const STANZA = 'bench';
const PROCESSES = 2;

/** Copies the files of a whole server: indexes too, other databases too, and no event can be read from it. */
export const PGBACKREST: readonly Contender[] = [
  {
    ...{ name: 'pgBackRest full', work: 'full backup', role: 'peer', store: 'postgres' },
    needs: ['pgbackrest'],
    prepare: (place) => [pgbackrest(place, place.output, [...connection(place), 'stanza-create'])],
    command: (place) => backUp(place, 'full'),
  },
  incremental('pgBackRest incremental', 'baseline', { newEvents: NEW_EVENTS }),
  incremental('pgBackRest incremental, nothing new', 'peer'),
  {
    ...{ name: 'pgBackRest verify', work: 'verify', role: 'peer', store: 'postgres' },
    ...{ needs: ['pgbackrest'], input: 'pgBackRest full' },
    command: ({ input }) => verify(input),
  },
  {
    ...{ name: 'pgBackRest restore', work: 'restore', role: 'peer', store: 'postgres' },
    ...{ needs: ['pgbackrest'], input: 'pgBackRest full' },
    prepare: ({ output }) => [shell('mkdir -p "$1" && chmod 700 "$1"', [output])],
    command: (place) =>
      pgbackrest(place, place.input, [`--process-max=${PROCESSES}`, 'restore'], place.output),
  },
];

/** On a chain as ours: the full backup, and one that has what the store got in earlier runs. */
function incremental(
  name: string,
  role: Contender['role'],
  rest: Pick<Contender, 'newEvents'> = {},
): Contender {
  return {
    ...{ name, role, work: 'incremental backup', store: 'postgres', needs: ['pgbackrest'] },
    ...{ input: 'pgBackRest full', ...rest },
    prepare: (place) => [copyInput(place), backUp(place, 'incr')],
    command: (place) => backUp(place, 'incr'),
  };
}

/** No WAL is archived here: what a backup needs of it is left out of its time and size. */
function backUp(place: Place, type: 'full' | 'incr'): Command {
  return pgbackrest(place, place.output, [
    ...connection(place),
    '--no-archive-check',
    '--start-fast',
    '--compress-type=zst',
    '--compress-level=3',
    `--process-max=${PROCESSES}`,
    `--type=${type}`,
    'backup',
  ]);
}

/** Looks at the repository alone. It ends with 0 also when it found damage: whoever runs it has to read what it prints. */
function verify(repository: string): Command {
  return {
    program: 'pgbackrest',
    args: [
      ...[`--stanza=${STANZA}`, `--repo1-path=${repository}`, `--process-max=${PROCESSES}`],
      ...['--log-level-file=off', '--log-level-console=warn', 'verify'],
    ],
  };
}

function connection({ server }: Place): string[] {
  return [`--pg1-socket-path=${server.socketDir}`, `--pg1-port=${server.port}`, '--pg1-user=postgres'];
}

function pgbackrest(
  { server }: Place,
  repository: string,
  args: readonly string[],
  dataDir = server.dataDir,
): Command {
  return {
    program: 'pgbackrest',
    args: [
      `--stanza=${STANZA}`,
      `--pg1-path=${dataDir}`,
      `--repo1-path=${repository}`,
      `--lock-path=${join(server.socketDir, 'pgbackrest-lock')}`,
      '--log-level-file=off',
      '--log-level-console=warn',
      ...args,
    ],
  };
}
