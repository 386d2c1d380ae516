import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { logicalLine, quoteHba, splitFields } from '../../../src/servers/postgres/hba-lines.ts';

function words(line: string): string[][] {
  return splitFields(line).map(({ tokens }) =>
    tokens.map(({ text, isQuoted }) => (isQuoted ? `<${text}>` : text)),
  );
}

test('a line is cut into fields as PostgreSQL cuts it', () => {
  assert.deepEqual(words('host  all,"all" ,x\tbob 10.0.0.0/8 md5 # "no, one"'), [
    ['host'],
    ['all', '<all>'],
    ['x'],
    ['bob'],
    ['10.0.0.0/8'],
    ['md5'],
  ]);
  assert.deepEqual(words('local "a ""b"" # c", d'), [['local'], ['<a "b" # c>', 'd']]);
  assert.deepEqual(words('host a,\tb x#y'), [['host'], ['a', 'b'], ['x']]);
  assert.deepEqual(words('local "" x'), [['local'], ['<>'], ['x']]);
  assert.deepEqual(words('local pre"fix it",'), [['local'], ['prefix it']]);
  assert.deepEqual(words('  # nothing'), []);
  assert.deepEqual(words('local "never closed , # '), [['local'], ['<never closed , # >']]);
});

test('a backslash at the end of a line continues it, also in a comment, and the same one counts once', () => {
  assert.equal(logicalLine('local \\\n  all \\\r\nbob peer\nnext', 1), 'local   all bob peer');
  assert.equal(logicalLine('a\n# note \\\nlocal all all trust', 2), '# note local all all trust');
  assert.equal(logicalLine('twice\\\\\n\nnext', 1), 'twice\\');
  assert.equal(logicalLine('last\\', 1), 'last');
});

test('a name that was quoted is read as it is', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('"', ' ', '#', ',', 'a', '@', '\\', '+') }), (name) => {
      assert.deepEqual(words(`x ${quoteHba(name)} y`), [['x'], [`<${name}>`], ['y']]);
    }),
  );
});
