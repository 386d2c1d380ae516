import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatTime, parseTime, TIME_INFINITY, TIME_MINUS_INFINITY } from '../../../src/core/time.ts';
import {
  TIME_TEXT_MAX,
  timeColumn,
  timeReader,
  timeWriter,
  usualTimeText,
} from '../../../src/stores/sqlite/time-text.ts';

const encode = (text: string) => new TextEncoder().encode(text);

/** Reads with a reader of its own, from the middle of other bytes, into the middle of a column. */
function read(text: string | Uint8Array, reader = timeReader()): { time: bigint; isUsual: boolean } {
  const bytes = typeof text === 'string' ? encode(text) : text;
  const around = new Uint8Array(bytes.length + 8).fill(0x39);
  around.set(bytes, 3);
  const column = timeColumn(new BigInt64Array(new ArrayBuffer(56), 16, 3).fill(77n));
  const isUsual = reader(around, 3, bytes.length, column, 1);
  assert.deepEqual([column.times[0], column.times[2]], [77n, 77n]);
  return { time: column.times[1]!, isUsual };
}

function write(time: bigint, writer = timeWriter()): string {
  const out = new Uint8Array(TIME_TEXT_MAX + 3).fill(0xff);
  const length = writer(timeColumn(BigInt64Array.of(0n, time)), 1, out, 3);
  assert.ok(out.subarray(0, 3).every((byte) => byte === 0xff));
  return new TextDecoder().decode(out.subarray(3, 3 + length));
}

/** Mostly of this century, sometimes of any. */
const anyTime = fc.oneof(
  fc.bigInt({ min: 0n, max: 3_155_760_000_000_000n }),
  fc.bigInt({ min: 0n, max: 3_155_760_000_000n }).map((ms) => ms * 1000n),
  fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }),
);

test('a time is written as core/time writes it, with microseconds only where there are some', () => {
  const writer = timeWriter();
  fc.assert(
    fc.property(anyTime, (time) => {
      assert.equal(write(time, writer), formatTime(time, time % 1000n === 0n ? 3 : 6));
    }),
  );
});

test('what is written is read back as the same time, in its usual form', () => {
  const reader = timeReader();
  fc.assert(
    fc.property(anyTime, (time) => {
      assert.deepEqual(read(usualTimeText(time), reader), { time, isUsual: true });
    }),
  );
});

test('a text with some characters changed is read exactly as core/time reads it', () => {
  const reader = timeReader();
  const mutation = fc.record({ at: fc.nat({ max: 27 }), put: fc.constantFrom(...'0123456789-:.TZ +z\0é') });
  fc.assert(
    fc.property(anyTime, fc.array(mutation, { maxLength: 3 }), (time, mutations) => {
      let text = usualTimeText(time);
      for (const { at, put } of mutations) text = text.slice(0, at) + put + text.slice(at + 1);
      const parsed = parseTime(text);
      assert.deepEqual(read(text, reader), {
        time: parsed ?? TIME_MINUS_INFINITY,
        isUsual: parsed !== null && usualTimeText(parsed) === text,
      });
    }),
    { numRuns: 2000 },
  );
});

for (const text of [
  '2026-02-30T00:00:00.000Z',
  '2026-13-01T00:00:00.000Z',
  '2026-01-01T24:00:00.000Z',
  '2026-01-01T00:60:00.000Z',
  '2026-01-01T00:00:60.000Z',
  '2026/01-01T00:00:00.000Z',
  '2026-01-01T00:00:00,000Z',
  '2026-01-01T00:00:0:.000Z',
  'yesterday',
  '',
]) {
  test(`${JSON.stringify(text)} is no time`, () => {
    assert.deepEqual(read(text), { time: TIME_MINUS_INFINITY, isUsual: false });
  });
}

for (const [text, same] of [
  ['2026-11-23 04:05:06', '2026-11-23T04:05:06.000Z'],
  ['2026-11-23T04:05:06.1Z', '2026-11-23T04:05:06.100Z'],
  ['2026-11-23T04:05:06.123000Z', '2026-11-23T04:05:06.123Z'],
  ['2026-11-23T05:05:06.123+01:00', '2026-11-23T04:05:06.123Z'],
  ['2026-11-23T04:05:06.123456789Z', '2026-11-23T04:05:06.123456Z'],
] as const) {
  test(`${text} is a time, but not in its usual form`, () => {
    assert.deepEqual(read(text), { time: parseTime(same), isUsual: false });
  });
}

test('a day that is none after one that is some is not taken for it', () => {
  const reader = timeReader();
  assert.equal(read('2026-02-28T00:00:00.000Z', reader).isUsual, true);
  assert.equal(read('2026-02-29T00:00:00.000Z', reader).time, TIME_MINUS_INFINITY);
  assert.equal(read('2026-02-28T00:00:00.001Z', reader).time, parseTime('2026-02-28T00:00:00.001Z'));
});

test('bytes that are no UTF-8 are no time', () => {
  const bytes = encode('2026-11-23T04:05:06.123Z');
  bytes[3] = 0xff;
  assert.deepEqual(read(bytes), { time: TIME_MINUS_INFINITY, isUsual: false });
  assert.equal(read(encode('\uFEFF2026-11-23T04:05:06.123Z')).isUsual, false);
});

test('both infinities are kept', () => {
  for (const time of [TIME_INFINITY, TIME_MINUS_INFINITY]) {
    assert.deepEqual(read(write(time)), { time, isUsual: true });
  }
});
