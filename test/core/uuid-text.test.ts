import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { formatUuid, parseUuid } from '../../src/core/uuid-text.ts';

describe('UUID text', () => {
  it('is read and written back byte for byte in its canonical form only', () => {
    fc.assert(
      fc.property(fc.uuid(), (uuid) => {
        const out = new Uint8Array(16);
        assert.equal(parseUuid(Buffer.from(uuid), 0, 36, out, 0), true);
        assert.equal(formatUuid(out, 0), uuid);
      }),
    );
    for (const text of ['', '01890a5dac96774bbcceb302099a8057', '01890A5D-AC96-774B-BCCE-B302099A8057']) {
      assert.equal(parseUuid(Buffer.from(text), 0, text.length, new Uint8Array(16), 0), false, text);
    }
  });
});
