/**
 * What is in an event chunk (FORMAT.md §5), whatever the format, as lines of JSON. The digests have shown that the bytes are
 * as they were written, so it is not checked that they are spelt as §5 asks for.
 */
import { isUtf8 } from 'node:buffer';
import fs from 'node:fs';
import zlib from 'node:zlib';

export function check(isTrue, message) {
  if (!isTrue) throw new Error(message);
}
export function readBytes(file, offset, length) {
  check(length <= fs.fstatSync(file).size - offset, 'its file is too short');
  const bytes = Buffer.alloc(length);
  check(fs.readSync(file, bytes, 0, length, offset) === length, 'its file is too short');
  return bytes;
}
/** §4.1: what a frame says of its length is not believed. */
export function decompress(stored, compression, plainBytes) {
  const limit = { maxOutputLength: Math.max(1, plainBytes) };
  let plain = stored;
  if (compression === 'gzip') plain = zlib.gunzipSync(stored, limit);
  if (compression === 'zstd') plain = zlib.zstdDecompressSync(stored, limit);
  check(plain.length === plainBytes, 'it has another length than was noted');
  return plain;
}
export const list = (length, make) => Array.from({ length }, (_, i) => make(i));

/** The lines of a chunk, in the form of §5.3, without line feeds. */
export function decodeChunk(format, plain) {
  if (format === 'columns') return decodeColumns(plain);
  if (format === 'msgpack') return decodeMessages(plain);
  check(isUtf8(plain) && (plain.length === 0 || plain.at(-1) === 10), 'it is no JSON Lines');
  return plain.length === 0 ? [] : plain.toString().slice(0, -1).split('\n');
}
function makeLine({ id, stream, version, type, time, timeText, data, metadata }) {
  const text = (key, bytes, plainKey = key) =>
    isUtf8(bytes)
      ? `"${plainKey}":${JSON.stringify(bytes.toString())}`
      : `"${key}Base64":"${bytes.toString('base64')}"`;
  const fields = [text('id', id), text('streamId', stream), `"version":${version}`, text('type', type)];
  fields.push(`"recordedAt":"${time}"`);
  if (timeText != null) fields.push(text('recordedAt', timeText, 'recordedAtText'));
  const payloads = Object.entries({ metadata, data }).filter(([, bytes]) => bytes !== null);
  for (const [key, bytes] of payloads)
    fields.push(isJson(bytes) ? `"${key}":${bytes}` : text(key, bytes, `${key}Text`));
  return `{${fields.join(',')}}`;
}
function isJson(bytes) {
  if (bytes.includes(10) || bytes.includes(13) || !isUtf8(bytes)) return false;
  try {
    JSON.parse(bytes.toString());
    return true;
  } catch {
    return false;
  }
}
/** §5.1, from microseconds since 2000. A calendar begins anew every 400 years, so the years 2000 to 2399 serve for all. */
export function timeText(micros) {
  if (micros === 2n ** 63n - 1n) return 'infinity';
  if (micros === -(2n ** 63n)) return '-infinity';
  const cycle = 146_097n * 86_400_000_000n;
  const within = ((micros % cycle) + cycle) % cycle;
  const text = new Date(Date.UTC(2000, 0) + Number(within / 1000n)).toISOString();
  const year = Number(text.slice(0, 4)) + 400 * Number((micros - within) / cycle);
  const digits = String(Math.abs(year)).padStart(year >= 0 && year <= 9999 ? 4 : 6, '0');
  const sign = year < 0 ? '-' : year > 9999 ? '+' : '';
  return `${sign}${digits}${text.slice(4, 23)}${String(within % 1000n).padStart(3, '0')}Z`;
}
/** Reads bytes one behind the other; nothing that they say of lengths is believed before it is compared with what is left. */
export function makeReader(bytes) {
  let at = 0;
  const take = (length) => {
    check(length <= bytes.length - at, 'a length in it goes beyond its end');
    at += length;
    return bytes.subarray(at - length, at);
  };
  const byte = () => {
    check(at < bytes.length, 'it ends too early');
    at += 1;
    return bytes[at - 1];
  };
  const varint = () => {
    for (let value = 0, scale = 1; ; scale *= 128) {
      const next = byte();
      value += (next & 127) * scale;
      if (next < 128) return value;
    }
  };
  const zigzag = () => {
    for (let value = 0n, shift = 0n; ; shift += 7n) {
      const next = byte();
      value |= BigInt(next & 127) << shift;
      if (next < 128) return (value >> 1n) ^ -(value & 1n);
    }
  };
  const steps = (count, wrap = (value) => value) => {
    let value = 0n;
    return list(count, () => (value = wrap(value + zigzag())));
  };
  const texts = (count) => list(count, varint).map(take);
  return { take, byte, varint, zigzag, steps, texts, isAtEnd: () => at === bytes.length };
}
const uuidText = (bytes) =>
  Buffer.from(bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'));

/** §5.2: how each encoding gives the values of n events. */
const ENCODINGS = {
  1: ({ take }, n) => {
    const planes = take(16 * n);
    return list(n, (i) => uuidText(Buffer.from(list(16, (j) => planes[j * n + i]))));
  },
  2: ({ varint, texts }, n) => {
    const names = texts(varint());
    return list(n, () => names[varint()]);
  },
  3: ({ zigzag }, n, { stream }) => {
    const expected = new Map(); // by the name's place in memory: a chunk has each name once
    return list(n, (i) => {
      const version = zigzag() + (expected.get(stream[i]) ?? 0n);
      expected.set(stream[i], version + 1n);
      return version;
    });
  },
  4: ({ steps }, n) => steps(n, (value) => BigInt.asIntN(64, value)).map(timeText),
  5: ({ varint, take }, n) => list(n, varint).map((size) => (size === 0 ? null : take(size - 1))),
  6: ({ varint, take }, n) => {
    const size = varint();
    return Array(n).fill(size === 0 ? null : take(size - 1));
  },
  7: ({ varint, take }, n) => {
    const values = Array(n).fill(null);
    let next = 0;
    for (let left = varint(); left > 0; left -= 1) {
      next += varint();
      check(next < n, 'it has a time for no event');
      values[next] = take(varint());
      next += 1;
    }
    return values;
  },
  8: decodeTemplates,
};
function decodeColumns(bytes) {
  const { take, byte, isAtEnd } = makeReader(bytes);
  check(take(4).toString() === 'ECC1', 'it is no chunk of columns');
  const [n, count] = [take(4).readUInt32LE(), take(2).readUInt16LE()];
  const directory = list(count, () => ({
    name: `${take(byte())}`,
    encoding: byte(),
    size: take(4).readUInt32LE(),
  }));
  const columns = { timeText: [] };
  for (const { name, encoding, size } of directory) {
    const reader = makeReader(take(size));
    check(encoding in ENCODINGS, `encoding ${encoding} is unknown`);
    columns[name] = ENCODINGS[encoding](reader, n, columns);
    check(reader.isAtEnd(), `column ${name} is not used up`);
  }
  check(isAtEnd(), 'bytes are left over');
  const entries = Object.entries(columns);
  return list(n, (i) => makeLine(Object.fromEntries(entries.map(([name, values]) => [name, values[i]]))));
}
function decodeTemplates(reader, n) {
  const { take, varint } = reader;
  const sizes = list(varint(), () => list(varint() + 1, varint));
  const templates = sizes.map((lengths) => ({ literals: lengths.map(take), slots: [], count: 0, next: 0 }));
  const owners = list(n, () => templates[varint() - 1] ?? null);
  for (const owner of owners) if (owner !== null) owner.count += 1;
  for (const { slots, literals, count } of templates)
    for (let i = 1; i < literals.length; i += 1) slots.push(decodeSlot(reader, varint(), count));
  for (const { slots, count } of templates)
    for (const [i, slot] of slots.entries()) slots[i] = slot ?? list(count, () => uuidText(take(16)));
  return owners.map((owner) => {
    if (owner === null) return null;
    const { literals, slots } = owner;
    const row = owner.next++;
    return Buffer.concat(
      literals.flatMap((literal, i) => (i === 0 ? [literal] : [slots[i - 1][row], literal])),
    );
  });
}
/** The values of a slot; null for UUIDs, which stand behind all slots. */
function decodeSlot({ take, varint, zigzag, steps, texts }, kind, count) {
  if (kind === 0) return texts(count);
  if (kind === 1) {
    const entries = texts(varint());
    return list(count, () => entries[entries.length > 1 ? varint() : 0]);
  }
  if (kind === 2 || kind === 3) {
    const prefix = take(varint());
    const numbers = kind === 2 ? list(count, zigzag) : steps(count);
    return numbers.map((number) => Buffer.concat([prefix, Buffer.from(String(number))]));
  }
  if (kind === 4) {
    const digits = varint();
    const unit = 10n ** BigInt(6 - digits);
    const end = digits === 0 ? 19 : 20 + digits;
    return steps(count).map((instant) => Buffer.from(`${timeText(instant * unit).slice(0, end)}Z`));
  }
  check(kind === 5, `slots of kind ${kind} are unknown`);
  return null;
}

// ---- §5.4: MessagePack, of which text, integers and nil appear ----

const SIZED = { 196: 1, 197: 2, 198: 4, 217: 1, 218: 2, 219: 4 }; // bin and str, by the bytes of their length
const UNSIGNED = { 204: 1, 205: 2, 206: 4, 207: 8 };
const SIGNED = { 208: 1, 209: 2, 210: 4, 211: 8 };

function decodeMessages(bytes) {
  const { take, byte, isAtEnd } = makeReader(bytes);
  const unsigned = (size) => BigInt(`0x${take(size).toString('hex')}`);
  const value = () => {
    const first = byte();
    if (first <= 0x7f) return BigInt(first);
    if (first >= 0xe0) return BigInt(first - 256);
    if (first === 0xc0) return null;
    if (first >= 0xa0 && first <= 0xbf) return take(first & 31);
    if (first in SIZED) return take(Number(unsigned(SIZED[first])));
    if (first in UNSIGNED) return unsigned(UNSIGNED[first]);
    check(first in SIGNED, 'something in it is neither text nor integer nor nil');
    return BigInt.asIntN(8 * SIGNED[first], unsigned(SIGNED[first]));
  };
  const lines = [];
  while (!isAtEnd()) {
    const fields = Object.fromEntries(list(byte() & 15, () => [`${value()}`, value()]));
    const { streamId: stream, recordedAt: time, recordedAtText: timeText, ...rest } = fields;
    lines.push(makeLine({ ...rest, stream, time, timeText }));
  }
  return lines;
}
