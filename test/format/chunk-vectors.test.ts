import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { CHUNK_FORMATS } from '../../src/core/manifest.ts';
import { parseTime } from '../../src/core/time.ts';
import { chunkCodec } from '../../src/format/chunk-codec.ts';
import { batchRows, makeBatch, type TestEvent, type TestText } from '../../src/testing/batches.ts';

/**
 * Chunks of format version 1, kept for good: what was written once must always be read, and is still written so.
 * Each `<case>.json` says what `<case>.columns`, `.jsonl` and `.msgpack` hold.
 */
const VECTORS = new URL('../vectors/v1/chunks/', import.meta.url);

type VectorText = string | { readonly base64: string };

interface VectorEvent {
  readonly id: VectorText;
  readonly streamId: VectorText;
  readonly version: string;
  readonly type: VectorText;
  /** RFC 3339 with microseconds, `infinity` or `-infinity`. */
  readonly recordedAt: string;
  readonly recordedAtText?: VectorText;
  readonly data: VectorText | null;
  readonly metadata: VectorText | null;
}

interface Vector {
  readonly about: string;
  readonly events: readonly VectorEvent[];
}

function textOf(value: VectorText): TestText {
  return typeof value === 'string' ? value : Buffer.from(value.base64, 'base64');
}

function eventOf(event: VectorEvent): TestEvent {
  return {
    id: textOf(event.id),
    streamId: textOf(event.streamId),
    version: Number(event.version),
    type: textOf(event.type),
    data: event.data === null ? null : textOf(event.data),
    metadata: event.metadata === null ? null : textOf(event.metadata),
    time: parseTime(event.recordedAt)!,
    timeText: event.recordedAtText === undefined ? null : textOf(event.recordedAtText),
  };
}

const cases = fs
  .readdirSync(VECTORS)
  .filter((name) => name.endsWith('.json'))
  .map((name) => name.slice(0, -'.json'.length));

test('the vectors are there', () => {
  assert.deepEqual(cases.sort(), ['edges', 'no-events', 'odd-text', 'templates', 'usual']);
});

for (const name of cases) {
  const vector = JSON.parse(fs.readFileSync(new URL(`${name}.json`, VECTORS), 'utf8')) as Vector;
  const batch = makeBatch(vector.events.map(eventOf));
  for (const format of CHUNK_FORMATS) {
    const plain = fs.readFileSync(new URL(`${name}.${format}`, VECTORS));

    test(`${name}.${format} holds the events that it is said to hold`, () => {
      assert.deepEqual(batchRows(chunkCodec(format).decode(plain)), batchRows(batch));
    });

    test(`${name}.${format} is still written byte for byte`, () => {
      assert.deepEqual(Buffer.from(chunkCodec(format).encode(batch)), plain);
    });
  }
}
