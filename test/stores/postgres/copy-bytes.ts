import {
  type CopyBatch,
  type CopyDecoder,
  lastRows,
  received,
  room,
} from '../../../src/stores/postgres/copy-decoder.ts';
import {
  COPY_HEADER,
  COPY_TRAILER,
  encodeRow,
  makeCopyEncoder,
  takeChunk,
} from '../../../src/stores/postgres/copy-encoder.ts';
import { makeBatch, type TestEvent } from '../../../src/testing/batches.ts';

/** What a COPY of these events holds. */
export function encode(events: readonly TestEvent[], options?: Parameters<typeof makeBatch>[1]): Buffer {
  const batch = makeBatch(events, options);
  const encoder = makeCopyEncoder();
  const bytes = Buffer.from(batch.bytes.buffer, batch.bytes.byteOffset, batch.bytes.byteLength);
  const chunks = Array.from({ length: batch.count }, (_, row) => encodeRow(encoder, batch, bytes, row));
  const all = [...chunks, takeChunk(encoder)].flatMap((chunk) => (chunk === null ? [] : [chunk.bytes]));
  return Buffer.concat([COPY_HEADER, ...all, COPY_TRAILER]);
}

/** What a server sends of a COPY: a message for each row, the header in that of the first. */
export function messages(copy: Buffer): Buffer {
  const ends = [...rowEnds(copy, COPY_HEADER.length), copy.length];
  return Buffer.concat(ends.map((end, i) => message('d', copy.subarray(i === 0 ? 0 : ends[i - 1]!, end))));
}

function* rowEnds(copy: Buffer, start: number): Generator<number> {
  let at = start;
  while (copy.readInt16BE(at) !== -1) {
    const fields = copy.readInt16BE(at);
    at += 2;
    for (let i = 0; i < fields; i += 1) at += 4 + Math.max(0, copy.readInt32BE(at));
    yield at;
  }
}

/** A message of the server. */
export function message(type: string, content: Buffer): Buffer {
  const head = Buffer.alloc(5, type);
  head.writeInt32BE(content.length + 4, 1);
  return Buffer.concat([head, content]);
}

/** The same COPY with the block of each row in one more field, as a ctid. */
export function withBlocks(copy: Buffer, blocks: readonly number[]): Buffer {
  const parts = [copy.subarray(0, COPY_HEADER.length)];
  let start = COPY_HEADER.length;
  let row = 0;
  for (const end of rowEnds(copy, start)) {
    const place = Buffer.alloc(10);
    place.writeInt32BE(6, 0);
    place.writeUInt32BE(blocks[row]!, 4);
    place.writeUInt16BE(row + 1, 8);
    const fields = Buffer.alloc(2);
    fields.writeInt16BE(copy.readInt16BE(start) + 1);
    parts.push(fields, copy.subarray(start + 2, end), place);
    start = end;
    row += 1;
  }
  return Buffer.concat([...parts, copy.subarray(start)]);
}

/** Gives a decoder its bytes, in pieces that end at `cuts` and wherever it has no room. */
export function* batchesFrom(
  decoder: CopyDecoder,
  bytes: Uint8Array,
  cuts: readonly number[],
  onSize: (bufferBytes: number) => void = () => undefined,
): Generator<CopyBatch> {
  const ends = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  let from = 0;
  for (const end of [...ends, bytes.length]) {
    while (from < end) {
      const part = bytes.subarray(from, Math.min(end, from + room(decoder).length));
      room(decoder).set(part);
      from += part.length;
      const batch = received(decoder, part.length);
      onSize(decoder.bytes.length);
      if (batch !== null) yield batch;
    }
  }
  const last = lastRows(decoder);
  if (last !== null) yield last;
}
