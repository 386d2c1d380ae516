import {
  allCommands,
  type CommandDefinition,
  doesWork,
  type OptionDefinition,
  type ProgramDefinition,
} from '../../src/reference/command-line.ts';
import { bullets, commands, sentence, table } from '../runbooks/table.ts';
import { GENERATED } from './generated.ts';

/** docs/reference/commands.md: every command with all that it takes. */
export function commandsPage({ root, globalOptions }: ProgramDefinition): string {
  const below = allCommands(root).slice(1);
  return [
    '# Commands',
    GENERATED,
    'What `eventcore COMMAND --help` says, of all commands. Words mean what [ARCHITECTURE.md](../../ARCHITECTURE.md#words) says; keys of the configuration are in [configuration](configuration.md).',
    table(['command', 'does'], below.filter(doesWork).map(row)),
    '## Options of every command',
    optionTable(globalOptions),
    ...below.flatMap(section),
    '',
  ].join('\n\n');
}

function row(command: CommandDefinition): string[] {
  return [`[\`${name(command)}\`](#${anchor(command)})`, sentence(command.description)];
}

function section(command: CommandDefinition): string[] {
  const { arguments: words, options, commands: deeper, notes, examples, exitCodes } = command;
  return [
    `## ${name(command)}`,
    sentence(command.description),
    commands([usage(command)]),
    ...notes,
    ...(deeper.length === 0
      ? []
      : [bullets(deeper.map((one) => `[\`${name(one)}\`](#${anchor(one)}): ${one.description}`))]),
    ...(words.length === 0
      ? []
      : [
          table(
            ['argument', 'is'],
            words.map((word) => [`\`${word.name}\``, word.description]),
          ),
        ]),
    ...(options.length === 0 ? [] : [optionTable(options)]),
    'Examples:',
    commands(examples),
    `[Exit codes](exit-codes.md): ${exitCodes.join(', ')}.`,
  ];
}

/** As its help begins: what must be there as it is, what may be in brackets. */
export function usage({ path, arguments: words, commands: deeper }: CommandDefinition): string {
  const shown = words.map(({ name: called, required, variadic }) => {
    const text = variadic ? `${called}...` : called;
    return required ? `<${text}>` : `[${text}]`;
  });
  return [...path, '[options]', ...(deeper.length === 0 ? [] : ['[command]']), ...shown].join(' ');
}

function optionTable(options: readonly OptionDefinition[]): string {
  return table(
    ['option', 'does'],
    options.map((option) => [`\`${option.flags}\``, describeOption(option)]),
  );
}

/** The description, then what may be said, and what it is when nothing is said. */
export function describeOption({ description, choices, defaultText, required }: OptionDefinition): string {
  const more = [
    ...(choices.length === 0 ? [] : [`one of ${choices.join(', ')}`]),
    ...(defaultText === null ? [] : [`default: ${defaultText}`]),
    ...(required ? ['must be given'] : []),
  ];
  return more.length === 0 ? description : `${description} (${more.join('; ')})`;
}

function name({ path }: CommandDefinition): string {
  return path.join(' ');
}

function anchor(command: CommandDefinition): string {
  return command.path.join('-');
}
