import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BackupError } from '../../../src/core/errors.ts';
import { cutIntoRanges, rangeCondition } from '../../../src/stores/postgres/range.ts';

const MIB = 1024 * 1024;

test('ranges meet without gap or overlap, from block 0 to an open end', () => {
  fc.assert(
    fc.property(fc.nat(64 * 1024 * MIB), fc.integer({ min: 1, max: 64 }), (tableBytes, parallel) => {
      const ranges = cutIntoRanges(tableBytes, parallel);
      assert.ok(ranges.length >= 1 && ranges.length <= parallel);
      let next = 0;
      for (const [i, range] of ranges.entries()) {
        assert.equal(range.index, i);
        const isLast = i === ranges.length - 1;
        const { from, to } = JSON.parse(range.spec);
        assert.equal(from, next);
        assert.ok(isLast ? to === null : to > from);
        next = to;
      }
    }),
  );
});

test('a small table is one range, a large one is cut evenly', () => {
  assert.equal(cutIntoRanges(0, 8).length, 1);
  assert.equal(cutIntoRanges(3 * MIB, 8).length, 1);
  assert.deepEqual(cutIntoRanges(1024 * MIB, 4).map(rangeCondition), [
    "ctid >= '(0,0)' AND ctid < '(32768,0)'",
    "ctid >= '(32768,0)' AND ctid < '(65536,0)'",
    "ctid >= '(65536,0)' AND ctid < '(98304,0)'",
    "ctid >= '(98304,0)'",
  ]);
});

test('a range of another kind of store, or one that carries SQL, is refused', () => {
  for (const spec of [
    '',
    'null',
    '{}',
    '{"from":1}',
    '{"from":-1,"to":null}',
    `{"from":"0,0)' OR 1=1","to":null}`,
  ]) {
    assert.throws(
      () => rangeCondition({ index: 0, spec }),
      (error) => error instanceof BackupError && error.code === 'usage',
    );
  }
});
