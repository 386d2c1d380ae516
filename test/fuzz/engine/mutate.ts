import type { Random } from '../../../src/testing/random.ts';

/** Changes bytes as disks, cables and attackers do. */

/** Inputs do not grow beyond this by one change after another. */
const MAX_BYTES = 1 << 20;
const USUAL_MAX_BYTES = 16 << 10;

const INTERESTING = [
  ...[0, 1, -1, 2, 7, 8, 15, 16, 31, 32, 63, 64, 100, 127, 128, 255, 256, 1000, 4096],
  ...[0x7fff, 0x8000, 0xffff, 0x1_0000, 0x10_0000, 0x1000_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff],
  ...[0x1_0000_0000, 2 ** 35, 2 ** 51, 1e15, Number.MAX_SAFE_INTEGER],
].map(BigInt);
const WIDEST = [2n ** 53n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n, -(2n ** 63n)];

const TOKENS = [
  ...[
    '\0',
    '\n',
    '"',
    '\\',
    '\\u0000',
    '\\ud800',
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '-',
    '/',
    '../',
    '%00',
    '%zz',
  ],
  ...[
    'null',
    'true',
    '1e400',
    '-0',
    '00',
    '1.5',
    '9007199254740993',
    '18446744073709551616',
    'NaN',
    'infinity',
  ],
  ...[
    '__proto__',
    'constructor',
    'toString',
    'base64:',
    '\ufeff',
    '\u2028',
    'é',
    '0/0',
    '<<: *a',
    '&a ',
    '!!binary',
  ],
].map((text) => Buffer.from(text));

type Change = (random: Random, bytes: Buffer, others: readonly Uint8Array[]) => Uint8Array;

/** One change or several, one on top of the other. */
export function mutate(random: Random, input: Uint8Array, others: readonly Uint8Array[]): Uint8Array {
  let bytes = input;
  do {
    bytes = pick(random, CHANGES)(random, asBuffer(bytes), others);
    // Rarely something large, else many inputs a second.
    const most = random.below(400) === 0 ? MAX_BYTES : Math.max(USUAL_MAX_BYTES, input.length);
    if (bytes.length > most) bytes = bytes.subarray(0, most);
  } while (random.below(3) !== 0);
  return bytes;
}

export function pick<Value>(random: Random, values: readonly Value[]): Value {
  return values[random.below(values.length)]!;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Part of the input, from one byte to all of it, mostly short. */
function span(random: Random, bytes: Uint8Array): { start: number; end: number } {
  const start = random.below(bytes.length + 1);
  const most = random.below(4) === 0 ? bytes.length : 24;
  return { start, end: Math.min(bytes.length, start + 1 + random.below(Math.max(1, most))) };
}

function put(bytes: Buffer, start: number, end: number, middle: Uint8Array): Uint8Array {
  return Buffer.concat([bytes.subarray(0, start), middle, bytes.subarray(end)]);
}

/** The same bytes with others over them. */
function over(bytes: Buffer, at: number, patch: Uint8Array): Uint8Array {
  return put(bytes, at, Math.min(bytes.length, at + patch.length), patch.subarray(0, bytes.length - at));
}

export function interestingInteger(random: Random): bigint {
  const wide = random.below(6) === 0 ? pick(random, WIDEST) : pick(random, INTERESTING);
  return random.below(4) === 0 ? wide + BigInt(random.below(5) - 2) : wide;
}

function fixedInteger(random: Random): Uint8Array {
  const all = Buffer.alloc(8);
  const value = BigInt.asUintN(64, interestingInteger(random));
  const width = pick(random, [1, 2, 4, 4, 8]);
  if (random.below(2) === 0) {
    all.writeBigUInt64LE(value);
    return all.subarray(0, width);
  }
  all.writeBigUInt64BE(value);
  return all.subarray(8 - width);
}

export function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(rest)]);
}

function varintEnd(bytes: Uint8Array, at: number): number {
  let end = at;
  while (end < bytes.length && bytes[end]! >= 0x80 && end < at + 9) end += 1;
  return Math.min(bytes.length, end + 1);
}

function randomBytes(random: Random, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => random.below(256));
}

function place(random: Random, bytes: Uint8Array): number {
  return random.below(Math.max(1, bytes.length));
}

const CHANGES: readonly Change[] = [
  (random, bytes) => {
    const at = place(random, bytes);
    return over(bytes, at, Uint8Array.of((bytes[at] ?? 0) ^ (1 << random.below(8))));
  },
  (random, bytes) => over(bytes, place(random, bytes), Uint8Array.of(random.below(256))),
  (random, bytes) => {
    const at = place(random, bytes);
    return over(bytes, at, Uint8Array.of((bytes[at] ?? 0) + random.below(35) - 17));
  },
  (random, bytes) => over(bytes, place(random, bytes), fixedInteger(random)),
  // A length or a count, where numbers are varints.
  (random, bytes) => {
    const at = place(random, bytes);
    return put(bytes, at, varintEnd(bytes, at), varint(interestingInteger(random)));
  },
  (random, bytes) => {
    const { start, end } = span(random, bytes);
    return put(bytes, start, end, new Uint8Array(0));
  },
  (random, bytes) => {
    const { start, end } = span(random, bytes);
    const times = random.below(random.below(50) === 0 ? 20_000 : 4) + 1;
    const room = Math.max(1, Math.floor(MAX_BYTES / Math.max(1, end - start)));
    const copies = new Array<Uint8Array>(Math.min(times, room)).fill(bytes.subarray(start, end));
    return put(bytes, end, end, Buffer.concat(copies));
  },
  (random, bytes) => {
    const at = random.below(bytes.length + 1);
    return put(bytes, at, at, randomBytes(random, 1 + random.below(8)));
  },
  (random, bytes) => {
    const { start, end } = span(random, bytes);
    return put(bytes, start, random.below(2) === 0 ? start : end, pick(random, TOKENS));
  },
  // Two inputs grown together.
  (random, bytes, others) => {
    const other = asBuffer(pick(random, others) ?? bytes);
    return Buffer.concat([
      bytes.subarray(0, random.below(bytes.length + 1)),
      other.subarray(random.below(other.length + 1)),
    ]);
  },
  (random, bytes, others) => {
    const other = asBuffer(pick(random, others) ?? bytes);
    const from = span(random, other);
    const to = span(random, bytes);
    return put(bytes, to.start, to.end, other.subarray(from.start, from.end));
  },
  (random, bytes) => bytes.subarray(0, random.below(bytes.length + 1)),
  // A number in text.
  (random, bytes) => {
    let start = place(random, bytes);
    while (start < bytes.length && !isDigit(bytes[start]!)) start += 1;
    let end = start;
    while (end < bytes.length && isDigit(bytes[end]!)) end += 1;
    return put(bytes, start, end, Buffer.from(String(interestingInteger(random))));
  },
  (random, bytes) => {
    const { start, end } = span(random, bytes);
    return over(bytes, start, Uint8Array.from(bytes.subarray(start, end)).reverse());
  },
];

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}
