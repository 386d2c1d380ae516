import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { isBackupError } from '../../core/errors.ts';
import { formatDuration, plural, printable } from '../../core/units.ts';
import { resolveStoreAddress } from '../address.ts';
import { wholeNumber } from '../arguments.ts';
import type { CommandContext, Start } from '../context.ts';
import { readGitHistory } from '../demo/git-history.ts';
import { makeUpHistory } from '../demo/made-up-history.ts';
import { setStage } from '../demo/story.ts';
import { type History, tellStory } from '../demo/telling.ts';
import { helpEnd } from '../exit-codes.ts';
import { renderPairs } from '../render/table.ts';

interface DemoFlags {
  readonly git?: string;
  readonly events: number;
  readonly keep?: true;
  readonly dir?: string;
  readonly fill?: string;
}

const DEFAULT_EVENTS = 10_000;
const MAX_EVENTS = 200_000;

export function addDemoCommand(program: Command, start: Start): void {
  program
    .command('demo')
    .description('show the whole story on a store of its own, in a temporary folder')
    .option('--git <folder>', 'fill the store from this repository (default: the one of this folder, if any)')
    .option(
      '--events <n>',
      'take at most so many of the newest events',
      wholeNumber(1, MAX_EVENTS),
      DEFAULT_EVENTS,
    )
    .option('--keep', 'do not remove the folder at the end')
    .option('--dir <folder>', "make the temporary folder in this one (default: the system's)")
    .addOption(
      new Option(
        '--fill <store>',
        'tell no story: append events of a made-up shop to this store, made where it is not there, to try things out on',
      ).conflicts(['git', 'keep', 'dir']),
    )
    .addHelpText(
      'after',
      helpEnd(
        [
          'eventcore demo',
          'eventcore demo --git ~/src/linux --events 200000',
          'eventcore demo --keep',
          'eventcore demo --fill sqlite:./shop.db',
        ],
        [0, 1, 2, 4, 5, 130],
      ),
    )
    .action((flags: DemoFlags) => {
      const { fill } = flags;
      if (fill !== undefined)
        return start((context) => fillToTry(context, fill, flags.events), FILLED_SO_FAR);
      const place: Place = { folder: null };
      return start(
        (context) => demo(context, flags, place),
        async () => leftBehind(place, flags),
      );
    });
}

interface Place {
  folder: string | null;
}

function leftBehind({ folder }: Place, { keep }: DemoFlags): string {
  if (folder === null) return 'nothing was changed';
  return keep ? `${folder} is left behind, as --keep asked` : `${folder} was removed`;
}

async function demo(context: CommandContext, flags: DemoFlags, place: Place): Promise<number> {
  const { output, signal, software } = context;
  const history = await findHistory(context, flags);
  const parent = resolve(flags.dir ?? tmpdir());
  await mkdir(parent, { recursive: true });
  const folder = await mkdtemp(join(parent, 'eventcore-demo-'));
  place.folder = folder;
  try {
    const { paint } = output;
    output.account([`${paint('strong', 'EventCore Backup')}, shown in ${printable(folder)}`]);
    const result = await tellStory(context, setStage(folder, software, signal), history);
    output.document({ ...result, folder: flags.keep ? folder : null });
    output.account(['', `All of it took ${formatDuration(result.durationMs)}.`]);
  } finally {
    if (!flags.keep) await rm(folder, { recursive: true, force: true });
  }
  output.account(farewell(folder, flags.keep === true, output.paint));
  return 0;
}

const FILLED_SO_FAR = 'what was appended so far stays; the same command goes on';

async function fillToTry(
  { output, signal, cwd }: CommandContext,
  address: string,
  events: number,
): Promise<number> {
  const { fillStore } = await import('../demo/fill.ts');
  const filled = await fillStore(resolveStoreAddress(address, cwd), events, signal);
  output.document(filled);
  output.account([
    `${output.paint('good', 'Filled')} ${printable(filled.address)}`,
    ...renderPairs([
      ['added', `${plural(filled.added, 'event')} of a made-up shop`],
      ['holds', `${plural(filled.events, 'event')} in ${plural(filled.streams, 'stream')}`],
    ]),
  ]);
  return 0;
}

/** A repository that is named must have a history; one that is merely here may lack it. */
async function findHistory({ signal, cwd, log }: CommandContext, flags: DemoFlags): Promise<History> {
  const folder = resolve(cwd, flags.git ?? '.');
  try {
    const transactions = await readGitHistory(folder, flags.events, signal);
    return {
      source: `the git history of ${folder}: a commit is a transaction, a path is a stream`,
      transactions,
    };
  } catch (error) {
    if (!isBackupError(error, 'usage') || flags.git !== undefined) throw error;
    log.info(error.message);
    return { source: 'the history of a made-up shop', transactions: makeUpHistory(flags.events) };
  }
}

function farewell(folder: string, keep: boolean, paint: CommandContext['output']['paint']): string[] {
  return [
    keep ? `Everything is in ${printable(folder)}.` : 'The folder is removed; --keep would have left it.',
    'With a store of your own:',
    `  ${paint('strong', 'eventcore init --store sqlite:./events.db --vault ./backups')}`,
    `  ${paint('strong', 'eventcore backup full')}`,
  ];
}
