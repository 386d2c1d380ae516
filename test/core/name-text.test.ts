import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nameBytes, nameText } from '../../src/core/name-text.ts';

test('a name that is no UTF-8 has a text, however long it is', () => {
  for (const length of [1, 200_000, 3_000_000]) {
    const name = new Uint8Array(length).fill(0xff);
    const text = nameText(name);
    assert.equal(text.slice(0, 9), length === 1 ? 'base64:/w' : 'base64://');
    assert.equal(Buffer.compare(nameBytes(text), name), 0);
  }
});
