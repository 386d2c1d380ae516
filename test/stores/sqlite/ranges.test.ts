import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keyRangesOf } from '../../../src/stores/sqlite/ranges.ts';

test('a range is read as it is written, and refused when it is none', () => {
  const rowid = (value: bigint) => ({ sql: '?', value });
  assert.deepEqual(keyRangesOf({ index: 0, spec: '-4..5,17..,..' }), [
    { after: rowid(-4n), last: rowid(5n) },
    { after: rowid(17n), last: null },
    { after: null, last: null },
  ]);
  for (const spec of ['', '5', 'x..', '..1e3', '1..2..3', ' ..', '0x1..', '1.5..2']) {
    assert.throws(() => keyRangesOf({ index: 0, spec }), { code: 'usage' }, spec);
  }
});
