import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatTime, parseTime, TIME_INFINITY, TIME_MINUS_INFINITY } from '../../src/core/time.ts';
import { makeByteWriter, writtenBytes } from '../../src/format/byte-writer.ts';
import { makeDayCache, readRecordedAt, writeRecordedAt } from '../../src/format/recorded-at.ts';
import { timeWords } from '../../src/format/time-words.ts';

const DAY = 86_400_000_000n;

const time = fc.oneof(
  fc.bigInt({ min: TIME_MINUS_INFINITY, max: TIME_INFINITY }),
  fc.bigInt({ min: -3n * DAY, max: 3n * DAY }),
  fc
    .tuple(fc.bigInt({ min: -110_000n, max: 110_000n }), fc.constantFrom(-1n, 0n, 1n))
    .map(([day, us]) => day * DAY + us),
  fc.constantFrom(
    TIME_INFINITY,
    TIME_MINUS_INFINITY,
    2n ** 53n,
    2n ** 53n - 1n,
    -(2n ** 53n),
    -(2n ** 53n) - 1n,
  ),
);

/** With one cache for all, so that what it keeps from one time meets the next. */
function makeRecordedAt() {
  const days = makeDayCache();
  return {
    write(value: bigint): string {
      const times = BigInt64Array.of(0n, value);
      const out = makeByteWriter();
      writeRecordedAt(out, days, times, timeWords(times), 1);
      return Buffer.from(writtenBytes(out)).toString();
    },
    read(text: string): bigint | null {
      const times = BigInt64Array.of(-7n, -7n);
      const bytes = Buffer.from(`0${text}9`);
      const isTime = readRecordedAt(bytes, 1, bytes.length - 2, days, times, timeWords(times), 1);
      assert.equal(times[0], -7n);
      return isTime ? times[1]! : null;
    },
  };
}

test('writes the text that formatTime gives, and reads it back', () => {
  const writer = makeRecordedAt();
  const reader = makeRecordedAt();
  fc.assert(
    fc.property(time, (value) => {
      const text = writer.write(value);
      assert.equal(text, formatTime(value));
      assert.equal(reader.read(text), value);
      assert.equal(reader.read(text), value);
    }),
    { numRuns: 3000 },
  );
});

test('keeps every microsecond of the days in which doubles stop being exact', () => {
  const { write, read } = makeRecordedAt();
  for (const edge of [2n ** 53n, -(2n ** 53n)]) {
    for (let us = -3n; us <= 3n; us += 1n) {
      const text = formatTime(edge + us);
      assert.equal(write(edge + us), text);
      assert.equal(read(text), edge + us, text);
    }
  }
});

test('reads no other text, even where it names the same time', () => {
  const reader = makeRecordedAt();
  const text = '2026-11-23T04:05:06.123456Z';
  const value = parseTime(text)!;
  for (const other of [
    '2026-11-23 04:05:06.123456Z',
    '2026-11-23T04:05:06.123456z',
    '2026-11-23T04:05:06.12345Z',
    '2026-11-23T04:05:06Z',
    '2026-11-23T05:05:06.123456+01:00',
    '2026-11-23T24:00:00.000000Z',
    '2026-11-23T04:60:06.123456Z',
    '2026-11-23T04:05:60.123456Z',
    '2026-11-31T04:05:06.123456Z',
    '2026-11-23T04:05:06.1234:6Z',
    '2026-11-23T04:05:0/.123456Z',
    '2026-11-23T04-05:06.123456Z',
    '2026-11-23T04:05:06,123456Z',
    '+002026-11-23T04:05:06.123456Z',
    '-000000-01-01T00:00:00.000000Z',
    'Infinity',
    '',
  ]) {
    assert.equal(reader.read(other), null, other);
    assert.equal(reader.read(text), value);
    assert.equal(reader.read(other), null, `${other} on a day that was just seen`);
  }
});

test('never reads a damaged text as a time that is written in another way', () => {
  const reader = makeRecordedAt();
  fc.assert(
    fc.property(time, fc.nat(), fc.constantFrom(...'0129:.-+TZ/ é'), (value, place, letter) => {
      const text = formatTime(value);
      const at = place % text.length;
      const damaged = text.slice(0, at) + letter + text.slice(at + 1);
      const read = reader.read(damaged);
      if (read !== null) assert.equal(formatTime(read), damaged);
    }),
    { numRuns: 3000 },
  );
});
