import { EXIT_CODES } from '../../src/cli/exit-codes.ts';
import {
  allCommands,
  type CommandDefinition,
  doesWork,
  type ProgramDefinition,
} from '../../src/reference/command-line.ts';
import {
  type JsonSchema,
  type KeyDefinition,
  sectionsOf,
  sharedOf,
} from '../../src/reference/configuration.ts';
import { VARIABLES } from '../../src/reference/environment.ts';
import { sentence } from '../runbooks/table.ts';
import { describeOption, usage } from './commands-page.ts';
import { bold, entry, literal, prose } from './roff.ts';

const HEAD = '.\\" Made by `npm run reference` from the code: change that, or scripts/reference.';

/** man/eventcore.1: the program with all its commands. */
export function programManPage({ root, globalOptions }: ProgramDefinition): string {
  const [, ...commands] = allCommands(root);
  return page('EVENTCORE', '1', [
    '.SH NAME',
    `eventcore \\- ${prose(lower(root.description))}`,
    '.SH SYNOPSIS',
    literal(['eventcore COMMAND [OPTION]...']),
    '.SH DESCRIPTION',
    prose(
      'EventCore Backup takes backups of event stores into a vault, proves that they are whole, and brings a store back as it was at a point in time. Each command has `--help` with examples and the exit codes that it can give.',
    ),
    '.SH OPTIONS OF EVERY COMMAND',
    ...globalOptions.map((option) => entry(bold(option.flags), sentence(describeOption(option)))),
    '.SH COMMANDS',
    ...commands.filter(doesWork).flatMap(commandEntry),
    '.SH ENVIRONMENT',
    ...VARIABLES.map(({ name, description }) => entry(bold(name), sentence(description))),
    '.SH FILES',
    entry(bold('eventcore.config.yaml'), 'The configuration: see `eventcore.config.yaml`(5).'),
    '.SH EXIT STATUS',
    ...Object.entries(EXIT_CODES).map(([code, meaning]) => entry(bold(code), sentence(meaning))),
    '.SH EXAMPLES',
    literal(root.examples),
    '.SH SEE ALSO',
    `${bold('eventcore.config.yaml')}(5)`,
  ]);
}

function commandEntry(command: CommandDefinition): string[] {
  const { description, arguments: words, options, notes, examples } = command;
  return [
    `.SS ${command.path.join(' ')}`,
    prose(sentence(description)),
    '.PP',
    literal([usage(command)]),
    ...notes.flatMap((note) => ['.PP', prose(note)]),
    ...words.map((word) => entry(`\\fI${word.name}\\fR`, sentence(word.description))),
    ...options.map((option) => entry(bold(option.flags), sentence(describeOption(option)))),
    '.PP',
    'Examples:',
    literal(examples),
  ];
}

/** man/eventcore.config.yaml.5: every key. */
export function configurationManPage(root: JsonSchema): string {
  const sections = sectionsOf(root);
  return page('EVENTCORE.CONFIG.YAML', '5', [
    '.SH NAME',
    'eventcore.config.yaml \\- configuration of EventCore Backup',
    '.SH DESCRIPTION',
    prose(
      'Read from the working directory, or from where `--config` or `EVENTCORE_CONFIG` says. Flags beat the environment, the environment beats the file. Relative paths are seen from its folder. Unknown keys are refused. `eventcore init` writes one with comments.',
    ),
    '.PP',
    prose(
      'A span of time is `30s`, `15m`, `12h`, `30d`, `12w` or `7y`; `m` means months where something is kept, and minutes everywhere else. Sizes are `500MB`, rates `50MB/s`. A secret is named by where it is: `file:PATH`, `env:NAME` or `command:LINE`.',
    ),
    '.SH KEYS',
    ...sections.flatMap(({ key, below }) => [keyEntry(key), ...below.map(keyEntry)]),
    ...sharedOf(root).flatMap(({ name, description, below }) => [
      `.SS ${name}`,
      prose(sentence(description)),
      ...below.map(keyEntry),
    ]),
    '.SH SEE ALSO',
    `${bold('eventcore')}(1)`,
  ]);
}

function keyEntry({ path, description, type, fallback, required, shared }: KeyDefinition): string {
  const more = [
    ...(shared === null ? [type] : [`${type}, see ${shared} below`]),
    ...(required ? ['needed'] : []),
    ...(fallback === undefined ? [] : [`default: ${Array.isArray(fallback) ? '[]' : String(fallback)}`]),
  ];
  return entry(bold(path), `${sentence(description)} (${more.join('; ')})`);
}

function page(title: string, section: string, lines: readonly string[]): string {
  return `${[HEAD, `.TH ${title} ${section} "" "eventcore-backup" "EventCore Backup"`, ...lines].join('\n')}\n`;
}

function lower(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1).replace(/\.$/, '');
}
