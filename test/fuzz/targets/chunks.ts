import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { CHUNK_FORMATS, type ChunkFormat } from '../../../src/core/manifest.ts';
import { chunkCodec } from '../../../src/format/chunk-codec.ts';
import { decodeTransactions, encodeTransactions } from '../../../src/format/log-transactions.ts';
import { batchRows, makeBatch } from '../../../src/testing/batches.ts';
import { generateBatches } from '../../../src/testing/event-generator.ts';
import type { Random } from '../../../src/testing/random.ts';
import { arbitraryEvents } from '../../format/event-arbitraries.ts';
import { interestingInteger, mutate, pick, varint } from '../engine/mutate.ts';
import { mutateJson } from '../engine/mutate-json.ts';
import { demand, type FuzzTarget, sameBytes } from '../engine/target.ts';

const VECTORS = join(import.meta.dirname, '../../vectors/v1/chunks');

function chunkSeeds(format: ChunkFormat): Uint8Array[] {
  const codec = chunkCodec(format);
  const golden = globSync(`*.${format}`, { cwd: VECTORS })
    .sort()
    .map((name) => readFileSync(join(VECTORS, name)));
  const made = fc
    .sample(arbitraryEvents, { numRuns: 24, seed: 7 })
    .map((events) => Uint8Array.from(codec.encode(makeBatch(events))));
  // Enough like events that templates are worth it.
  const shop = Array.from(generateBatches({ seed: 3, events: 80, batchBytes: 16 << 10 }), (batch) =>
    Uint8Array.from(codec.encode(batch)),
  );
  return [...golden, ...made, ...shop];
}

function chunkTarget(format: ChunkFormat): FuzzTarget {
  const [codec, checker, encoder, again] = [0, 1, 2, 3].map(() => chunkCodec(format)) as [
    ...Array<ReturnType<typeof chunkCodec>>,
  ] & { length: 4 };
  return {
    name: `chunk-${format}`,
    refusals: ['damaged'],
    seeds: () => chunkSeeds(format),
    reshape: RESHAPE[format],
    run: (input) => {
      const checked = outcomeOf(() => checker!.check(input).count);
      const decoded = outcomeOf(() => codec!.decode(input));
      demand(checked.error === null || decoded.error !== null, 'what check refuses, decode refuses');
      if (decoded.error !== null) throw decoded.error;
      demand(checked.error === null, 'what decode accepts, check accepts');
      const encoded = encoder!.encode(decoded.value!);
      if (format !== 'columns' || sameBytes(encoded, input)) {
        demand(sameBytes(encoded, input), 'what decodes encodes to the same bytes');
        return;
      }
      // How texts are cut is the writer's choice: the events must be the same.
      const rows = batchRows(decoded.value!);
      demand(
        isDeepStrictEqual(batchRows(again!.decode(encoded)), rows),
        'encoded again it gives the same events',
      );
    },
  };
}

function outcomeOf<Value>(work: () => Value): { value: Value | null; error: unknown } {
  try {
    return { value: work(), error: null };
  } catch (error) {
    return { value: null, error };
  }
}

const RESHAPE: Record<ChunkFormat, (random: Random, seed: Uint8Array) => Uint8Array> = {
  columns: reshapeColumns,
  jsonl: (random, seed) => {
    const lines = Buffer.from(seed).toString('utf8').split('\n');
    const at = random.below(lines.length);
    lines[at] = mutateJson(random, lines[at]!, 0);
    return Buffer.from(lines.join('\n'));
  },
  msgpack: reshapeMsgpack,
};

const DIRECTORY_AT = 10;

interface Column {
  readonly name: Buffer;
  encoding: number;
  bytes: Buffer;
}

/** Changes one column and what the directory says of it, or the count with all columns as they are. */
function reshapeColumns(random: Random, seed: Uint8Array): Uint8Array {
  const bytes = Buffer.from(seed);
  const columns = cutColumns(bytes);
  if (columns === null) return seed;
  const column = pick(random, columns);
  switch (random.below(8)) {
    case 0:
      bytes.writeUInt32LE(Number(BigInt.asUintN(32, interestingInteger(random))), 4);
      break;
    case 1:
      column.encoding = random.below(10);
      break;
    case 2:
    case 3:
      column.bytes = Buffer.from(mutate(random, column.bytes, [pick(random, columns).bytes]));
      break;
    default:
      column.bytes = changeVarint(random, column.bytes);
  }
  return joinColumns(bytes.subarray(0, DIRECTORY_AT), columns);
}

function cutColumns(bytes: Buffer): Column[] | null {
  if (bytes.length < DIRECTORY_AT) return null;
  const count = bytes.readUInt16LE(8);
  const heads: { column: Column; sizeBytes: number }[] = [];
  let at = DIRECTORY_AT;
  for (let i = 0; i < count; i += 1) {
    const nameEnd = at + 1 + (bytes[at] ?? 0);
    if (nameEnd + 5 > bytes.length) return null;
    const column = { name: bytes.subarray(at + 1, nameEnd), encoding: bytes[nameEnd]!, bytes };
    heads.push({ column, sizeBytes: bytes.readUInt32LE(nameEnd + 1) });
    at = nameEnd + 5;
  }
  for (const { column, sizeBytes } of heads) {
    column.bytes = bytes.subarray(at, at + sizeBytes);
    at += sizeBytes;
  }
  return heads.length === 0 ? null : heads.map(({ column }) => column);
}

function joinColumns(head: Buffer, columns: readonly Column[]): Uint8Array {
  const directory = columns.map(({ name, encoding, bytes }) => {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(bytes.length);
    return Buffer.concat([Uint8Array.of(name.length), name, Uint8Array.of(encoding), length]);
  });
  return Buffer.concat([head, ...directory, ...columns.map(({ bytes }) => bytes)]);
}

/** Lengths and counts stand at the front of a column, as small numbers. */
function changeVarint(random: Random, bytes: Buffer): Buffer {
  const at = random.below(Math.max(1, Math.min(bytes.length, random.below(2) === 0 ? 8 : bytes.length)));
  let end = at;
  while (end < bytes.length - 1 && bytes[end]! >= 0x80) end += 1;
  const old = bytes[at] ?? 0;
  const value =
    random.below(2) === 0 ? BigInt(Math.max(0, old + random.below(5) - 2)) : interestingInteger(random);
  return Buffer.concat([bytes.subarray(0, at), varint(value), bytes.subarray(end + 1)]);
}

/** Puts another value where one begins: types and lengths are told by one byte. */
function reshapeMsgpack(random: Random, seed: Uint8Array): Uint8Array {
  const bytes = Buffer.from(seed);
  const keys = ['id', 'streamId', 'version', 'type', 'recordedAt', 'metadata', 'data'];
  const key = Buffer.from(pick(random, keys));
  const found = bytes.indexOf(key, random.below(Math.max(1, bytes.length)));
  if (found === -1) return mutate(random, seed, [seed]);
  const at = found + key.length;
  const type = pick(
    random,
    [0xc0, 0xc4, 0xc5, 0xc6, 0xcc, 0xcd, 0xce, 0xcf, 0xd0, 0xd1, 0xd2, 0xd3, 0xd9, 0xda, 0xdb],
  );
  const length = Buffer.alloc(8);
  length.writeBigUInt64BE(BigInt.asUintN(64, interestingInteger(random)));
  const width = pick(random, [0, 1, 2, 4, 8]);
  const value = Buffer.concat([Uint8Array.of(type), length.subarray(8 - width)]);
  return Buffer.concat([
    bytes.subarray(0, at),
    value,
    bytes.subarray(at + (random.below(2) === 0 ? 1 : value.length)),
  ]);
}

/** Four bytes say how many transactions there are, as the header of a block does. */
const transactions: FuzzTarget = {
  name: 'log-transactions',
  refusals: ['damaged'],
  seeds: () =>
    [0, 1, 3, 40].map((count) => {
      const plain = encodeTransactions({
        count,
        xids: Uint32Array.from({ length: count }, (_, i) => 7 + ((i * 3) % 5) + (i === 2 ? 0xffff_fff0 : 0)),
        commits: BigUint64Array.from({ length: count }, (_, i) => BigInt(i) * 1000n + 2n ** 40n),
        times: BigInt64Array.from({ length: count }, (_, i) => 849_000_000_000_000n + BigInt((i * 7) % 11)),
        events: Uint32Array.from({ length: count }, (_, i) => i % 4),
      });
      const head = Buffer.alloc(4);
      head.writeUInt32LE(count);
      return Buffer.concat([head, plain]);
    }),
  run: (input) => {
    const bytes = Buffer.from(input);
    if (bytes.length < 4) return false;
    const plain = bytes.subarray(4);
    const table = decodeTransactions(plain, bytes.readUInt32LE(0));
    demand(sameBytes(encodeTransactions(table), plain), 'what decodes encodes to the same bytes');
    return true;
  },
};

export const CHUNK_TARGETS: readonly FuzzTarget[] = [...CHUNK_FORMATS.map(chunkTarget), transactions];
