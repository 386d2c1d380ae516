import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BackupError } from '../../../src/core/errors.ts';
import { MAX_VERSION } from '../../../src/core/event-batch.ts';
import { TIME_INFINITY, TIME_MINUS_INFINITY } from '../../../src/core/time.ts';
import { type CopyDecoder, makeCopyDecoder, requireEnd } from '../../../src/stores/postgres/copy-decoder.ts';
import {
  encodeRow,
  eventInChunk,
  makeCopyEncoder,
  takeChunk,
} from '../../../src/stores/postgres/copy-encoder.ts';
import { batchRows, completeEvent, makeBatch, type TestEvent } from '../../../src/testing/batches.ts';
import { batchesFrom, encode, message, messages } from './copy-bytes.ts';

function feed(
  decoder: CopyDecoder,
  bytes: Uint8Array,
  cuts: readonly number[],
  onSize: (bufferBytes: number) => void = () => undefined,
): Required<TestEvent>[] {
  const rows: Required<TestEvent>[] = [];
  for (const batch of batchesFrom(decoder, bytes, cuts, onSize)) rows.push(...batchRows(batch));
  return rows;
}

const text = fc.string({ unit: 'grapheme', maxLength: 40 });
const anyEvent: fc.Arbitrary<TestEvent> = fc.record({
  id: fc.uuid(),
  streamId: text,
  version: fc.maxSafeInteger(),
  type: text,
  data: fc.oneof(text, fc.string({ minLength: 500, maxLength: 3000 })),
  metadata: text,
  time: fc.bigInt({ min: TIME_MINUS_INFINITY, max: TIME_INFINITY }),
});

test('what is encoded is decoded again, however the bytes are cut and however small the buffer is', () => {
  fc.assert(
    fc.property(
      fc.array(anyEvent, { maxLength: 30 }),
      fc.integer({ min: 1, max: 5000 }),
      fc.array(fc.nat()),
      (events, batchBytes, cuts) => {
        const decoder = makeCopyDecoder(batchBytes);
        const rows = feed(decoder, messages(encode(events)), cuts);
        requireEnd(decoder);
        assert.deepEqual(rows, events.map(completeEvent));
      },
    ),
  );
});

test('messages that are no rows are handed on whole, wherever they come', () => {
  const events = [1, 2, 3].map((version) => completeEvent({ streamId: 'a', version }, version));
  const copy = messages(encode(events));
  const notice = message('N', Buffer.from('SNOTICE'));
  const done = Buffer.concat([message('c', Buffer.alloc(0)), message('Z', Buffer.from('I'))]);
  const handedOn: Buffer[] = [];
  const decoder = makeCopyDecoder(100, (bytes) => handedOn.push(bytes));
  const rows = feed(
    decoder,
    Buffer.concat([message('H', Buffer.alloc(9)), notice, copy, notice, done]),
    [3, 70, 71],
  );
  assert.deepEqual(rows, events);
  assert.deepEqual(handedOn.map((bytes) => bytes.toString('latin1', 0, 1)).join(''), 'HNNcZ');
  assert.deepEqual(handedOn[1], notice);
  requireEnd(decoder);
});

test('versions and times keep their value at the ends of their ranges', () => {
  const events = [MAX_VERSION, -MAX_VERSION, 0, -1, 1, 2 ** 32, -(2 ** 32), 2 ** 32 - 1].map(
    (version, i) => ({
      streamId: 'a',
      version,
      time: [TIME_INFINITY, TIME_MINUS_INFINITY, 0n, -1n][i % 4]!,
    }),
  );
  assert.deepEqual(feed(makeCopyDecoder(100), messages(encode(events)), []), events.map(completeEvent));
});

test('a version past 2^53 − 1, either way, is refused with its value', () => {
  for (const version of [2n ** 53n, -(2n ** 53n), 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n)]) {
    const bytes = encode([{ streamId: 'a', version: 0x1122334455667 }]);
    const at = bytes.indexOf(Buffer.from('0001122334455667', 'hex'));
    bytes.writeBigInt64BE(version, at);
    assert.throws(
      () => feed(makeCopyDecoder(1000), messages(bytes), []),
      refused('store_unsupported', String(version)),
    );
  }
});

test('no room is made by the word of a message: it grows as bytes come', () => {
  const decoder = makeCopyDecoder(4096);
  const head = Buffer.from(messages(encode([completeEvent({ streamId: 'a', version: 1 }, 0)]))).subarray(
    0,
    300,
  );
  head.writeUInt32BE(0x7fff_ff00, 1);
  let largest = 0;
  assert.throws(() => {
    const bytes = Buffer.concat([head, Buffer.alloc(40 << 20)]);
    feed(decoder, bytes, [], (size) => {
      largest = Math.max(largest, size);
    });
    requireEnd(decoder);
  }, BackupError);
  assert.ok(largest < 100 << 20, `${largest} bytes`);
});

test('a row larger than the buffer makes it grow, and it shrinks again behind the row', () => {
  const small = { streamId: 'a', version: 1, data: '"s"' };
  const large = { streamId: 'a', version: 2, data: JSON.stringify('x'.repeat(1_000_000)) };
  const decoder = makeCopyDecoder(4096);
  const many = Array.from({ length: 200 }, () => small);
  let largest = 0;
  const events = [...many, large, ...many].map(completeEvent);
  assert.deepEqual(
    feed(decoder, messages(encode(events)), [], (size) => {
      largest = Math.max(largest, size);
    }),
    events,
  );
  assert.ok(largest > 1_000_000 && largest < 1_010_000, String(largest));
  assert.equal(decoder.bytes.length, 4096);
});

test('a COPY that is cut off anywhere is found out', () => {
  const bytes = messages(
    encode([
      { streamId: 'a', version: 1 },
      { streamId: 'b', version: 2 },
    ]),
  );
  for (let length = 0; length < bytes.length; length += 1) {
    const decoder = makeCopyDecoder(1000);
    feed(decoder, bytes.subarray(0, length), []);
    assert.throws(() => requireEnd(decoder), refused('store_unreachable'));
  }
});

test('bytes that are no COPY, or a changed one, are refused or end as another set of events, never as a crash', () => {
  const sound = messages(
    encode([
      { streamId: 'a', version: 1 },
      { streamId: 'b', version: 2 },
    ]),
  );
  fc.assert(
    fc.property(fc.nat(sound.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const bytes = Buffer.from(sound);
      bytes[at]! ^= change;
      try {
        const decoder = makeCopyDecoder(1000);
        feed(decoder, bytes, []);
        requireEnd(decoder);
      } catch (error) {
        assert.ok(error instanceof BackupError, String(error));
      }
    }),
  );
  for (const what of ['', 'PGCOPY\n\xff\r\n\0', 'x'.repeat(30)]) {
    const decoder = makeCopyDecoder(1000);
    assert.throws(() => {
      feed(decoder, message('d', Buffer.from(what, 'latin1')), []);
      requireEnd(decoder);
    }, BackupError);
  }
});

test('NULL where the layout has none is refused, NULL in the metadata is kept', () => {
  const bytes = encode([{ streamId: 'a', version: 1, metadata: '{}' }]);
  const metadata = bytes.lastIndexOf(Buffer.from([0, 0, 0, 3, 1, 0x7b, 0x7d]));
  const rest = bytes.subarray(metadata + 7);
  const withNull = Buffer.concat([bytes.subarray(0, metadata), Buffer.from([255, 255, 255, 255]), rest]);
  assert.equal(feed(makeCopyDecoder(1000), messages(withNull), [])[0]!.metadata, null);
  const data = withNull.indexOf(Buffer.from([0, 0, 0, 3, 1, 0x7b, 0x7d]));
  const dataNull = Buffer.concat([
    withNull.subarray(0, data),
    Buffer.from([255, 255, 255, 255]),
    withNull.subarray(data + 7),
  ]);
  assert.throws(() => feed(makeCopyDecoder(1000), messages(dataNull), []), refused('store_unsupported'));
});

test('an id in upper case is the same id; one that is no UUID is refused with its event named', () => {
  const id = '01932F3E-7C00-7A01-8B02-0123456789AB';
  const [row] = feed(
    makeCopyDecoder(1000),
    messages(encode([{ id, streamId: 'a', version: 1 }], { idKind: 'text' })),
    [],
  );
  assert.equal(row!.id, id.toLowerCase());
  for (const wrong of ['order-17', `${id}0`, id.replaceAll('-', ''), '']) {
    const event = { id: wrong, streamId: 'shop', version: 3 };
    assert.throws(
      () => encode([event], { idKind: 'text' }),
      refused('value_not_storable', /stream "shop", version 3/),
    );
  }
});

test('a NULL that the table does not take is refused with its event named', () => {
  for (const event of [{ metadata: null }, { data: null }]) {
    assert.throws(
      () => encode([{ streamId: 'shop', version: 3, ...event }]),
      refused('value_not_storable', /stream "shop", version 3/),
    );
  }
});

test('a time that the source has as another text is stored as what the text says, or refused', () => {
  const event = { streamId: 'a', version: 1, time: 5n };
  const copied = messages(encode([{ ...event, timeText: '2000-01-01 00:00:01' }]));
  const [row] = feed(makeCopyDecoder(1000), copied, []);
  assert.equal(row!.time, 1_000_000n);
  assert.throws(
    () => encode([{ ...event, timeText: 'yesterday' }]),
    refused('value_not_storable', /yesterday/),
  );
});

test('chunks hold whole rows, count them, and name each of their events', () => {
  const events = Array.from({ length: 900 }, (_, i) => ({
    streamId: `stream-${i}`,
    version: i,
    data: JSON.stringify('z'.repeat(i === 500 ? 900_000 : 1000)),
  })).map(completeEvent);
  const batch = makeBatch(events);
  const bytes = Buffer.from(batch.bytes.buffer, batch.bytes.byteOffset, batch.bytes.byteLength);
  const encoder = makeCopyEncoder();
  const taken = events.map((_, row) => encodeRow(encoder, batch, bytes, row));
  const chunks = [...taken, takeChunk(encoder)].filter((chunk) => chunk !== null);
  assert.ok(chunks.length > 4);
  const named = chunks.flatMap((chunk) =>
    Array.from({ length: chunk.rows }, (_, row) => ({
      at: chunk.firstRow + row,
      ...eventInChunk(chunk, row),
    })),
  );
  assert.deepEqual(
    named,
    events.map(({ id, streamId, version }, at) => ({ at, id, streamId, version: String(version) })),
  );
});

function refused(code: string, message: string | RegExp = ''): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof BackupError, String(error));
    assert.equal(error.code, code, error.message);
    if (typeof message === 'string') assert.ok(error.message.includes(message), error.message);
    else assert.match(error.message, message);
    return true;
  };
}
