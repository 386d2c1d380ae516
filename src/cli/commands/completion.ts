import { Argument, type Command, Option } from 'commander';
import { BackupError } from '../../core/errors.ts';
import { BACKUPS_PREFIX, MANIFEST_NAME, parseBundleName } from '../../format/bundle.ts';
import { describeProgram, type ProgramDefinition } from '../../reference/command-line.ts';
import { bashCompletion } from '../../reference/completion/bash.ts';
import { fishCompletion } from '../../reference/completion/fish.ts';
import { type CompletionWords, completionWords } from '../../reference/completion/words.ts';
import { zshCompletion } from '../../reference/completion/zsh.ts';
import { requireAddress } from '../config/config.ts';
import { type CommandContext, type Start, withVault } from '../context.ts';
import { helpEnd } from '../exit-codes.ts';

const SCRIPTS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion } as const satisfies Record<
  string,
  (words: CompletionWords) => string
>;

type Shell = keyof typeof SCRIPTS;

/** Somebody waits for it with a finger on a key. */
const PATIENCE_MS = 2000;
const MOST_BACKUPS = 200;

export function addCompletionCommand(program: Command, start: Start): void {
  program
    .command('completion')
    .description('print what makes a shell complete commands, options, choices, files and ids of backups')
    .addArgument(new Argument('[shell]', 'whose script').choices(Object.keys(SCRIPTS)))
    .addOption(new Option('--backups', 'ids of backups, for the scripts').hideHelp())
    .addHelpText(
      'after',
      helpEnd(
        [
          'source <(eventcore completion bash)                 # for this shell alone',
          'eventcore completion bash > ~/.local/share/bash-completion/completions/eventcore',
          'eventcore completion zsh > ~/.zfunc/_eventcore      # a folder of fpath',
          'eventcore completion fish > ~/.config/fish/completions/eventcore.fish',
        ],
        [],
      ),
    )
    .action((shell: Shell | undefined, flags: { readonly backups?: true }) =>
      start((context) =>
        flags.backups === true
          ? printBackups(context)
          : printScript(context, shell, describeProgram(program)),
      ),
    );
}

async function printScript(
  { output }: CommandContext,
  shell: Shell | undefined,
  definition: ProgramDefinition,
): Promise<number> {
  if (shell === undefined) {
    throw new BackupError('usage', 'no shell is named', {
      hint: `name one of ${Object.keys(SCRIPTS).join(', ')}`,
    });
  }
  const script = SCRIPTS[shell](completionWords(definition));
  output.document({ shell, script });
  output.answer([script.trimEnd()]);
  return 0;
}

/** The newest first, by names alone. Silent whatever goes wrong: it is no answer to say so in the middle of a line. */
async function printBackups(context: CommandContext): Promise<number> {
  // Nothing is written and nothing is held, so nothing is left behind.
  const end = setTimeout(() => process.exit(0), PATIENCE_MS).unref();
  try {
    const address = requireAddress(await context.settings(), 'vault');
    const found: { readonly id: string; readonly kind: string; readonly at: number }[] = [];
    await withVault(address, { create: false }, async (vault) => {
      for await (const { name, modifiedAtMs } of vault.list(BACKUPS_PREFIX)) {
        const bundle = name.endsWith(`/${MANIFEST_NAME}`) ? parseBundleName(name) : null;
        if (bundle !== null) found.push({ id: bundle.backupId, kind: bundle.kind, at: modifiedAtMs });
      }
    });
    const newest = found.sort((a, b) => b.at - a.at).slice(0, MOST_BACKUPS);
    context.output.answer(
      newest.map(
        ({ id, kind, at }) => `${id.slice(0, 8)}\t${kind} ${new Date(at).toISOString().slice(0, 16)}Z`,
      ),
    );
  } catch {
    return 0;
  } finally {
    clearTimeout(end);
  }
  return 0;
}
