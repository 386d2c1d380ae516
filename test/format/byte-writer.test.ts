import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  clearWriter,
  copySpan,
  makeByteWriter,
  reserve,
  writeLiteral,
  writtenBytes,
} from '../../src/format/byte-writer.ts';

test('there is room for what was reserved, and growing keeps what was written', () => {
  const lengths = fc.array(fc.oneof(fc.nat(100), fc.integer({ min: 60_000, max: 70_000 })), { maxLength: 8 });
  fc.assert(
    fc.property(lengths, (list) => {
      const out = makeByteWriter();
      const expected: Buffer[] = [];
      for (const [i, length] of list.entries()) {
        const part = Buffer.alloc(length + 2, i + 1);
        reserve(out, length);
        assert.ok(out.bytes.length - out.at >= length);
        copySpan(out, part, 1, length);
        expected.push(part.subarray(1, 1 + length));
      }
      assert.ok(Buffer.concat(expected).equals(writtenBytes(out)));
    }),
  );
});

test('a buffer filled to its last byte grows for one more', () => {
  const out = makeByteWriter();
  const room = out.bytes.length;
  reserve(out, room);
  assert.equal(out.bytes.length, room);
  writeLiteral(out, Buffer.alloc(room, 1));
  reserve(out, 1);
  assert.ok(out.bytes.length > room);
});

test('a cleared writer keeps a usual buffer and gives back one that a huge event needed', () => {
  const out = makeByteWriter();
  clearWriter(out, 8 << 20);
  const usual = out.bytes;
  clearWriter(out, 4 << 20);
  assert.equal(out.bytes, usual);
  reserve(out, 40 << 20);
  clearWriter(out);
  assert.ok(out.bytes.length < 1 << 20);
});

test('more than 4 GiB is refused before memory is asked for', () => {
  assert.throws(() => reserve(makeByteWriter(), 2 ** 32), {
    code: 'store_unsupported',
    message: /4294967296 bytes/,
  });
});
