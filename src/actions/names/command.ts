import type { PublicName } from '../../core/disaster-ports.ts';
import { BackupError } from '../../core/errors.ts';
import { type CommandEnd, commandFailed, type OwnCommand, runCommand, showCommand } from '../run-command.ts';

export interface CommandNameOptions extends OwnCommand {
  /** The name that applications use. */
  readonly name: string;
}

/** It says by this exit code that the name is not what it was to be switched from. */
const CHANGED = 3;

/**
 * A name that the operator's own command keeps. `COMMAND read` writes the value to stdout, on one line or as JSON (`{"value": "…"}`), nothing
 * or null when there is none. `COMMAND switch FROM TO` makes the change, with an empty FROM where there is none, and ends with 3 where the
 * name is no longer FROM. What it was is asked before and what it is afterwards, since not every command compares.
 */
export function commandName(options: CommandNameOptions): PublicName {
  const run = async (words: readonly string[], signal: AbortSignal): Promise<CommandEnd> => {
    const facts = { verb: words[0]!, name: options.name };
    const end = await runCommand(options, { words, facts, signal });
    if (end.how === 'ended' && (end.code === 0 || end.code === CHANGED)) return end;
    throw commandFailed('name_refused', options, end);
  };
  const read = async (signal: AbortSignal): Promise<string | null> => {
    const end = await run(['read'], signal);
    if (end.code !== 0) throw commandFailed('name_refused', options, end);
    return readAnswer(end.stdout);
  };
  const requireNow = async (wanted: string | null, signal: AbortSignal): Promise<void> => {
    const found = await read(signal);
    if (found !== wanted) throw changed(options.name, found, wanted);
  };
  return {
    describe: `${options.name}, by ${showCommand(options)}`,
    name: options.name,
    read: ({ signal }) => read(signal),
    switchTo: async ({ from, to }, { signal }) => {
      await requireNow(from, signal);
      const end = await run(['switch', from ?? '', to], signal);
      if (end.code === CHANGED) throw changed(options.name, await read(signal), from);
      await requireNow(to, signal);
      return { name: options.name, from, to };
    },
  };
}

function changed(name: string, found: string | null, expected: string | null): BackupError {
  const shown = (value: string | null): string => value ?? 'without a value';
  return new BackupError('name_changed', `${name} is ${shown(found)}, not ${shown(expected)}`, {
    hint: 'somebody else changed it, or the command did not: ask it by hand with `read`, then make a new plan',
    facts: { name, found, expected },
  });
}

const MOST_CHARACTERS = 1000;

function readAnswer(stdout: string): string | null {
  const text = stdout.trim();
  const value = text.startsWith('{') ? valueIn(text) : text;
  if (value === null || value === '') return null;
  if (value === undefined || value.length > MOST_CHARACTERS || /\p{Cc}/u.test(value)) {
    throw new BackupError(
      'name_refused',
      'the command for the public name answered `read` with something else',
      {
        hint: 'it writes the value on one line, or {"value": "…"}, and nothing where there is none',
      },
    );
  }
  return value;
}

/** Undefined for what is not of that form. */
function valueIn(text: string): string | null | undefined {
  try {
    const { value } = JSON.parse(text) as { readonly value?: unknown };
    return value === null || typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}
