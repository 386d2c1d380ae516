import {
  type ArgumentDefinition,
  allCommands,
  type CommandDefinition,
  type OptionDefinition,
  type ProgramDefinition,
} from '../command-line.ts';

/** What a shell has to know of one command to complete its words. */
export interface CompletionCommand {
  /** Behind the program's name: `dr plan`; empty for the program itself. */
  readonly path: string;
  readonly commands: readonly { readonly name: string; readonly description: string }[];
  /** Its own. */
  readonly options: readonly CompletionOption[];
  /** Of its first argument; the others, where there are any, are like it. */
  readonly argument: CompletionArgument | null;
}

export interface CompletionArgument {
  readonly name: string;
  readonly kind: ValueKind;
  readonly choices: readonly string[];
  readonly variadic: boolean;
}

export interface CompletionOption {
  readonly names: readonly string[];
  readonly description: string;
  /** Its name in letters, digits and dashes alone. */
  readonly value: { readonly name: string; readonly kind: ValueKind; readonly required: boolean } | null;
  readonly choices: readonly string[];
  readonly repeatable: boolean;
}

/** What is offered for a value. Addresses are `sqlite:FILE` and the like; backups are asked of the vault. */
export type ValueKind = 'file' | 'folder' | 'address' | 'backup' | 'choice' | 'text';

export interface CompletionWords {
  readonly commands: readonly CompletionCommand[];
  readonly globalOptions: readonly CompletionOption[];
}

/** By what values are called in the help. All others are texts that nobody else can know. */
const KINDS: Readonly<Record<string, ValueKind>> = {
  file: 'file',
  config: 'file',
  folder: 'folder',
  path: 'folder',
  vault: 'address',
  store: 'address',
  address: 'address',
  place: 'address',
  backup: 'backup',
};

/** Options with the id of a backup, whose value is called `id` like those of others. */
const OF_BACKUPS: ReadonlySet<string> = new Set(['--backup', '--parent']);

/** Throws for a definition that a shell could take for a command of its own. */
export function completionWords({ root, globalOptions }: ProgramDefinition): CompletionWords {
  return { commands: allCommands(root).map(commandOf), globalOptions: globalOptions.map(optionOf) };
}

function commandOf(command: CommandDefinition): CompletionCommand {
  const [argument] = command.arguments;
  return {
    path: command.path.slice(1).map(word).join(' '),
    commands: command.commands.map(({ path, description }) => ({ name: word(path.at(-1)!), description })),
    options: command.options.map(optionOf),
    argument: argument === undefined ? null : argumentOf(argument),
  };
}

function argumentOf({ name, choices, variadic }: ArgumentDefinition): CompletionArgument {
  const kind = choices.length > 0 ? 'choice' : kindOf(name);
  return { name: word(name), kind, choices: choices.map(word), variadic };
}

function optionOf({ names, description, value, choices }: OptionDefinition): CompletionOption {
  const isOfBackups = names.some((name) => OF_BACKUPS.has(name));
  const kind = choices.length > 0 ? 'choice' : isOfBackups ? 'backup' : kindOf(value?.name ?? '');
  return {
    ...{ names: names.map(word), description, choices: choices.map(word) },
    value:
      value === null ? null : { name: value.name.replace(/[^\w-]+/g, '-'), kind, required: value.required },
    repeatable: description.includes('(repeatable)') || description.includes('may be repeated'),
  };
}

function kindOf(name: string): ValueKind {
  return KINDS[name] ?? 'text';
}

/** Names and choices stand in scripts as they are, so nothing may be in them that a shell would read in its own way. */
function word(text: string): string {
  if (/^[\w.:-]+$/.test(text)) return text;
  throw new Error(`${JSON.stringify(text)} cannot stand in a script of a shell`);
}

/** One line, whatever was written, and in quotes that neither bash nor zsh nor fish looks into. */
export function quoted(text: string): string {
  const line = text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ');
  return `'${line.replaceAll("'", `'\\''`)}'`;
}
