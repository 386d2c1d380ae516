import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chunkCodec } from '../../src/format/chunk-codec.ts';
import { batchRows, makeBatch, type TestEvent } from '../../src/testing/batches.ts';

const codec = chunkCodec('columns');
const encode = (events: readonly TestEvent[]) => Buffer.from(codec.encode(makeBatch(events)));

interface Column {
  readonly name: string;
  readonly encoding: number;
  readonly bytes: Buffer;
}

/** The chunk cut into its columns by a reader of its own. */
function columnsOf(chunk: Buffer): Column[] {
  assert.equal(chunk.toString('latin1', 0, 4), 'ECC1');
  const entries: { name: string; encoding: number; sizeBytes: number }[] = [];
  let at = 10;
  for (let i = 0; i < chunk.readUInt16LE(8); i += 1) {
    const nameEnd = at + 1 + chunk[at]!;
    entries.push({
      name: chunk.toString('ascii', at + 1, nameEnd),
      encoding: chunk[nameEnd]!,
      sizeBytes: chunk.readUInt32LE(nameEnd + 1),
    });
    at = nameEnd + 5;
  }
  return entries.map(({ name, encoding, sizeBytes }) => {
    at += sizeBytes;
    return { name, encoding, bytes: chunk.subarray(at - sizeBytes, at) };
  });
}

function columnOf(events: readonly TestEvent[], name: string): Column {
  return columnsOf(encode(events)).find((column) => column.name === name)!;
}

const at = (version: number, streamId = 's', rest: Partial<TestEvent> = {}): TestEvent => ({
  streamId,
  version,
  ...rest,
});

test('the columns of a chunk', () => {
  const columns = columnsOf(encode([at(1, 's', { timeText: 'noon' }), at(2)]));
  assert.deepEqual(
    columns.map(({ name, encoding }) => [name, encoding]),
    [
      ['id', 1],
      ['stream', 2],
      ['version', 3],
      ['type', 2],
      ['time', 4],
      ['data', 6],
      ['metadata', 6],
      ['timeText', 7],
    ],
  );
  assert.equal(columnsOf(encode([at(1)])).length, 7);
});

test('the first bytes of all UUIDs stand together, then the second bytes, and so on', () => {
  const ids = ['00010203-0405-0607-0809-0a0b0c0d0e0f', '10111213-1415-1617-1819-1a1b1c1d1e1f'];
  const { bytes } = columnOf(
    ids.map((id, row) => ({ id, streamId: 's', version: row })),
    'id',
  );
  const planes = Array.from({ length: 16 }, (_, byte) => [byte, 0x10 + byte]).flat();
  assert.deepEqual([...bytes], planes);
});

test('names are written once, in the order of their first events', () => {
  const { bytes } = columnOf([at(1, 'bb'), at(1, 'a'), at(2, 'bb'), at(1, '')], 'stream');
  assert.deepEqual([...bytes], [3, 2, 1, 0, ...Buffer.from('bba'), 0, 1, 0, 2]);
});

test('a stream that goes on in order costs one zero byte an event', () => {
  const events = [at(5, 'a'), at(1, 'b'), at(6, 'a'), at(2, 'b'), at(9, 'a'), at(2, 'b')];
  assert.deepEqual([...columnOf(events, 'version').bytes], [10, 2, 0, 0, 4, 1]);
});

test('times are steps from one event to the next, over both ends of the range', () => {
  const times = [10n, 13n, 12n, -0x8000_0000_0000_0000n, 0x7fff_ffff_ffff_ffffn];
  const { bytes } = columnOf(
    times.map((time, row) => ({ streamId: 's', version: row, time })),
    'time',
  );
  // 12 → −2^63 is −2^63 − 12, which is 2^63 − 12 modulo 2^64; −2^63 → 2^63 − 1 is −1.
  const wrapped = [0xe8, ...new Array<number>(8).fill(0xff), 0x01];
  assert.deepEqual([...bytes], [20, 6, 1, ...wrapped, 1]);
});

test('a value that all events share is written once; SQL NULL too', () => {
  assert.deepEqual(columnOf([at(1), at(2), at(3)], 'data'), {
    name: 'data',
    encoding: 6,
    bytes: Buffer.from('\x03{}'),
  });
  const nulls = columnOf([at(1, 's', { metadata: null }), at(2, 's', { metadata: null })], 'metadata');
  assert.deepEqual([nulls.encoding, ...nulls.bytes], [6, 0]);
});

test('values are all lengths, then all bytes', () => {
  const { encoding, bytes } = columnOf(
    [
      at(1, 's', { data: '[]' }),
      at(2, 's', { data: null }),
      at(3, 's', { data: '' }),
      at(4, 's', { data: '123' }),
    ],
    'data',
  );
  assert.equal(encoding, 5);
  assert.deepEqual([...bytes], [3, 0, 1, 4, ...Buffer.from('[]123')]);
});

test('time texts name their events by the distance from the one before', () => {
  const texts = [null, 'x', null, null, 'yz', ''];
  const { bytes } = columnOf(
    texts.map((timeText, row) => ({ streamId: 's', version: row, timeText })),
    'timeText',
  );
  assert.deepEqual([...bytes], [3, 1, 1, ...Buffer.from('x'), 2, 2, ...Buffer.from('yz'), 0, 0]);
});

/** A chunk with one column's encoding and bytes replaced, its directory put right. */
function withColumn(chunk: Buffer, changed: string, encoding: number, bytes: readonly number[]): Buffer {
  const columns = columnsOf(chunk).map((column) =>
    column.name === changed ? { ...column, encoding, bytes: Buffer.from(bytes) } : column,
  );
  return assemble(chunk.readUInt32LE(4), columns);
}

function assemble(count: number, columns: readonly Column[]): Buffer {
  const head = Buffer.alloc(10);
  head.write('ECC1');
  head.writeUInt32LE(count, 4);
  head.writeUInt16LE(columns.length, 8);
  const directory = columns.map(({ name, encoding, bytes }) => {
    const entry = Buffer.alloc(name.length + 6);
    entry[0] = name.length;
    entry.write(name, 1);
    entry[name.length + 1] = encoding;
    entry.writeUInt32LE(bytes.length, name.length + 2);
    return entry;
  });
  return Buffer.concat([head, ...directory, ...columns.map((column) => column.bytes)]);
}

test('columns that contradict the chunk or are not written this way are refused', () => {
  const chunk = encode([at(1, 'a', { data: '1' }), at(1, 'b', { data: '2' })]);
  const oneStream = withColumn(chunk, 'stream', 2, [1, 1, 0x61, 0, 0]);
  assert.deepEqual(withColumn(chunk, 'data', 5, [2, 2, 0x31, 0x32]), chunk);
  const ascii = (text: string) => [...Buffer.from(text)];
  const uuidText = ascii('00000000-0000-7000-8000-000000000000');
  const refused: [name: string, encoding: number, bytes: number[], message: RegExp][] = [
    ['id', 1, new Array<number>(31).fill(0), /16 bytes for each of 2 events/],
    ['id', 5, [37, 37, ...uuidText, ...uuidText], /UUIDs stored as text/],
    ['id', 5, [0, 2, 0x31], /an event without an id/],
    ['id', 2, [1, 1, 0x31, 0, 0], /"id" has unknown encoding 2/],
    ['stream', 2, [2, 1, 1, 0x61, 0x61, 0, 1], /a name twice/],
    ['stream', 2, [2, 1, 1, 0x61, 0x62, 1, 0], /number 1 out of turn/],
    ['stream', 2, [2, 1, 1, 0x61, 0x62, 0, 0], /unused names/],
    ['stream', 2, [1, 1, 0x61, 0, 1], /number 1 out of turn/],
    ['stream', 2, [3, 1, 1, 1, 0x61, 0x62, 0x63, 0, 1], /3 names/],
    ['stream', 2, [2, 1, 200, 1, 0x61, 0x62], /ends inside its names/],
    ['stream', 2, [2, 1, 1, 0x61, 0x62, 0, 1, 0], /bytes behind the last value of "stream"/],
    ['stream', 5, [2, 2, 0x61, 0x62], /unknown encoding 5/],
    ['version', 3, [2], /too short for 2 events/],
    ['version', 3, [2, 2, 0], /bytes behind the last value of "version"/],
    ['version', 3, [2, 0x82, 0x00], /no number in its shortest form/],
    ['version', 3, [2, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20], /version outside/],
    ['version', 3, [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f, 0], /version outside/],
    ['time', 4, [0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02], /shortest form/],
    ['data', 5, [3, 3, 0x31], /a value longer than the column|ends inside its values/],
    ['data', 5, [2, 2, 0x31, 0x31], /repeats one value/],
    ['data', 5, [2, 2, 0x31, 0x32, 0x33], /bytes behind the last value of "data"/],
    ['data', 6, [9, 0x31], /a value longer than the column/],
    ['metadata', 1, [], /unknown encoding 1/],
  ];
  for (const [name, encoding, bytes, message] of refused) {
    assert.throws(
      () => codec.decode(withColumn(name === 'version' ? oneStream : chunk, name, encoding, bytes)),
      { code: 'damaged', message },
    );
  }
});

test('columns that are missing, unknown, twice or in another order are refused', () => {
  const columns = columnsOf(encode([at(1)]));
  const renamed = columns.map((column) => (column.name === 'time' ? { ...column, name: 'tide' } : column));
  const extra = [...columns, { name: 'global', encoding: 5, bytes: Buffer.of(1) }];
  const emptyTexts = [...columns, { name: 'timeText', encoding: 7, bytes: Buffer.of(0) }];
  for (const list of [
    columns.slice(1),
    renamed,
    extra,
    emptyTexts,
    [...columns].reverse(),
    [columns[0]!, ...columns.slice(0, -1)],
  ]) {
    assert.throws(() => codec.decode(assemble(1, list)), { code: 'damaged' });
  }
  assert.equal(codec.decode(assemble(1, columns)).count, 1);
});

test('a count of four thousand million events is refused before room is made for them', {
  timeout: 5000,
}, () => {
  const chunk = encode([at(1), at(2)]);
  chunk.writeUInt32LE(0xffff_ffff, 4);
  const before = process.memoryUsage.rss();
  assert.throws(() => codec.decode(chunk), { code: 'damaged', message: /too short for 4294967295 events/ });
  assert.ok(process.memoryUsage.rss() - before < 50 << 20);
});

test('a chunk without events has all its columns', () => {
  assert.equal(columnsOf(encode([])).length, 7);
  assert.deepEqual(batchRows(codec.decode(encode([]))), []);
});
