import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { commandLine } from '../../src/console/command-line.ts';
import { shellWord } from '../../src/console/shell-word.ts';

/** What a real shell makes of a line that is pasted into it. */
function wordsOf(line: string): string[] {
  const script = `eventcore() { for word; do printf '%s\\0' "$word"; done; }\n${line}\n`;
  const { status, stdout, stderr } = spawnSync('sh', ['-s'], { input: script, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return stdout.split('\0').slice(0, -1);
}

const HOSTILE = [
  "it's",
  '$(touch /tmp/never)',
  '`id`',
  '"; rm -rf / #',
  'a\nb\n',
  '\n',
  'tab\there',
  '\u001b[2J\u001b\n\n',
  'right\u202eleft',
  'back\\slash\\',
  '',
  ' ',
  '~root',
  '-x',
  '--',
  '*?[a-z]{a,b}',
  '!!',
  '100%',
  'A=b',
  '\u{1F600} é',
  '\r\n',
  '\u0085\u2028',
];

describe('a command that is shown', () => {
  it('gives exactly its words when it is pasted into a shell', () => {
    const line = commandLine({ config: "/etc/it's here.yaml" }, 'restore', ...HOSTILE);
    assert.deepEqual(wordsOf(line), ['restore', ...HOSTILE, '--config', "/etc/it's here.yaml"]);
  });

  it('gives them whatever they are', () => {
    const text = fc.string({ unit: 'binary', maxLength: 12 }).filter((word) => !word.includes('\0'));
    const shell = fc.string({
      unit: fc.constantFrom(...'\'"$`\\ \n\t;&|<>()!#*\u001b\u202eax'),
      maxLength: 12,
    });
    const words = fc.array(fc.oneof(text, shell), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(words, (hostile) => {
        assert.deepEqual(wordsOf(['eventcore', ...hostile].map(shellWord).join(' ')), hostile);
      }),
      { numRuns: 25 },
    );
  });

  it('shows no sign that a terminal acts on, and plain words as they are', () => {
    for (const word of HOSTILE) {
      for (const sign of shellWord(word).replaceAll('\n', '')) {
        assert.doesNotMatch(sign, /\p{Cc}|\p{Bidi_Control}|\u2028/u, word);
      }
    }
    for (const word of ['order-17', '--at', '2026-11-23T04:05:06Z', '0/16B3748', 'sqlite:./a.db']) {
      assert.equal(shellWord(word), word);
    }
  });
});
