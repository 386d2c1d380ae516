import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { getSparse, hasSparse, makeSparse, removeSparse, setSparse } from '../../src/core/sparse.ts';

test('few values of many numbers are kept as a Map keeps them', () => {
  // Beside the places where one Map ends and the next begins, too.
  const number = fc.constantFrom(0, 1, 2 ** 23 - 1, 2 ** 23, 2 ** 24, 2 ** 26 + 5, 2 ** 31);
  const step = fc.record({ number, value: fc.option(fc.integer(), { nil: undefined }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      let sparse = makeSparse<number>();
      const expected = new Map<number, number>();
      for (const { number, value } of steps) {
        if (value === undefined) {
          removeSparse(sparse, number);
          expected.delete(number);
        } else {
          setSparse(sparse, number, value);
          expected.set(number, value);
        }
        assert.equal(sparse.size, expected.size);
      }
      sparse = structuredClone(sparse);
      for (const { number } of steps) {
        assert.equal(getSparse(sparse, number), expected.get(number));
        assert.equal(hasSparse(sparse, number), expected.has(number));
      }
    }),
  );
});
