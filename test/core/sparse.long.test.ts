import assert from 'node:assert/strict';
import { test } from 'node:test';
import { getSparse, makeSparse, setSparse } from '../../src/core/sparse.ts';

test('more values are kept than a Map can hold', () => {
  const sparse = makeSparse<number>();
  const count = 2 ** 24 + 1000;
  for (let number = 0; number < count; number += 1) setSparse(sparse, number, -number);
  assert.equal(sparse.size, count);
  for (const number of [1, 2 ** 23, 2 ** 24, count - 1]) assert.equal(getSparse(sparse, number), -number);
  assert.throws(() => {
    const map = new Map<number, number>();
    for (let number = 0; number < count; number += 1) map.set(number, 0);
  }, /Map maximum size/);
});
