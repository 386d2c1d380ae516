import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { formatUuid, parseUuid, parseUuidPairs } from '../../src/core/uuid-text.ts';

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

  it('is read two digits a step as it is byte by byte, whatever byte stands where', () => {
    const text = Buffer.from(`x${'01234567-89ab-cdef-fedc-ba9876543210'}`);
    const view = new DataView(text.buffer, text.byteOffset, text.length);
    for (let at = 1; at < text.length; at += 1) {
      const was = text[at]!;
      for (let byte = 0; byte < 256; byte += 1) {
        text[at] = byte;
        const [one, four] = [new Uint8Array(16), new Uint8Array(16)];
        const isUuid = parseUuid(text, 1, 36, one, 0);
        assert.equal(parseUuidPairs(view, 1, four, 0), isUuid, text.toString('latin1'));
        if (isUuid) assert.deepEqual(four, one);
      }
      text[at] = was;
    }
  });
});
