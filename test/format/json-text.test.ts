import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { makeByteWriter, writtenBytes } from '../../src/format/byte-writer.ts';
import { closingQuote, readJsonText, writeJsonText } from '../../src/format/json-text.ts';

function escaped(text: string): string {
  const out = makeByteWriter();
  const bytes = Buffer.from(text);
  writeJsonText(out, bytes, 0, bytes.length);
  return Buffer.from(writtenBytes(out)).toString();
}

/** Null when it is not accepted. The closing quote is the last byte of the buffer, as at the end of a cut chunk. */
function unescaped(inside: string): string | null {
  const bytes = Buffer.from(`${inside}"`);
  const out = makeByteWriter();
  const isText = readJsonText(bytes, 0, bytes.length - 1, out);
  return isText ? Buffer.from(writtenBytes(out)).toString() : null;
}

test('writes what JSON.stringify writes for any text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      assert.equal(`"${escaped(text)}"`, JSON.stringify(text));
    }),
  );
  const control = Array.from({ length: 0x20 }, (_, code) => String.fromCharCode(code)).join('');
  assert.equal(`"${escaped(control)}"`, JSON.stringify(control));
});

test('makes room for text that escaping makes six times as long', () => {
  const text = '\u0001"é'.repeat(100_000);
  assert.equal(escaped(text), '\\u0001\\"é'.repeat(100_000));
  assert.equal(unescaped(escaped(text)), text);
});

test('reads back what it writes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      assert.equal(unescaped(escaped(text)), text);
    }),
  );
});

test('refuses escapes that it does not write, and those that are cut off', () => {
  const foreign = [
    '\\/',
    '\\u0041',
    '\\u000a',
    '\\u000A',
    '\\u001F',
    '\\u00e9',
    '\\ud834\\udd1e',
    '\\u0022',
    '\\x41',
    '\\0',
  ];
  const cut = ['\\u', '\\u0', '\\u00', '\\u001', '\\'];
  for (const inside of [...foreign, ...cut]) assert.equal(unescaped(inside), null, inside);
});

test('finds the quote that closes a string', () => {
  const find = (text: string) => closingQuote(Buffer.from(text), 0, Buffer.byteLength(text));
  assert.equal(find('ab"c"'), 2);
  assert.equal(find('a\\"b"'), 4);
  assert.equal(find('a\\\\"b"'), 3);
  assert.equal(find('é"'), 2);
  assert.equal(find('ab'), -1);
  assert.equal(find('a\\'), -1);
  assert.equal(find('a\\"'), -1);
  assert.equal(find('a\nb"'), -1);
});
