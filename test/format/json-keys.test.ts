import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { objectKeys } from '../../src/format/json-keys.ts';

function keysOf(text: string): string[] {
  const bytes = Buffer.from(`{"before":${text},"behind":1}`);
  return [...objectKeys(bytes, 10, 10 + Buffer.byteLength(text))];
}

test('the keys of an object are those that JSON.parse gives, however it is written', () => {
  fc.assert(
    fc.property(fc.jsonValue({ noUnicodeString: false }), fc.constantFrom(0, 2), (value, indent) => {
      const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
      const text = JSON.stringify(value, null, indent);
      const expected = isObject ? Object.keys(JSON.parse(text) as object) : [];
      assert.deepEqual(keysOf(text).sort(), expected.sort());
    }),
    { numRuns: 500 },
  );
});

test('a key may be escaped, and what is no JSON has some keys or none, and an end', () => {
  assert.deepEqual(keysOf('{"a\\u0062" : 1, "\\"":{"x":2}}'), ['ab', '"']);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      for (const key of objectKeys(Buffer.from(bytes), 0, bytes.length)) assert.equal(typeof key, 'string');
    }),
  );
});
