import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { makeByteWriter, writtenBytes } from '../../src/format/byte-writer.ts';
import { writeInteger } from '../../src/format/decimal-text.ts';

test('writes every exact integer as JavaScript does, and −0 as 0', () => {
  const edges = [0, -0, 9, 10, 99, 100, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 1e15, Number.MAX_SAFE_INTEGER];
  const value = fc.oneof(fc.maxSafeInteger(), fc.integer(), fc.nat(2000), fc.constantFrom(...edges));
  fc.assert(
    fc.property(value, fc.boolean(), (magnitude, isNegative) => {
      const out = makeByteWriter();
      const integer = isNegative ? -magnitude : magnitude;
      writeInteger(out, integer);
      assert.equal(Buffer.from(writtenBytes(out)).toString(), String(integer));
    }),
    { numRuns: 2000 },
  );
});
