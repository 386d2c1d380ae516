import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Command, Option } from 'commander';
import { defineProgram } from '../../src/cli/program.ts';
import { allCommands, describeProgram } from '../../src/reference/command-line.ts';
import { bashCompletion } from '../../src/reference/completion/bash.ts';
import { fishCompletion } from '../../src/reference/completion/fish.ts';
import { completionWords } from '../../src/reference/completion/words.ts';
import { zshCompletion } from '../../src/reference/completion/zsh.ts';
import { runHere } from '../harness/command.ts';

const SCRIPTS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion };

describe('what a shell has to know', () => {
  it('is of each value whether it is a file, a folder, an address, a backup or one of some words', () => {
    const made = new Command('eventcore');
    made
      .command('do')
      .argument('[backup...]')
      .option('--to <store>')
      .option('--key <file>', 'which (repeatable)')
      .option('--dir [folder]')
      .option('--parent <id>')
      .option('--stream <id>')
      .option('--at <host:port>')
      .addOption(new Option('--how <how>').choices(['so', 'otherwise']));
    const command = completionWords(describeProgram(made)).commands[1]!;
    assert.deepEqual(command.argument, { name: 'backup', kind: 'backup', choices: [], variadic: true });
    const kinds = command.options.map(({ names, value, repeatable }) =>
      [names[0], value?.kind, value?.required, repeatable].join(' '),
    );
    assert.deepEqual(kinds, [
      '--to address true false',
      '--key file true true',
      '--dir folder false false',
      '--parent backup true false',
      '--stream text true false',
      '--at text true false',
      '--how choice true false',
    ]);
    assert.equal(command.options[5]!.value!.name, 'host-port');
    assert.deepEqual(command.options[6]!.choices, ['so', 'otherwise']);
  });

  it('is never a name or choice that a shell would read in its own way', () => {
    for (const bad of ['a b', '$(x)', "a'b", 'a;b', 'a`b', 'a\nb']) {
      const made = new Command('eventcore').addOption(new Option('--how <how>').choices([bad]));
      assert.throws(() => completionWords(describeProgram(made)), /cannot stand in a script/);
    }
  });
});

describe('eventcore completion', () => {
  for (const shell of ['bash', 'zsh', 'fish'] as const) {
    it(`prints for ${shell} a script with each command and option`, async () => {
      const { code, stdout } = await runHere(['completion', shell]);
      assert.equal(code, 0);
      const definition = describeProgram(await defineProgram());
      assert.equal(stdout, SCRIPTS[shell](completionWords(definition)));
      for (const { path, options } of allCommands(definition.root)) {
        assert.ok(stdout.includes(path.at(-1)!), path.join(' '));
        for (const { names } of options) {
          assert.ok(stdout.includes(names[0]!.replace(/^--/, '')), `${path.join(' ')} ${names[0]}`);
        }
      }
    });
  }

  it('wants a shell that it knows', async () => {
    assert.match(
      (await runHere(['completion'])).stderr,
      /no shell is named\nhint: name one of bash, zsh, fish/,
    );
    assert.equal((await runHere(['completion', 'ksh'])).code, 2);
  });

  it('has nothing to say of backups where there is no vault, and says so with nothing', async () => {
    for (const words of [[], ['--vault', '/no/such/vault'], ['--config', '/no/such/file']]) {
      const { code, stdout, stderr } = await runHere(['completion', '--backups', ...words]);
      assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: '', stderr: '' });
    }
  });
});
