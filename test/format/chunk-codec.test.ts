import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { BackupError } from '../../src/core/errors.ts';
import type { EventBatch } from '../../src/core/event-batch.ts';
import { CHUNK_FORMATS } from '../../src/core/manifest.ts';
import { type ChunkCodec, chunkCodec } from '../../src/format/chunk-codec.ts';
import { batchRows, makeBatch, type TestEvent } from '../../src/testing/batches.ts';
import { arbitraryEvents } from './event-arbitraries.ts';

const SMALL: TestEvent[] = [
  { streamId: 'account-1', version: 1, type: 'Opened', data: '{"a": 1}', time: 849_000_000_000_000n },
  { streamId: 'account-2', version: 1, type: 'Opened', data: '{"b": "é"}', metadata: null },
  { streamId: 'account-1', version: 2, type: 'Closed', data: 'no json', time: 5n, timeText: 'later' },
];

for (const format of CHUNK_FORMATS) {
  describe(`a ${format} chunk`, () => {
    const codec = chunkCodec(format);
    const decodeRows = (plain: Uint8Array) => batchRows(codec.decode(plain));
    const encode = (events: readonly TestEvent[]) => Uint8Array.from(codec.encode(makeBatch(events)));

    test('gives back every byte of every event', () => {
      fc.assert(
        fc.property(arbitraryEvents, (events) => {
          assert.deepEqual(decodeRows(encode(events)), batchRows(makeBatch(events)));
        }),
        { numRuns: 300 },
      );
    });

    test('is the same bytes when what was read from it is written again', () => {
      fc.assert(
        fc.property(arbitraryEvents, (events) => {
          const plain = encode(events);
          assert.deepEqual(Uint8Array.from(codec.encode(codec.decode(plain))), plain);
        }),
        { numRuns: 200 },
      );
    });

    test('is the same whether ids came as 16 bytes or as their canonical text', () => {
      const asText = codec.encode(makeBatch(SMALL, { idKind: 'text' }));
      assert.deepEqual(Uint8Array.from(asText), encode(SMALL));
      assert.equal(codec.decode(asText).idKind, 'uuid');
    });

    test('is the same whether the store vouches for its JSON or each value is looked at', () => {
      const events = SMALL.slice(0, 2);
      const vouched = codec.encode(makeBatch(events, { jsonIsCompact: true }));
      assert.deepEqual(Uint8Array.from(vouched), encode(events));
    });

    test('holds no events, one event, and ten thousand', () => {
      for (const count of [0, 1, 10_000]) {
        const events = Array.from({ length: count }, (_, row) => ({
          streamId: `stream-${row % 3000}`,
          version: Math.floor(row / 3000) + 1,
          data: `{"row": ${row}}`,
          time: 849_000_000_000_000n + BigInt(row) * 977n,
        }));
        assert.deepEqual(decodeRows(encode(events)), batchRows(makeBatch(events)));
      }
    });

    test('holds values of a megabyte, and after them small ones again', () => {
      const big = 'x'.repeat(1 << 20);
      const events = [
        { streamId: 's', version: 1, data: `{"a": "${big}"}`, metadata: big },
        { streamId: big, version: 1, data: new Uint8Array(1 << 20).fill(0xff), metadata: `\n"${big}\u0001` },
      ];
      assert.deepEqual(decodeRows(encode(events)), batchRows(makeBatch(events)));
      assert.deepEqual(decodeRows(encode(SMALL)), batchRows(makeBatch(SMALL)));
    });

    test('outgrows its buffer at any place in an event', () => {
      for (let shift = 0; shift < 40; shift += 1) {
        const events = Array.from({ length: 300 }, (_, row) => ({
          streamId: '\u0001'.repeat((row * 7 + shift) % 50),
          version: row,
          timeText: '\u0001'.repeat((row * 11 + shift) % 330),
        }));
        const fresh = chunkCodec(format);
        assert.deepEqual(
          batchRows(fresh.decode(fresh.encode(makeBatch(events)))),
          batchRows(makeBatch(events)),
        );
      }
    });

    test('is decoded wherever it lies in its buffer', () => {
      const plain = encode(SMALL);
      for (const offset of [1, 2, 3, 7]) {
        const moved = new Uint8Array(plain.length + 16).fill(0x22);
        moved.set(plain, offset);
        assert.deepEqual(
          decodeRows(moved.subarray(offset, offset + plain.length)),
          batchRows(makeBatch(SMALL)),
        );
      }
    });

    test('is not changed by being decoded', () => {
      const plain = encode(SMALL);
      const before = Uint8Array.from(plain);
      codec.decode(plain);
      assert.deepEqual(plain, before);
    });

    test('that is damaged is refused, or is what the encoder writes for other events', {
      timeout: 60_000,
    }, () => {
      fc.assert(
        fc.property(
          arbitraryEvents,
          fc.array(arbitraryDamage, { minLength: 1, maxLength: 3 }),
          (events, damages) => {
            const plain = damages.reduce<Uint8Array>((bytes, damage) => damage(bytes), encode(events));
            decodesOrIsDamaged(codec, plain);
          },
        ),
        { numRuns: 1000 },
      );
    });

    test('is refused or another chunk after any single bit is flipped', { timeout: 60_000 }, () => {
      const plain = encode(SMALL);
      for (let bit = 0; bit < plain.length * 8; bit += 1) {
        const flipped = Uint8Array.from(plain);
        flipped[bit >> 3]! ^= 1 << (bit & 7);
        decodesOrIsDamaged(codec, flipped);
      }
    });

    test('is refused wherever it is cut, but between events', () => {
      const plain = encode(SMALL);
      const whole = [0, ...[1, 2].map((count) => encode(SMALL.slice(0, count)).length)];
      for (let length = 0; length < plain.length; length += 1) {
        if (format !== 'columns' && whole.includes(length)) continue;
        assert.throws(() => codec.decode(plain.subarray(0, length)), isDamaged, `cut to ${length} bytes`);
      }
    });

    test('of any bytes at all is refused without another error', { timeout: 60_000 }, () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => decodesOrIsDamaged(codec, bytes)),
        { numRuns: 300 },
      );
    });

    test('refuses an event without a stream, and a version that is not exact', () => {
      const batch = makeBatch(SMALL);
      batch.stream.lengths[1] = 0xffffffff;
      assert.throws(() => codec.encode(batch), {
        code: 'store_unsupported',
        message: /event 1 .* no stream/,
      });
      for (const version of [2 ** 53, -(2 ** 53), 1.5, Number.NaN]) {
        const odd = makeBatch([{ streamId: 's', version }]);
        assert.throws(() => codec.encode(odd), { code: 'store_unsupported', message: /version/ });
      }
    });
  });
}

/** Changes to a chunk as disks, cables and attackers make them. */
const arbitraryDamage: fc.Arbitrary<(plain: Uint8Array) => Uint8Array> = fc
  .record({
    kind: fc.constantFrom('set', 'cut', 'insert', 'remove', 'huge', 'repeat'),
    place: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    byte: fc.integer({ min: 0, max: 255 }),
    length: fc.integer({ min: 1, max: 20 }),
  })
  .map(({ kind, place, byte, length }) => (plain) => {
    const at = Math.floor(place * plain.length);
    const before = plain.subarray(0, at);
    const after = plain.subarray(at);
    if (kind === 'set') return joined(before, [byte], after.subarray(1));
    if (kind === 'cut') return joined(before);
    if (kind === 'insert') return joined(before, [byte], after);
    if (kind === 'remove') return joined(before, after.subarray(length));
    if (kind === 'huge') return joined(before, [0xff, 0xff, 0xff, byte], after.subarray(4));
    return joined(before, after.subarray(0, length), after);
  });

function joined(...parts: ArrayLike<number>[]): Uint8Array {
  return Buffer.concat(parts.map((part) => Uint8Array.from(part)));
}

/** The contract of every decoder: it accepts what its encoder writes, and nothing else, and throws nothing else. */
function decodesOrIsDamaged(codec: ChunkCodec, plain: Uint8Array): void {
  let batch: EventBatch;
  try {
    batch = codec.decode(plain);
  } catch (error) {
    assert.ok(isDamaged(error), `${String(error)} for ${Buffer.from(plain).toString('hex')}`);
    return;
  }
  assert.ok(
    Buffer.from(plain).equals(codec.encode(batch)),
    `not the same again: ${Buffer.from(plain).toString('hex')}`,
  );
}

function isDamaged(error: unknown): boolean {
  return error instanceof BackupError && error.code === 'damaged' && typeof error.facts.byte === 'number';
}
