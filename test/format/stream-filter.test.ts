import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { findOrAdd, makeStreamTable } from '../../src/core/stream-table.ts';
import { makeFilter, mayContain } from '../../src/format/stream-filter.ts';

function filterOf(names: readonly Uint8Array[]): Uint8Array {
  const table = makeStreamTable();
  return makeFilter(
    table,
    names.map((name) => findOrAdd(table, name, 0, name.length)),
  );
}

describe('a stream filter', () => {
  it('never denies a stream that is there', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 300 }), (names) => {
        const filter = filterOf(names);
        for (const name of names) assert.equal(mayContain(filter, name), true);
      }),
    );
  });

  it('is wrong about absent streams in about one of a hundred cases', () => {
    const name = (kind: string, i: number): Buffer => Buffer.from(`${kind}-${i}`);
    const filter = filterOf(Array.from({ length: 4000 }, (_, i) => name('order', i)));
    let wrong = 0;
    for (let i = 0; i < 20_000; i += 1) if (mayContain(filter, name('account', i))) wrong += 1;
    assert.ok(wrong < 400, `${wrong} of 20,000`);
  });
});
