/** Payloads that are like each other, as most are: literals once, values by slot, and every byte comes back. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { BackupError } from '../../src/core/errors.ts';
import { chunkCodec } from '../../src/format/chunk-codec.ts';
import { batchRows, makeBatch, type TestEvent, type TestText } from '../../src/testing/batches.ts';

const codec = chunkCodec('columns');
const ENCODING_AT = {
  data: 10 + (1 + 2 + 5) + (1 + 6 + 5) + (1 + 7 + 5) + (1 + 4 + 5) + (1 + 4 + 5) + 1 + 4,
};

function eventsWith(payloads: readonly (TestText | null)[]): TestEvent[] {
  return payloads.map((data, row) => ({ streamId: `s${row % 7}`, version: row, type: `T${row % 3}`, data }));
}

function encode(payloads: readonly (TestText | null)[]): Buffer {
  return Buffer.from(codec.encode(makeBatch(eventsWith(payloads))));
}

/** The data column: its encoding and its bytes. */
function dataColumn(chunk: Buffer): { encoding: number; bytes: Buffer } {
  let start = 10;
  const sizes: number[] = [];
  for (let column = 0; column < chunk.readUInt16LE(8); column += 1) {
    start += 1 + chunk[start]!;
    sizes.push(chunk.readUInt32LE(start + 1));
    start += 5;
  }
  for (const size of sizes.slice(0, 5)) start += size;
  return { encoding: chunk[ENCODING_AT.data]!, bytes: chunk.subarray(start, start + sizes[5]!) };
}

function comesBack(payloads: readonly (TestText | null)[]): Buffer {
  const chunk = encode(payloads);
  const decoded = codec.decode(chunk);
  assert.deepEqual(batchRows(decoded), batchRows(makeBatch(eventsWith(payloads))));
  assert.ok(Buffer.from(codec.encode(decoded)).equals(chunk), 'not the same bytes again');
  return chunk;
}

const many = <T>(make: (i: number) => T, count = 90): T[] => Array.from({ length: count }, (_, i) => make(i));
const uuid = (i: number): string => `018f4e9a-1c2d-7000-8000-${(i * 7919).toString(16).padStart(12, '0')}`;

/** What stands behind the literals and the templates of the events: the slots. */
function slotBytes(payloads: readonly string[], literals: readonly string[]): number[] {
  const { encoding, bytes } = dataColumn(comesBack(payloads));
  assert.equal(encoding, 8);
  const lengths = literals.map((literal) => literal.length);
  // Three types, so three templates, numbered in turn.
  const heads = [3, ...[0, 1, 2].flatMap(() => [literals.length - 1, ...lengths])];
  const rows = payloads.map((_, row) => (row % 3) + 1);
  const expected = [...heads, ...Buffer.from(literals.join('').repeat(3)), ...rows];
  assert.deepEqual([...bytes.subarray(0, expected.length)], expected);
  return [...bytes.subarray(expected.length)];
}

describe('payloads of like events', () => {
  it('have their literals written once, and whole numbers as what they are', () => {
    const payloads = many((i) => `{"n": ${1000 + (i % 3)}}`);
    const ones = new Array<number>(30).fill(0);
    // 1000, 1001 and 1002 in zigzag; each type has one of them: a dictionary would do, but integers come first.
    const slot = (n: number): number[] => [3, 0, ((2 * n) & 0x7f) | 0x80, (2 * n) >> 7, ...ones.slice(1)];
    assert.deepEqual(slotBytes(payloads, ['{"n": ', '}']), [...slot(1000), ...slot(1001), ...slot(1002)]);
  });

  it('have numbers that jump written as they are, behind what they all begin with', () => {
    const payloads = many((i) => `{"id":"SKU-${[5, 40, 2, 60][(i / 3) & 3]}"}`);
    const numbers = many((i) => [10, 80, 4, 120][i & 3]!, 30);
    const slot = [2, 4, ...Buffer.from('SKU-'), ...numbers];
    assert.deepEqual(slotBytes(payloads, ['{"id":"', '"}']), [...slot, ...slot, ...slot]);
  });

  it('have UUIDs as 16 bytes each, behind all else', () => {
    const payloads = many((i) => `{"id":"${uuid(i)}"}`);
    const of = (type: number): number[] =>
      many((i) => [...Buffer.from(uuid(3 * i + type).replaceAll('-', ''), 'hex')], 30).flat();
    assert.deepEqual(slotBytes(payloads, ['{"id":"', '"}']), [5, 5, 5, ...of(0), ...of(1), ...of(2)]);
  });

  it('have instants as steps, in the unit of their digits', () => {
    const payloads = many(
      (i) => `{"at":"2000-01-01T00:00:0${Math.floor(i / 30)}.${i % 3 === 0 ? '005' : '000'}Z"}`,
    );
    const steps = (first: number): number[] =>
      many((i) => (i === 0 ? first * 2 : i % 10 === 0 ? 0xd0 : 0), 30).flatMap((n) =>
        n === 0xd0 ? [0xd0, 0x0f] : [n],
      );
    const slot = (first: number): number[] => [4, 3, ...steps(first)];
    assert.deepEqual(slotBytes(payloads, ['{"at":"', '"}']), [...slot(5), ...slot(0), ...slot(0)]);
  });

  it('have values that repeat in a dictionary, and no numbers where all are the same', () => {
    const payloads = many((i) => `{"c":"${i % 3 === 0 ? 'EUR' : ['red', 'blue'][Math.floor(i / 3) % 2]}"}`);
    const same = [1, 1, 3, ...Buffer.from('EUR')];
    const two = (first: string, second: string): number[] => [
      ...[1, 2, first.length, second.length, ...Buffer.from(first + second)],
      ...many((i) => i % 2, 30),
    ];
    assert.deepEqual(slotBytes(payloads, ['{"c":"', '"}']), [
      ...same,
      ...two('red', 'blue'),
      ...two('red', 'blue'),
    ]);
  });

  it('have other values as texts: all lengths, then all bytes', () => {
    const payloads = many((i) => `{"t":${(i + 0.5) / 4}}`);
    const texts = (type: number): string[] => many((i) => String((3 * i + type + 0.5) / 4), 30);
    const slot = (type: number): number[] => [
      ...[0, ...texts(type).map((text) => text.length)],
      ...Buffer.from(texts(type).join('')),
    ];
    assert.deepEqual(slotBytes(payloads, ['{"t":', '}']), [...slot(0), ...slot(1), ...slot(2)]);
  });

  it('are left alone where they are few, or have nothing in common', () => {
    assert.equal(dataColumn(comesBack(many((i) => `{"n":${i}}`, 63))).encoding, 5);
    assert.equal(dataColumn(comesBack(many((i) => `{"n":${i}}`, 64))).encoding, 8);
    assert.equal(dataColumn(comesBack(many((i) => `{"key${i}":1}`, 600))).encoding, 5);
    assert.equal(dataColumn(comesBack(many(() => '{"n":1}'))).encoding, 6);
  });
});

it('the example in FORMAT.md is read as it says', () => {
  const chunk = encode(['1', '2', null]);
  const { bytes } = dataColumn(chunk);
  const start = bytes.byteOffset - chunk.byteOffset;
  const column = Buffer.from('010106017b226e223a207d01010002000e12', 'hex');
  const example = Buffer.concat([chunk.subarray(0, start), column, chunk.subarray(start + bytes.length)]);
  example[ENCODING_AT.data] = 8;
  example.writeUInt32LE(column.length, ENCODING_AT.data + 1);
  const rows = batchRows(codec.decode(example));
  assert.deepEqual(
    rows.map(({ data }) => data),
    ['{"n": 7}', '{"n": 9}', null],
  );
});

describe('payloads that are odd', () => {
  const odd: (TestText | null)[] = [
    null,
    '',
    '"',
    '"a',
    '{"a":"b',
    '{"a":"b\\"}',
    '{"a": "\\\\"}',
    '{"a":"\\u0000\\ud83d"}',
    '-',
    '-0',
    '00',
    '007',
    '1e400',
    '-1.50',
    '999999999999999',
    '-999999999999999',
    '1000000000000000',
    '123456789012345678901234567890',
    'true',
    '[]',
    '[[[]]]',
    '{"a":{"b":[1,2,{"c":null}]}}',
    ' { "a" : 1 , "b" : "x" } ',
    '{"a":1}\n',
    'no json at all',
    '\0\0\0',
    '"a"1"b"2',
    '{"x"}',
    ':"":',
    uuid(1),
    uuid(1).toUpperCase(),
    `"${uuid(1)}"`,
    `{"a":"12345678-"x":"789-123-5678901234567890","b":1}`,
    `{"a":"12345678-12\\"45678901-345678901234\\","b":1}`,
    '"2025-02-30T00:00:00.000Z"',
    '"2025-02-28T24:00:00Z"',
    '"0999-12-31T00:00:00Z"',
    '"9999-12-31T23:59:59.999999Z"',
    '"2025-01-01T00:00:00.000000Z"',
    '"2025-01-01T00:00:00,000Z"',
    '"x-1"',
    '"x--1"',
    '"x-01"',
    `[${many((i) => i, 300).join(',')}]`,
    `{"${'k'.repeat(5000)}":1}`,
    Uint8Array.of(0x22, 0xff, 0x22),
    Uint8Array.of(0x5c),
  ];

  it('come back byte for byte among others', () => {
    comesBack([...many((i) => `{"n":${i}}`), ...odd, ...many((i) => `{"n":${i}}`), ...odd]);
  });

  it('come back byte for byte when each is there many times', () => {
    for (const payload of odd) comesBack(many((i) => (i % 5 === 0 ? '{"a":1}' : payload), 100));
  });

  it('come back, whatever value stands in the place of another', () => {
    const values = odd.filter((payload) => typeof payload === 'string' && !payload.includes('"'));
    for (const value of values) {
      for (const other of ['1', '"s"', '"2025-01-01T00:00:00.000Z"', `"${uuid(3)}"`, '"SKU-7"']) {
        comesBack(many((i) => `{"a":${i % 9 === 8 ? value : other},"b":${i}}`));
        comesBack(many((i) => `{"a":"${i % 9 === 8 ? value : 'SKU-7'}","b":${i}}`));
      }
    }
  });

  it('come back when there are more templates than are kept', () => {
    comesBack(many((i) => `{${many((j) => `"k${i % 1500}x${j}":${j}`, 5).join(',')}}`, 4000));
  });

  it('come back when they are so alike that a chunk of them would look like a bomb', () => {
    const long = 'y'.repeat(300_000);
    const chunk = encode(many((i) => `{"a":"${long}","b":${i}}`, 300));
    assert.equal(dataColumn(chunk).encoding, 5);
    assert.equal(codec.decode(chunk).count, 300);
  });

  it('come back, whatever JSON they are', { timeout: 60_000 }, () => {
    const shape = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c', 'dé'), fc.jsonValue({ maxDepth: 2 })), {
      maxLength: 4,
    });
    const scalar = fc.oneof(
      fc.uuid(),
      fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
      fc.integer().map((n) => `order-${n}`),
      fc.double(),
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.string(),
    );
    const like = fc.array(fc.tuple(scalar, scalar), { minLength: 64, maxLength: 120 });
    fc.assert(
      fc.property(
        like,
        fc.array(shape, { maxLength: 20 }),
        fc.constantFrom(undefined, 1),
        (rows, others, indent) => {
          const payloads = [
            ...rows.map(([a, b]) => ({ a, nested: { b } })),
            ...others.map((o) => Object.fromEntries(o)),
          ];
          comesBack(payloads.map((value) => JSON.stringify(value, null, indent)));
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('a chunk with templates that is damaged', () => {
  const payloads = many(
    (i) =>
      `{"id":"${uuid(i)}","n":${i * i},"sku":"S-${i % 9}","at":"2025-01-01T00:00:${String(i % 60).padStart(2, '0')}Z","c":"${'abc'[i % 3]}","t":"${(i * 0.37).toFixed(3)}"}`,
    70,
  );

  /** Decodes to some events, all of whose bytes are there, or is refused; and nothing else. */
  function decodesOrIsDamaged(plain: Uint8Array): void {
    try {
      batchRows(codec.decode(plain));
    } catch (error) {
      assert.ok(error instanceof BackupError && error.code === 'damaged', String(error));
    }
  }

  it('is refused or another chunk after any byte was changed', { timeout: 120_000 }, () => {
    const plain = encode(payloads);
    assert.equal(dataColumn(plain).encoding, 8);
    const { bytes } = dataColumn(plain);
    const first = bytes.byteOffset - plain.byteOffset;
    for (let at = first; at < first + bytes.length; at += 1) {
      for (const change of [1, 0x80, 0xff]) {
        const damaged = Uint8Array.from(plain);
        damaged[at]! ^= change;
        decodesOrIsDamaged(damaged);
      }
    }
  });

  it('is refused wherever its column ends too early', () => {
    const plain = encode(payloads);
    const sizeAt = ENCODING_AT.data + 1;
    const { bytes } = dataColumn(plain);
    const start = bytes.byteOffset - plain.byteOffset;
    for (let length = 0; length < bytes.length; length += 1) {
      const cut = Buffer.concat([plain.subarray(0, start + length), plain.subarray(start + bytes.length)]);
      cut.writeUInt32LE(length, sizeAt);
      assert.throws(() => codec.decode(cut), { code: 'damaged' }, `cut to ${length} bytes`);
    }
  });

  it('cannot make the reader reserve far more than its size', () => {
    const plain = encode(payloads);
    const { bytes } = dataColumn(plain);
    const start = bytes.byteOffset - plain.byteOffset;
    // One template with one literal of 400 KB and one constant slot, for 70 events: 28 MB and more out of 400 KB.
    const literal = Buffer.alloc(400_000, 0x61);
    const column = Buffer.concat([
      Buffer.from([1, 0, ...varint(literal.length)]),
      literal,
      Buffer.alloc(70, 1),
    ]);
    const allowed = Buffer.concat([plain.subarray(0, start), column, plain.subarray(start + bytes.length)]);
    allowed.writeUInt32LE(column.length, ENCODING_AT.data + 1);
    assert.equal(codec.decode(allowed).count, 70);
    const huge = Buffer.concat([
      Buffer.from([1, 1, 0, 0, ...Buffer.alloc(70, 1), 1, 1, ...varint(400_000)]),
      literal,
    ]);
    const wide = Buffer.concat([Buffer.from([1, 200, ...Buffer.alloc(201, 0)]), Buffer.alloc(70, 1)]);
    const slots = Buffer.concat(many(() => Buffer.from([1, 1, 120, ...Buffer.alloc(120, 0x62)]), 200));
    for (const bomb of [huge, Buffer.concat([wide, slots])]) {
      const chunk = Buffer.concat([plain.subarray(0, start), bomb, plain.subarray(start + bytes.length)]);
      chunk.writeUInt32LE(bomb.length, ENCODING_AT.data + 1);
      decodesOrIsDamaged(chunk);
    }
  });
});

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}
