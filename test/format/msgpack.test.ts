import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Unpackr } from 'msgpackr';
import { formatTime, parseTime } from '../../src/core/time.ts';
import { chunkCodec } from '../../src/format/chunk-codec.ts';
import { batchRows, makeBatch, type TestEvent, type TestText } from '../../src/testing/batches.ts';
import { arbitraryEvents } from './event-arbitraries.ts';

const codec = chunkCodec('msgpack');
const library = new Unpackr({ useRecords: false, int64AsType: 'number' });

/** The chunk as an independent MessagePack library reads it. */
function unpack(events: readonly TestEvent[]): unknown[] {
  const plain = Buffer.from(codec.encode(makeBatch(events)));
  return plain.length === 0 ? [] : (library.unpackMultiple(plain) as unknown[]);
}

const asRead = (text: TestText | null) => (text instanceof Uint8Array ? Buffer.from(text) : text);

test('another MessagePack library reads every event out of a chunk', () => {
  fc.assert(
    fc.property(arbitraryEvents, (events) => {
      const rows = batchRows(makeBatch(events));
      const expected = rows.map((row) => ({
        id: asRead(row.id),
        streamId: asRead(row.streamId),
        version: row.version,
        type: asRead(row.type),
        recordedAt: formatTime(row.time),
        ...(row.timeText === null ? {} : { recordedAtText: asRead(row.timeText) }),
        metadata: asRead(row.metadata),
        data: asRead(row.data),
      }));
      assert.deepEqual(unpack(events), expected);
    }),
    { numRuns: 300 },
  );
});

test('the keys of the map stand in the order of the format', () => {
  const [event] = unpack([{ streamId: 's', version: 1, timeText: 'noon' }]);
  assert.deepEqual(Object.keys(event as object), [
    'id',
    'streamId',
    'version',
    'type',
    'recordedAt',
    'recordedAtText',
    'metadata',
    'data',
  ]);
});

test('text of every length class is read back', () => {
  for (const length of [0, 31, 32, 255, 256, 65_535, 65_536]) {
    for (const data of ['x'.repeat(length), new Uint8Array(length).fill(0xff)]) {
      const events = [{ streamId: 's', version: 1, data }];
      assert.deepEqual(
        batchRows(codec.decode(codec.encode(makeBatch(events)))),
        batchRows(makeBatch(events)),
      );
      assert.deepEqual((unpack(events)[0] as { data: unknown }).data, length === 0 ? '' : asRead(data));
    }
  }
});

const EVENT = {
  streamId: 's',
  version: 200,
  data: 'x'.repeat(40),
  time: parseTime('2026-11-23T04:05:06.123456Z')!,
};

test('a longer spelling of the same event is refused', () => {
  const hex = Buffer.from(codec.encode(makeBatch([EVENT]))).toString('hex');
  const others: [from: string, to: string][] = [
    ['87a2', 'de0007a2'],
    ['87a2', 'c087a2'],
    ['a26964', 'd9026964'],
    ['a26964d924', 'a26964da0024'],
    ['ccc8', 'cd00c8'],
    ['ccc8', 'cf00000000000000c8'],
    ['ccc8', 'd100c8'],
    ['ccc8', 'cb4069000000000000'],
    ['ccc8', 'cf0020000000000000'],
    ['a173', 'c40173'],
    ['d92878', 'da002878'],
    ['d92878', 'db0000002878'],
    ['d92878', 'dbffffffff78'],
    ['bb323032362d', 'd91b323032362d'],
  ];
  assert.equal(codec.decode(Buffer.from(hex, 'hex')).count, 1);
  for (const [from, to] of others) {
    assert.ok(hex.includes(from), from);
    assert.throws(
      () => codec.decode(Buffer.from(hex.replace(from, to), 'hex')),
      { code: 'damaged' },
      `${from} → ${to}`,
    );
  }
});
