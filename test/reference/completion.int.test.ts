/** The scripts in the shells themselves: a line is typed, and the key for completion is pressed. Where a shell is not there, its tests are skipped. */
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { Command, Option } from 'commander';
import { defineProgram } from '../../src/cli/program.ts';
import { describeProgram } from '../../src/reference/command-line.ts';
import { bashCompletion } from '../../src/reference/completion/bash.ts';
import { fishCompletion } from '../../src/reference/completion/fish.ts';
import { type CompletionWords, completionWords } from '../../src/reference/completion/words.ts';
import { zshCompletion } from '../../src/reference/completion/zsh.ts';

const run = promisify(execFile);
const place = mkdtempSync(join(tmpdir(), 'eventcore-completion-'));
after(() => rmSync(place, { recursive: true, force: true }));

for (const file of ['events.db', 'key.age', 'two words.db']) writeFileSync(join(place, file), '');
mkdirSync(join(place, 'backups'));
mkdirSync(join(place, 'bin'));
// Stands for the program where a script asks it for backups.
writeFileSync(
  join(place, 'bin/eventcore'),
  `#!/bin/sh\n[ "$*" = "completion --backups --vault file:./backups" ] && printf '3f2a9c1e\\tfull\\n$(touch pwned)\\tx\\n'\n`,
);
chmodSync(join(place, 'bin/eventcore'), 0o755);

const words = completionWords(describeProgram(await defineProgram()));

/** What is typed, and what comes of it: what is added to the line, or what is offered. */
const CASES: readonly (readonly [typed: string, wanted: readonly string[]])[] = [
  ['eventcore ba', ['backup']],
  ['eventcore backup ', ['full', 'incremental']],
  ['eventcore dr pl', ['plan']],
  ['eventcore --config x.yaml dr plan --trig', ['--trigger']],
  ['eventcore backup full --format ', ['columns', 'jsonl', 'msgpack']],
  ['eventcore --log-level d', ['debug']],
  ['eventcore dr plan --trigger d', ['database_failure', 'data_corruption']],
  ['eventcore backup full --identity k', ['key.age']],
  ['eventcore demo --dir b', ['backups/', 'bin/']],
  ['eventcore completion f', ['fish']],
  ['eventcore --vault file:./backups show 3', ['3f2a9c1e']],
  ['eventcore --vault file:./backups restore --backup ', ['3f2a9c1e']],
  ['eventcore demo --git key', []],
];

describe('completion in bash', { skip: whyNot('bash') }, () => {
  const script = join(place, 'eventcore.bash');
  writeFileSync(script, bashCompletion(words));

  for (const [typed, wanted] of CASES) {
    it(`of \`${typed}\``, async () => {
      const offered = await offeredByBash(script, typed);
      assert.deepEqual(offered.map(trimSlash).sort(), wanted.map(trimSlash).sort());
    });
  }

  it('of addresses, which it cuts in two at the colon', async () => {
    assert.deepEqual(await offeredByBash(script, 'eventcore restore --to sqlite:./events'), ['./events.db']);
    assert.deepEqual(await offeredByBash(script, 'eventcore restore --to sq'), ['sqlite:']);
    assert.deepEqual(await offeredByBash(script, 'eventcore backup full --format=c'), ['columns']);
    assert.deepEqual(await offeredByBash(script, 'eventcore backup full --format=c', "''"), [
      '--format=columns',
    ]);
    assert.deepEqual(await offeredByBash(script, 'eventcore restore --to sqlite:./events', "' '"), [
      'sqlite:./events.db',
    ]);
  });

  it('types it into the line when the key is pressed', { skip: whyNot('script') }, () => {
    const keys = [
      `cd ${place}; PS1='> '; source ${script}; eventcore() { echo "ran:$*"; }`,
      'eventcore ba\tfull --format=c\t --to\t',
      'exit\n',
    ].join('\n');
    const { stdout } = spawnSync('script', ['-qec', 'bash --norc --noprofile -i', '/dev/null'], {
      ...{
        input: keys,
        encoding: 'utf8',
        timeout: 20_000,
        cwd: place,
        env: { ...process.env, TERM: 'dumb' },
      },
    });
    assert.match(stdout, /ran:backup full --format=columns --to\r?\n/);
  });

  it('runs nothing that a description holds', () => holdsNothing('bash', bashCompletion));
});

describe('completion in zsh', { skip: whyNot('zsh') }, () => {
  it('of all of these', { timeout: 60_000 }, async () => {
    mkdirSync(join(place, 'functions'), { recursive: true });
    writeFileSync(join(place, 'functions/_eventcore'), zshCompletion(words));
    const shown = await shownByZsh(CASES.map(([typed]) => typed));
    for (const [i, [typed, wanted]] of CASES.entries()) {
      const unlike = wanted.filter((word) => !shown[i]!.includes(word));
      assert.deepEqual(unlike, [], `${typed}: ${JSON.stringify(shown[i])}`);
      if (wanted.length === 0) assert.ok(!shown[i]!.includes('key.age'), shown[i]);
    }
  });

  it('runs nothing that a description holds', () => holdsNothing('zsh', zshCompletion));
});

describe('completion in fish', { skip: whyNot('fish') }, () => {
  it('of all of these', async () => {
    const script = join(place, 'eventcore.fish');
    writeFileSync(script, fishCompletion(words));
    const lines = CASES.map(([typed]) => `echo '== '; complete -C '${typed}'`);
    const { stdout } = await run('fish', ['-c', [`source ${script}`, ...lines].join('\n')], inPlace());
    const shown = stdout.split('== \n').slice(1);
    for (const [i, [typed, wanted]] of CASES.entries()) {
      const offered = shown[i]!.split('\n').flatMap((line) => line.split('\t')[0]!.trim() || []);
      assert.deepEqual(offered.map(trimSlash).sort(), wanted.map(trimSlash).sort(), typed);
    }
  });

  it('runs nothing that a description holds', () => holdsNothing('fish', fishCompletion));
});

function whyNot(program: string): string | false {
  const { error } = spawnSync(program, ['--version'], { stdio: 'ignore' });
  return error === undefined ? false : `${program} is not installed`;
}

function inPlace() {
  return {
    cwd: place,
    env: { ...process.env, PATH: `${join(place, 'bin')}:${process.env.PATH}`, HOME: place },
  };
}

function trimSlash(word: string): string {
  return word.replace(/\/$/, '');
}

/** `breaks`: where bash cuts words, when somebody has changed that. */
async function offeredByBash(script: string, typed: string, breaks?: string): Promise<string[]> {
  const program = [
    ...(breaks === undefined ? [] : [`COMP_WORDBREAKS=${breaks}`]),
    `source ${script}; COMP_LINE=$1; COMP_POINT=\${#1}; _eventcore`,
    'for word in "${COMPREPLY[@]}"; do printf "%s\\n" "$word"; done',
  ].join('\n');
  const { stdout } = await run('bash', ['--norc', '-c', program, 'bash', typed], inPlace());
  return stdout.split('\n').filter((line) => line !== '');
}

/** Types each line into a shell of its own in a pseudo-terminal, and presses the key twice. */
async function shownByZsh(lines: readonly string[]): Promise<string[]> {
  const program = `
    zmodload zsh/zpty
    zpty z 'TERM=dumb COLUMNS=200 zsh -f -i'
    read_until() {
      local part all='' until=$1
      while zpty -r z part "*$until*" 2>/dev/null; do all+=$part; break; done
      print -r -- "$all"
    }
    zpty -w z 'PS1="> "; fpath=(${join(place, 'functions')} $fpath); autoload -Uz compinit; compinit -u -D; LISTMAX=9999; stty cols 200'
    zpty -w z 'forget() { BUFFER="echo END"; zle accept-line }; zle -N forget; bindkey "^I" complete-word "^G" forget; print BEG""IN'
    read_until BEGIN >/dev/null
    for line in "$@"; do
      zpty -w -n z "$line"$'\\t\\t\\C-g'
      print -r -- "== "
      read_until $'\\nEND'
    done
    zpty -d z`;
  const { stdout } = await run('zsh', ['-f', '-c', program, 'zsh', ...lines], inPlace());
  return stdout.split('== \n').slice(1);
}

/** Each of these would leave a file if a shell looked into it. */
function holdsNothing(shell: string, script: (words: CompletionWords) => string): void {
  const file = join(place, 'pwned');
  const hostile = [
    '$(touch pwned)',
    '`touch pwned`',
    "'; touch pwned; '",
    '"; touch pwned; "',
    ']:x:{touch pwned}',
  ];
  const made = new Command('eventcore').description(hostile.join(' '));
  const text = `${hostile.join(' ')}\ntouch pwned\n\\`;
  made
    .command('do')
    .description(text)
    .argument('[file]', text)
    .addOption(new Option('--how <$(touch pwned)>', text).choices(['so']).default('so', text));
  const path = join(place, `hostile.${shell}`);
  writeFileSync(path, script(completionWords(describeProgram(made))));
  const asks = {
    bash: `source ${path}; COMP_LINE='eventcore do --how '; COMP_POINT=19; _eventcore; printf '%s\\n' "\${COMPREPLY[@]}"`,
    zsh: `autoload -Uz compinit; compinit -u -D; source ${path}; (( $+functions[_eventcore_do_words] )) && print -r -- so $_eventcore_options`,
    fish: `source ${path}; complete -C 'eventcore do --how '; complete -C 'eventcore '`,
  };
  const said = execFileSync(shell, ['-c', asks[shell as keyof typeof asks]], {
    ...inPlace(),
    encoding: 'utf8',
  });
  assert.match(said, /^so/);
  assert.ok(!existsSync(file), `${shell} has run what a description holds`);
}
