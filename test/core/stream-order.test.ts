import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { sortedStreams } from '../../src/core/stream-order.ts';
import { findOrAdd, makeStreamTable, streamName } from '../../src/core/stream-table.ts';

function orderOf(names: readonly string[]): string[] {
  const table = makeStreamTable();
  for (const name of names) {
    const bytes = Buffer.from(name);
    findOrAdd(table, bytes, 0, bytes.length);
  }
  return Array.from(sortedStreams(table), (index) => Buffer.from(streamName(table, index)).toString());
}

const byBytes = (names: readonly string[]): string[] =>
  [...new Set(names)].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));

describe('the order of streams', () => {
  it('is that of the bytes of their names, of however many', () => {
    const name = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 3 }),
      // Many that begin alike, and that end where others go on.
      fc.string({ unit: fc.constantFrom('\0', 'a', 'b'), maxLength: 9 }),
      fc.integer({ min: 0, max: 99 }).map((number) => `${'tenant/'.repeat(5)}${number}`),
      fc.integer({ min: 0, max: 5000 }).map((number) => `order-${number}`),
    );
    fc.assert(
      fc.property(fc.array(name, { maxLength: 300 }), (names) => {
        assert.deepEqual(orderOf(names), byBytes(names));
      }),
      { numRuns: 300 },
    );
  });

  it('is the same however they came', () => {
    for (const count of [1, 15, 16, 17, 31, 33, 1000, 4097]) {
      const names = Array.from({ length: count }, (_, i) => `s-${(i * 7919) % count}-${i}`);
      const expected = byBytes(names);
      for (const given of [names, expected, expected.toReversed()])
        assert.deepEqual(orderOf(given), expected);
    }
  });

  it('is empty where there is none', () => {
    assert.deepEqual(orderOf([]), []);
  });
});
