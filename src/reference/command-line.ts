import type { Argument, Command, Option } from 'commander';

/** The command line as data, read from its definition: what pages, the man page and completions are made of. */

export interface CommandDefinition {
  /** As typed: `eventcore dr plan`. */
  readonly path: readonly string[];
  readonly description: string;
  readonly arguments: readonly ArgumentDefinition[];
  /** Its own, without those that every command takes. */
  readonly options: readonly OptionDefinition[];
  readonly commands: readonly CommandDefinition[];
  /** What its help says beside lists. */
  readonly notes: readonly string[];
  readonly examples: readonly string[];
  readonly exitCodes: readonly number[];
}

export interface ArgumentDefinition {
  readonly name: string;
  readonly description: string;
  readonly choices: readonly string[];
  readonly required: boolean;
  readonly variadic: boolean;
}

export interface OptionDefinition {
  /** `--level <n>`. */
  readonly flags: string;
  /** `--level`, `-h`. */
  readonly names: readonly string[];
  readonly description: string;
  /** What its value is called, and whether it must be there; null for a flag without one. */
  readonly value: { readonly name: string; readonly required: boolean } | null;
  readonly choices: readonly string[];
  /** As people read it; null where there is none, or where the description says it. */
  readonly defaultText: string | null;
  readonly required: boolean;
}

export interface ProgramDefinition {
  readonly root: CommandDefinition;
  /** What every command takes. */
  readonly globalOptions: readonly OptionDefinition[];
}

export function describeProgram(program: Command): ProgramDefinition {
  const help = program.createHelp();
  const globalOptions = help.visibleOptions(program).map(optionOf);
  return { root: { ...commandOf(program, []), options: [] }, globalOptions };
}

/** The command and all below it, from the top down. */
export function allCommands(root: CommandDefinition): CommandDefinition[] {
  return [root, ...root.commands.flatMap(allCommands)];
}

/** False for one that only has others below it. `drill` does both. */
export function doesWork({ commands, options, arguments: words }: CommandDefinition): boolean {
  return commands.length === 0 || options.length > 0 || words.length > 0;
}

function commandOf(command: Command, above: readonly string[]): CommandDefinition {
  const path = [...above, command.name()];
  const help = command.createHelp();
  return {
    ...{ path, description: command.description() },
    arguments: command.registeredArguments.map(argumentOf),
    options: help
      .visibleOptions(command)
      .filter(({ long }) => long !== '--help')
      .map(optionOf),
    commands: help
      .visibleCommands(command)
      .filter((below) => below.name() !== 'help')
      .map((below) => commandOf(below, path)),
    ...readEnd(command),
  };
}

function argumentOf(argument: Argument): ArgumentDefinition {
  const { description, required, variadic, argChoices = [] } = argument;
  return { name: argument.name(), description, choices: argChoices, required, variadic };
}

function optionOf(option: Option): OptionDefinition {
  const { flags, short, long, description, mandatory, argChoices, defaultValue } = option;
  const hasDefault = typeof defaultValue === 'string' || typeof defaultValue === 'number';
  const value = /[<[]([^>\]]+)[>\]]$/.exec(flags);
  return {
    ...{ flags, description, required: mandatory },
    names: [long, short].filter((name) => name !== undefined),
    value: value === null ? null : { name: value[1]!, required: option.required },
    choices: argChoices ?? [],
    defaultText: option.defaultValueDescription ?? (hasDefault ? String(defaultValue) : null),
  };
}

/** Examples and exit codes stand at the end of the help (`helpEnd`); what comes between them and the lists are notes. */
function readEnd(command: Command): Pick<CommandDefinition, 'notes' | 'examples' | 'exitCodes'> {
  const [notes = '', examples = '', codes = ''] =
    textBehindLists(command).split(/^(?:EXAMPLES|EXIT STATUS)\n/m);
  return {
    notes:
      notes.trim() === ''
        ? []
        : notes
            .trim()
            .split(/\n{2,}/)
            .map((note) => note.replaceAll('\n', ' ')),
    examples: examples.split('\n').flatMap((line) => line.trim() || []),
    exitCodes: [...codes.matchAll(/^ *(\d+) /gm)].map(([, code]) => Number(code)),
  };
}

function textBehindLists(command: Command): string {
  const output = command.configureOutput();
  let text = '';
  command.configureOutput({ ...output, writeOut: (part) => (text += part) });
  command.outputHelp();
  command.configureOutput(output);
  return text.slice(command.helpInformation().length);
}
