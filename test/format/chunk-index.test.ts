import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeIndex } from '../../src/format/chunk-index.ts';

test('a chunk table whose first line is anything at all is damaged, and no other error', () => {
  const odd = '{"toString":1,"valueOf":1}';
  const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;
  for (const value of [odd, deep, 'null', '"x"', '1e400']) {
    for (const head of [
      `{"index":${value},"file":"f","chunks":0}`,
      `{"index":1,"file":${value},"chunks":0}`,
      `{"index":1,"file":"f","chunks":${value}}`,
      value,
    ]) {
      assert.throws(
        () => decodeIndex(Buffer.from(`${head}\n`), 'f', 0),
        { code: 'damaged' },
        head.slice(0, 60),
      );
    }
  }
});
