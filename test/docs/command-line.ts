import { type Command, CommanderError } from 'commander';
import { defineProgram } from '../../src/cli/program.ts';

/** Why the words behind `eventcore` are no command line that it takes; null when they are one. Nothing is run. */
export async function judgeWords(words: readonly string[]): Promise<string | null> {
  const program = await defineProgram();
  try {
    await program.parseAsync(words, { from: 'user' });
    return null;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? null : error.message.replace(/^error: /, '');
  }
}

/** Only looked at: a program that has parsed words remembers them. */
const looked = defineProgram();

/** As `judgeWords` for what only shows what can be said, such as `verify [BACKUP…] --quick`: commands and flags must be known. */
export async function judgeSynopsis(words: readonly string[]): Promise<string | null> {
  const program = await looked;
  let command = program;
  for (const word of words) {
    const next = command.commands.find((one) => one.name() === word);
    if (next !== undefined) command = next;
    else if (command === program && /^[a-z]+$/.test(word)) return `there is no command ${word}`;
    const flag = /^\[?(--[a-z][\w-]*)/.exec(word)?.[1];
    if (flag !== undefined && !takes(command, flag)) return `${command.name()} does not take ${flag}`;
  }
  return null;
}

function takes(command: Command, flag: string): boolean {
  if (flag === '--help' || flag === '--version') return true;
  const known = command.options.some(({ long }) => long === flag);
  return known || (command.parent !== null && takes(command.parent, flag));
}
