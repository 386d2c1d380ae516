import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { byteSource } from '../../src/format/byte-source.ts';
import { clearNames, makeNameDictionary, nameNumber } from '../../src/format/name-dictionary.ts';

test('names get numbers in the order in which they are first seen, chunk after chunk', () => {
  const names = makeNameDictionary();
  const name = fc.oneof(fc.string({ maxLength: 3 }), fc.string({ minLength: 100, maxLength: 103 }));
  fc.assert(
    fc.property(fc.array(name, { maxLength: 60 }), (list) => {
      clearNames(names);
      const seen = new Map<string, number>();
      const bytes = Buffer.from(list.join(''));
      let start = 0;
      for (const text of list) {
        if (!seen.has(text)) seen.set(text, seen.size);
        const length = Buffer.byteLength(text);
        assert.equal(nameNumber(names, byteSource(bytes), start, length), seen.get(text));
        start += length;
      }
      assert.equal(names.count, seen.size);
    }),
  );
});

test('a hundred thousand names keep their numbers while the table grows', () => {
  const names = makeNameDictionary();
  const count = 100_000;
  const bytes = Buffer.from(Array.from({ length: count }, (_, i) => String(1_000_000 + i)).join(''));
  for (let round = 0; round < 2; round += 1) {
    for (let i = 0; i < count; i += 1) assert.equal(nameNumber(names, byteSource(bytes), i * 7, 7), i);
  }
  assert.equal(names.count, count);
});
