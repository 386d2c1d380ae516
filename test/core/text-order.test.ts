import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { compareUtf8 } from '../../src/core/text-order.ts';

it('orders any two texts as their UTF-8 bytes are ordered', () => {
  const text = fc.string({
    unit: fc.constantFrom('a', 'b', '\u007f', 'é', '\ue000', '\uffff', '😀', '𐀀'),
    maxLength: 6,
  });
  fc.assert(
    fc.property(text, text, (a, b) => {
      assert.equal(Math.sign(compareUtf8(a, b)), Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b))));
    }),
    { numRuns: 2000 },
  );
});
