import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRate, parseSize } from '../../src/cli/arguments.ts';

test('a size is an exact number of bytes, or none', () => {
  assert.equal(parseSize('500MB'), 500_000_000);
  assert.equal(parseSize('1.5 kB'), 1500);
  for (const text of ['9007199254740993B', '99999TB', `${'9'.repeat(400)}B`, '-1B', 'MB']) {
    assert.equal(parseSize(text), null, text.slice(0, 30));
  }
});

test('a rate is a size a second, and not so slow that leases run out', () => {
  assert.deepEqual(['50MB/s', '50 MB', '100kB/s'].map(parseRate), [50_000_000, 50_000_000, 100_000]);
  assert.deepEqual(['99kB/s', '50', '50MB/min', '/s', ''].map(parseRate), [null, null, null, null, null]);
});
