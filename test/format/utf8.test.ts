import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { byteSource } from '../../src/format/byte-source.ts';
import { isUtf8 } from '../../src/format/utf8.ts';

const decoder = new TextDecoder('utf-8', { fatal: true });

function decodes(bytes: Uint8Array): boolean {
  try {
    decoder.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

/** Also with bytes around it that would make half a sequence whole. */
function agreesWithTheDecoder(bytes: Uint8Array): void {
  const framed = byteSource(Buffer.concat([Buffer.of(0xf0, 0x9f), bytes, Buffer.of(0x80, 0x80, 0x80)]));
  assert.equal(isUtf8(framed, 2, 2 + bytes.length), decodes(bytes), Buffer.from(bytes).toString('hex'));
}

test('agrees with the decoder about text, bytes, and text with damage', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) =>
      agreesWithTheDecoder(Buffer.from(text)),
    ),
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 8 }), agreesWithTheDecoder), { numRuns: 1000 });
  fc.assert(
    fc.property(fc.string({ unit: 'binary', minLength: 1 }), fc.nat(), fc.nat(255), (text, at, byte) => {
      const bytes = Buffer.from(text);
      bytes[at % bytes.length] = byte;
      agreesWithTheDecoder(bytes);
    }),
    { numRuns: 1000 },
  );
});

test('agrees with the decoder about every sequence of two bytes and each edge of longer ones', () => {
  for (let first = 0x80; first < 0x100; first += 1) {
    for (let second = 0; second < 0x100; second += 1) agreesWithTheDecoder(Uint8Array.of(first, second));
  }
  for (let first = 0xe0; first < 0x100; first += 1) {
    for (const second of [0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0]) {
      for (const third of [0x7f, 0x80, 0xbf, 0xc0]) {
        agreesWithTheDecoder(Uint8Array.of(first, second, third));
        agreesWithTheDecoder(Uint8Array.of(first, second, third, third));
      }
    }
  }
});

test('sees one foreign byte anywhere in long ASCII', () => {
  for (let at = 0; at < 70; at += 1) {
    const bytes = new Uint8Array(70).fill(0x61);
    bytes[at] = 0x80;
    agreesWithTheDecoder(bytes);
  }
});
