/** The contract of the command line: people and scripts rely on what is here. It may grow; nothing of it may go or mean something else. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EXIT_CODES } from '../../src/cli/exit-codes.ts';
import { defineProgram } from '../../src/cli/program.ts';
import { allCommands, describeProgram } from '../../src/reference/command-line.ts';

/** Each command with the flags that it must have, as `--format columns|jsonl` with the choices that it must take. */
const CONTRACT: Readonly<Record<string, readonly string[]>> = {
  init: [],
  'backup full': [
    ...['--format columns|jsonl|msgpack', '--compression none|gzip|zstd', '--level <>', '--parallel <>'],
    ...['--recipient <>', '--passphrase-file <>', '--sign-key <>', '--no-verify', '--rate-limit <>'],
  ],
  'backup incremental': [
    ...['--format columns|jsonl|msgpack', '--compression none|gzip|zstd', '--level <>', '--parallel <>'],
    ...['--recipient <>', '--passphrase-file <>', '--sign-key <>', '--no-verify', '--rate-limit <>'],
  ],
  list: [],
  'show [backup]': ['--streams'],
  'verify [backup...]': ['--quick', '--against-store'],
  restore: [
    ...['--to <>', '--backup <>', '--at <>', '--lsn <>', '--before-event <>', '--stream <>', '--merge'],
    ...['--checkpoints keep|clamp|reset', '--replace', '--dry-run', '--parallel <>'],
  ],
  'diff [backup]': [],
  archive: ['--once'],
  prune: ['--apply'],
  sync: [],
  monitor: ['--once', '--sample <>', '--repair'],
  drill: ['--only <>', '--target <>'],
  'dr assess': ['--trigger <>'],
  'dr plan': ['--trigger <>'],
  'dr execute': ['--approve <>', '--trigger <>'],
  'dr resume [plan]': [],
  'dr status [plan]': [],
  serve: [],
  'export [backup]': ['--to <>', '--as jsonl'],
  'keys generate': [],
  'keys rewrap': [],
  'keys list': [],
  doctor: [],
  demo: [],
};

const OF_EVERY_COMMAND = [
  ...['--help', '--json', '--quiet', '--no-progress', '--log-level error|warn|info|debug'],
  ...['--config <>', '--store <>', '--vault <>'],
];

/** Commands that open a sealed vault. */
const OPENS_SEALED = [
  ...[
    'show',
    'verify',
    'restore',
    'diff',
    'export',
    'monitor',
    'drill',
    'keys list',
    'keys rewrap',
    'doctor',
  ],
  ...['backup full', 'backup incremental', 'archive', 'dr plan', 'dr execute', 'dr resume'],
];

const EXIT_STATUS = {
  0: 'done, and everything that was checked is sound',
  1: 'unexpected failure (a bug in this program)',
  2: 'wrong usage or configuration',
  3: 'what was asked for is not there',
  4: 'integrity: damage, a gap, or a proof that failed',
  5: 'the store cannot be reached or refused',
  6: 'the vault cannot be reached or refused',
  7: 'another run holds the lease',
  8: 'keys: wrong, missing or refused',
  9: 'refused because it would lose or overwrite something',
  10: 'finished in part',
  130: 'interrupted',
};

const { root, globalOptions } = describeProgram(await defineProgram());
const commands = new Map(allCommands(root).map((command) => [command.path.slice(1).join(' '), command]));

describe('the contract of the command line', () => {
  for (const [line, flags] of Object.entries(CONTRACT)) {
    it(`has \`eventcore ${line}\``, () => {
      const [, name = '', argument] = /^([a-z ]+?)(?: (\[.+\]))?$/.exec(line) ?? [];
      const command = commands.get(name);
      assert.ok(command, `there is no command ${name}`);
      for (const flag of flags) assert.equal(faultOf(command.options, flag), null);
      const needed = command.options.filter(({ required }) => required).map(({ names }) => names[0]);
      assert.deepEqual(needed, name === 'export' ? ['--to'] : [], 'an option became needed');
      const [first] = command.arguments;
      const shown = first === undefined ? undefined : `[${first.name}${first.variadic ? '...' : ''}]`;
      if (argument !== undefined) assert.equal(shown, argument);
      assert.ok(
        command.arguments.every(({ required }) => !required),
        'an argument became needed',
      );
    });
  }

  it('has what every command takes', () => {
    for (const flag of OF_EVERY_COMMAND) assert.equal(faultOf(globalOptions, flag), null);
  });

  it('takes keys wherever a sealed vault is opened', () => {
    for (const name of OPENS_SEALED) {
      for (const flag of ['--identity <>', '--passphrase-file <>']) {
        assert.equal(faultOf(commands.get(name)!.options, flag), null, name);
      }
    }
  });

  it('gives each exit code its meaning', () => {
    const { 11: ofQueues, ...ofContract } = EXIT_CODES;
    assert.deepEqual(ofContract, EXIT_STATUS);
    assert.match(ofQueues, /queue/);
  });

  it('is seen to be broken where a flag, its value or a choice is gone', () => {
    const options = commands.get('restore')!.options;
    assert.equal(faultOf(options, '--no-such'), 'there is no --no-such');
    assert.equal(faultOf(options, '--replace <>'), '--replace takes no value');
    assert.equal(faultOf(options, '--to'), '--to takes a value');
    assert.equal(faultOf(options, '--checkpoints keep|drop'), '--checkpoints does not take drop');
  });
});

function faultOf(options: typeof globalOptions, wanted: string): string | null {
  const [flag = '', value] = wanted.split(' ');
  const option = options.find(({ names }) => names.includes(flag));
  if (option === undefined) return `there is no ${flag}`;
  if ((option.value === null) !== (value === undefined)) {
    return `${flag} takes ${option.value === null ? 'no' : 'a'} value`;
  }
  const choices = value === undefined || value === '<>' ? [] : value.split('|');
  const gone = choices.filter((choice) => !option.choices.includes(choice));
  return gone.length === 0 ? null : `${flag} does not take ${gone.join(', ')}`;
}
