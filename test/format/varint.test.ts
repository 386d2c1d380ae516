import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { makeByteWriter, writtenBytes } from '../../src/format/byte-writer.ts';
import {
  MAX_VARINT_BYTES,
  makeByteReader,
  readVarint,
  readVarint64,
  writeVarint,
  writeVarint64,
} from '../../src/format/varint.ts';

/** LEB128 as its definition has it. */
function leb128(value: bigint): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>= 7n) {
    if (rest < 0x80n) return [...bytes, Number(rest)];
    bytes.push(Number(rest & 0x7fn) | 0x80);
  }
}

function readerOf(bytes: readonly number[]) {
  return makeByteReader('columns', Buffer.from(bytes), 0, bytes.length);
}

function read64(bytes: readonly number[]): bigint {
  const reader = readerOf(bytes);
  readVarint64(reader);
  assert.equal(reader.at, bytes.length);
  return BigInt.asUintN(64, (BigInt(reader.high) << 32n) | BigInt(reader.low >>> 0));
}

const EDGES = [0, 7, 14, 21, 28, 31, 32, 35, 53, 63, 64].flatMap((bits) => [
  2n ** BigInt(bits) - 1n,
  2n ** BigInt(bits),
]);
const edges = (most: bigint) => fc.constantFrom(...EDGES.filter((value) => value <= most));

test('numbers up to 2^53 − 1 are written as LEB128', () => {
  const safe = BigInt(Number.MAX_SAFE_INTEGER);
  fc.assert(
    fc.property(fc.oneof(fc.bigInt({ min: 0n, max: safe }), edges(safe)), (value) => {
      const out = makeByteWriter();
      writeVarint(out, Number(value));
      assert.deepEqual([...writtenBytes(out)], leb128(value));
    }),
  );
});

test('numbers up to 2^35 − 1 are read back', () => {
  const most = 2n ** 35n - 1n;
  fc.assert(
    fc.property(fc.oneof(fc.bigInt({ min: 0n, max: most }), edges(most)), (value) => {
      const reader = readerOf(leb128(value));
      assert.equal(readVarint(reader), Number(value));
      assert.equal(reader.at, reader.end);
    }),
  );
});

test('64-bit numbers are written as LEB128 and read back', () => {
  const most = 2n ** 64n - 1n;
  fc.assert(
    fc.property(fc.oneof(fc.bigInt({ min: 0n, max: most }), edges(most)), (value) => {
      const out = makeByteWriter();
      writeVarint64(out, Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n)));
      assert.deepEqual([...writtenBytes(out)], leb128(value));
      assert.ok(out.at <= MAX_VARINT_BYTES);
      assert.equal(read64(leb128(value)), value);
    }),
    { numRuns: 500 },
  );
});

test('a number that is cut off, too large or longer than it needs to be is refused', () => {
  const ff = (count: number) => new Array<number>(count).fill(0xff);
  for (const bytes of [[], [0x80], [0x80, 0x00], [0xff, 0x80, 0x00], ff(5), [...ff(5), 0x01]]) {
    assert.throws(() => readVarint(readerOf(bytes)), { code: 'damaged', facts: { byte: 0 } });
  }
  for (const bytes of [
    [],
    [0x80],
    [0x80, 0x00],
    ff(9),
    [...ff(9), 0x02],
    [...ff(9), 0x7f],
    [...ff(10), 0x01],
  ]) {
    assert.throws(() => readVarint64(readerOf(bytes)), { code: 'damaged', facts: { byte: 0 } });
  }
  assert.equal(read64([...ff(9), 0x01]), 2n ** 64n - 1n);
});
