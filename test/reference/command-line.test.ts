import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Command, Option } from 'commander';
import { EXIT_CODES, helpEnd } from '../../src/cli/exit-codes.ts';
import { defineProgram } from '../../src/cli/program.ts';
import { ERROR_CODES, type ErrorCode } from '../../src/core/errors.ts';
import {
  allCommands,
  type CommandDefinition,
  describeProgram,
  type OptionDefinition,
} from '../../src/reference/command-line.ts';
import { ERROR_MEANINGS } from '../../src/reference/error-meanings.ts';

const program = await defineProgram();
const { root, globalOptions } = describeProgram(program);
const commands = allCommands(root);

describe('a command line as data', () => {
  it('has arguments, options, notes, examples and exit codes as they were defined', () => {
    const made = new Command('tool').description('does it').exitOverride();
    made
      .command('copy')
      .description('copies')
      .argument('<from...>', 'what')
      .addOption(new Option('-m, --mode <how>', 'in which way').choices(['fast', 'slow']).default('fast'))
      .addOption(new Option('--secret').hideHelp())
      .requiredOption('--to [place]', 'where to')
      .addHelpText('after', '\nOne note\nof two lines.\n\nAnother.')
      .addHelpText('after', helpEnd(['tool copy a   # as it is', 'tool copy b'], [10, 4]));
    const [copy] = describeProgram(made).root.commands;
    assert.deepEqual(copy, {
      ...{ path: ['tool', 'copy'], description: 'copies', commands: [] },
      arguments: [{ name: 'from', description: 'what', choices: [], required: true, variadic: true }],
      options: [
        {
          ...{ flags: '-m, --mode <how>', names: ['--mode', '-m'], description: 'in which way' },
          ...{ value: { name: 'how', required: true }, choices: ['fast', 'slow'], defaultText: 'fast' },
          required: false,
        },
        {
          ...{ flags: '--to [place]', names: ['--to'], description: 'where to', choices: [] },
          ...{ value: { name: 'place', required: false }, defaultText: null, required: true },
        },
      ],
      notes: ['One note of two lines.', 'Another.'],
      examples: ['tool copy a   # as it is', 'tool copy b'],
      exitCodes: [0, 1, 2, 4, 10, 130],
    });
  });
});

describe('the command line', () => {
  it('describes each command, argument and option in words of its own', () => {
    const nameless = commands.flatMap((command) =>
      [command, ...command.arguments, ...command.options]
        .filter(({ description }) => !/^[\p{L}-].{3,}[^.\s]$/u.test(description))
        .map((faulty) => `${command.path.join(' ')}: ${JSON.stringify(faulty)}`),
    );
    assert.deepEqual(
      nameless.filter((fault) => !fault.startsWith('eventcore: ')),
      [],
    );
  });

  it('shows no span of time in the milliseconds that the program keeps', () => {
    for (const command of allBelow(program)) {
      for (const { flags, defaultValue, defaultValueDescription } of command.options) {
        const isSpan = typeof defaultValue === 'number' && defaultValue > 10_000;
        assert.ok(!isSpan || defaultValueDescription !== undefined, `${command.name()} ${flags}`);
      }
    }
  });

  it('ends each help with examples of that very command, and with exit codes', () => {
    for (const { path, examples, exitCodes } of commands) {
      const own = path.join(' ');
      assert.ok(examples.length > 0 && exitCodes.length >= 4, own);
      for (const example of examples) {
        const isOwn = example.includes(own) || example.startsWith('curl ');
        assert.ok(isOwn, `${own}: ${example}`);
        assert.deepEqual(faultsOf(example), [], example);
      }
    }
  });

  it('finds an example that names what there is not', () => {
    assert.deepEqual(faultsOf('eventcore backup full --fast | jq .'), ['--fast']);
    assert.deepEqual(faultsOf('eventcore backup full --format csv'), ['--format csv']);
    assert.deepEqual(faultsOf('eventcore backup full # --fast'), []);
  });
});

describe('codes of errors', () => {
  it('end with an exit code that has a meaning, and each exit code but 0 is of some error', () => {
    const used = new Set(Object.values(ERROR_CODES).map(({ exitCode }) => String(exitCode)));
    assert.deepEqual(
      [...used].sort(),
      Object.keys(EXIT_CODES)
        .filter((code) => code !== '0')
        .sort(),
    );
  });

  it('have a way out that names no command and no flag that there is not', () => {
    for (const code of Object.keys(ERROR_CODES) as ErrorCode[]) {
      for (const [, line] of ERROR_MEANINGS[code].wayOut.matchAll(/`(eventcore [^`]+)`/g)) {
        assert.deepEqual(faultsOf(line!), [], `${code}: ${line}`);
      }
    }
  });
});

/** Flags and choices of an example that its command does not have. */
function faultsOf(example: string): string[] {
  const [line = ''] = example.split(/ #| \| | > | \|\| /);
  const words = line.slice(line.indexOf('eventcore ')).split(/\s+/).slice(1);
  const command = walk(root, words);
  const options = [...command.options, ...globalOptions];
  return words.flatMap((word, i) => {
    if (!word.startsWith('--')) return [];
    const option = options.find(({ names }) => names.includes(word));
    if (option === undefined) return [word];
    return isChoice(option, words[i + 1]) ? [] : [`${word} ${words[i + 1]}`];
  });
}

function walk(command: CommandDefinition, [word, ...others]: readonly string[]): CommandDefinition {
  const next = command.commands.find(({ path }) => path.at(-1) === word);
  return next === undefined ? command : walk(next, others);
}

/** In the docs, `TRIGGER` stands for one of them. */
function isChoice({ choices }: OptionDefinition, word = ''): boolean {
  return choices.length === 0 || choices.includes(word) || /^[A-Z]+$/.test(word);
}

function allBelow(command: Command): Command[] {
  return [command, ...command.commands.flatMap(allBelow)];
}
