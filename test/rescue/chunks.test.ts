/** The rescue script reads chunks by FORMAT.md alone; this holds it against the project's own encoders, and golden files. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { CHUNK_FORMATS } from '../../src/core/manifest.ts';
import { formatTime } from '../../src/core/time.ts';
import { chunkCodec } from '../../src/format/chunk-codec.ts';
import { makeBatch } from '../../src/testing/batches.ts';
import { generateBatches } from '../../src/testing/event-generator.ts';
import { arbitraryEvents } from '../format/event-arbitraries.ts';
import { rescueModule } from './run-rescue.ts';

const { decodeChunk, timeText } = await rescueModule('rescue-chunks.mjs');
const VECTORS = join(import.meta.dirname, '../vectors/v1/chunks');

const decode = (format: string, bytes: Uint8Array): string =>
  (decodeChunk!(format, Buffer.from(bytes)) as string[]).map((line) => `${line}\n`).join('');

describe('the rescue script reads a chunk', () => {
  const names = readdirSync(VECTORS).filter((name) => name.endsWith('.json'));
  for (const name of names.map((one) => one.replace('.json', ''))) {
    it(`of the golden files: ${name}`, () => {
      const expected = readFileSync(join(VECTORS, `${name}.jsonl`), 'utf8');
      for (const format of CHUNK_FORMATS) {
        assert.equal(decode(format, readFileSync(join(VECTORS, `${name}.${format}`))), expected, format);
      }
    });
  }

  for (const format of CHUNK_FORMATS) {
    it(`of any events: ${format}`, () => {
      fc.assert(
        fc.property(arbitraryEvents, (events) => {
          const batch = makeBatch(events);
          const expected = chunkCodec('jsonl').encode(batch).toString();
          assert.equal(decode(format, chunkCodec(format).encode(batch)), expected);
        }),
        { numRuns: 300 },
      );
    });

    it(`of events of an application, whose payloads are alike: ${format}`, () => {
      for (const batch of generateBatches({ seed: 7, events: 2000, batchBytes: 1 << 18 })) {
        const expected = Buffer.from(chunkCodec('jsonl').encode(batch)).toString();
        assert.ok(decode(format, chunkCodec(format).encode(batch)) === expected);
      }
    });
  }

  it('with any time', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (micros) => {
        assert.equal(timeText!(micros), formatTime(micros));
      }),
      { numRuns: 1000 },
    );
  });

  it('that is cut off or has a flipped bit by giving lines or an error, never by hanging', () => {
    for (const format of ['columns', 'msgpack']) {
      const bytes = readFileSync(join(VECTORS, `usual.${format}`));
      for (let at = 0; at < bytes.length; at += 1) {
        const flipped = Buffer.from(bytes);
        flipped[at]! ^= 0x81;
        for (const damaged of [flipped, bytes.subarray(0, at)]) {
          try {
            decode(format, damaged);
          } catch (error) {
            assert.ok(error instanceof Error);
          }
        }
      }
      assert.throws(() => decode(format, bytes.subarray(0, -1)));
    }
  });
});
