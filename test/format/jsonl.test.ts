import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NULL_LENGTH } from '../../src/core/event-batch.ts';
import { parseTime } from '../../src/core/time.ts';
import { chunkCodec } from '../../src/format/chunk-codec.ts';
import { batchRows, makeBatch, type TestEvent } from '../../src/testing/batches.ts';

const codec = chunkCodec('jsonl');
const ID = '018f4e9a-1c2d-7000-8000-0000000000ff';
const TIME = parseTime('2026-11-23T04:05:06.123456Z')!;

function lines(events: readonly TestEvent[], jsonIsCompact = false): string[] {
  const text = Buffer.from(codec.encode(makeBatch(events, { jsonIsCompact }))).toString();
  assert.ok(events.length === 0 || text.endsWith('\n'));
  return text.split('\n').slice(0, -1);
}

test('an event is one line, its keys in order, its JSON byte for byte', () => {
  const event = {
    id: ID,
    streamId: 'account-1',
    version: 7,
    type: 'MoneyDeposited',
    data: '{"amount": 1.50, "note": "é"}',
    metadata: '{}',
    time: TIME,
  };
  assert.deepEqual(lines([event]), [
    `{"id":"${ID}","streamId":"account-1","version":7,"type":"MoneyDeposited",` +
      '"recordedAt":"2026-11-23T04:05:06.123456Z","metadata":{},"data":{"amount": 1.50, "note": "é"}}',
  ]);
});

test('every line is JSON that says what the event holds, however odd it is', () => {
  const event = {
    id: 'a "quoted"\\ id',
    streamId: 'line\nbreak\u0000',
    version: -9007199254740991,
    type: '\u001f',
    data: '{"a":\n1}',
    metadata: null,
    time: TIME,
    timeText: '2026-11-23 04:05',
  };
  assert.deepEqual(
    lines([event]).map((line) => JSON.parse(line)),
    [
      {
        id: 'a "quoted"\\ id',
        streamId: 'line\nbreak\u0000',
        version: -9007199254740991,
        type: '\u001f',
        recordedAt: '2026-11-23T04:05:06.123456Z',
        recordedAtText: '2026-11-23 04:05',
        dataText: '{"a":\n1}',
      },
    ],
  );
});

test('bytes that are not UTF-8 are base64 under keys that say so', () => {
  const bytes = Uint8Array.of(0xff, 0xfe, 0x22);
  const event = {
    id: bytes,
    streamId: bytes,
    version: 0,
    type: bytes,
    data: bytes,
    metadata: bytes,
    timeText: bytes,
  };
  assert.deepEqual(
    lines([event]).map((line) => JSON.parse(line)),
    [
      {
        idBase64: '//4i',
        streamIdBase64: '//4i',
        version: 0,
        typeBase64: '//4i',
        recordedAt: '2000-01-01T00:00:00.000000Z',
        recordedAtBase64: '//4i',
        metadataBase64: '//4i',
        dataBase64: '//4i',
      },
    ],
  );
});

test('JSON that is not UTF-8 never gets into a line, even when the store vouches for it', () => {
  const data = Uint8Array.of(0x22, 0xff, 0x22);
  assert.match(lines([{ streamId: 's', version: 1, data }], true)[0]!, /"dataBase64":"Iv8i"\}$/);
});

test('what was decoded is known to be compact JSON only when all of it is', () => {
  const decode = (events: TestEvent[]) => codec.decode(codec.encode(makeBatch(events)));
  const compact = { streamId: 's', version: 1, data: '{"a": 1}' };
  assert.equal(decode([compact, { ...compact, version: 2, metadata: null }]).jsonIsCompact, true);
  assert.equal(decode([compact, { ...compact, version: 2, data: '{"a":\n1}' }]).jsonIsCompact, false);
  assert.equal(
    decode([compact, { ...compact, version: 2, metadata: Uint8Array.of(0xff) }]).jsonIsCompact,
    false,
  );
  assert.equal(decode([compact]).jsonIsCompact, true);
});

test('ids are 16 bytes after decoding when all of a chunk are canonical UUIDs', () => {
  const events = [
    { id: ID, streamId: 's', version: 1 },
    { id: ID.toUpperCase(), streamId: 's', version: 2 },
  ];
  assert.equal(codec.decode(codec.encode(makeBatch(events.slice(0, 1)))).idKind, 'uuid');
  const mixed = codec.decode(codec.encode(makeBatch(events)));
  assert.equal(mixed.idKind, 'text');
  assert.deepEqual(batchRows(mixed), batchRows(makeBatch(events)));
});

const LINE = lines([{ id: ID, streamId: 's', version: 12, type: 'T', data: '{"a":1}', time: TIME }])[0]!;

test('a line with any other spelling of the same event is refused', () => {
  const others: [from: string, to: string][] = [
    ['{"id"', ' {"id"'],
    ['","streamId"', '", "streamId"'],
    ['"streamId":"s"', '"streamId": "s"'],
    ['"streamId":"s"', '"streamId":"\\u0073"'],
    ['"streamId":"s"', '"streamIdBase64":"cw=="'],
    ['"version":12', '"version":012'],
    ['"version":12', '"version":12.0'],
    ['"version":12', '"version":"12"'],
    ['"version":12', '"version":-0'],
    ['"version":12', '"version":9007199254740992'],
    ['"version":12', '"version":99999999999999999999'],
    ['"type":"T",', ''],
    ['06.123456Z', '06.123456+00:00'],
    ['"metadata":{},"data":{"a":1}', '"data":{"a":1},"metadata":{}'],
    ['"data":{"a":1}', '"dataText":"{\\"a\\":1}"'],
    ['"data":{"a":1}', '"data":{"a":01}'],
    ['"data":{"a":1}', '"data":'],
    ['"data":{"a":1}', '"data":{"a":1}}'],
    ['"data":{"a":1}', '"data":{"a":1},"extra":1'],
    ['"data":{"a":1}', '"dataBase64":"/w="'],
    ['"data":{"a":1}', '"dataBase64":"/x=="'],
    ['"data":{"a":1}', '"dataBase64":"//\\n8="'],
  ];
  assert.equal(codec.decode(Buffer.from(`${LINE}\n`)).count, 1);
  for (const [from, to] of others) {
    const line = LINE.replace(from, to);
    assert.notEqual(line, LINE);
    assert.throws(() => codec.decode(Buffer.from(`${line}\n`)), { code: 'damaged' }, line);
  }
  for (const end of ['', '\r\n', '\n\n', '\n ']) {
    assert.throws(() => codec.decode(Buffer.from(LINE + end)), { code: 'damaged' });
  }
});

test('an error names the place', () => {
  const plain = Buffer.from(`${LINE}\n${LINE.replace('"version":12', '"version":x')}\n`);
  assert.throws(() => codec.decode(plain), {
    code: 'damaged',
    message: `damaged jsonl chunk: a version that is no integer in ±(2^53 − 1) at byte ${plain.lastIndexOf(':x') + 1}`,
  });
});

test('SQL NULL is no key at all, and JSON null is a value', () => {
  const batch = codec.decode(
    codec.encode(makeBatch([{ streamId: 's', version: 1, data: null, metadata: 'null' }])),
  );
  assert.equal(batch.data.lengths[0], NULL_LENGTH);
  assert.equal(batchRows(batch)[0]!.metadata, 'null');
});
