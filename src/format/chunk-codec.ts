import { BackupError } from '../core/errors.ts';
import { type EventBatch, NULL_LENGTH, type Spans } from '../core/event-batch.ts';
import type { ChunkFormat } from '../core/manifest.ts';
import { tooLarge } from './byte-writer.ts';
import { chunkDamage } from './chunk-damage.ts';
import { makeColumnsEncoder } from './columns.ts';
import { makeColumnsDecoder } from './columns-decode.ts';
import { makeJsonlEncoder } from './jsonl.ts';
import { makeJsonlDecoder } from './jsonl-decode.ts';
import { makeMsgpackEncoder } from './msgpack.ts';
import { makeMsgpackDecoder } from './msgpack-decode.ts';

/**
 * Turns batches into plain chunks and back. A codec reuses its buffers and so belongs to one pipeline: one that
 * encodes, or one that decodes.
 *
 * A decoder accepts exactly what the encoder writes: encoding a decoded chunk gives the same bytes again. Only how texts
 * are put together from templates is the encoder's choice.
 */
export interface ChunkCodec {
  readonly format: ChunkFormat;

  /**
   * One chunk of all events of the batch. The bytes are valid until the next `encode`. Throws
   * `store_unsupported` for what no chunk can hold: an event without id, stream or type (SQL NULL), a version
   * outside ±(2^53 − 1), or more than 2 GiB.
   */
  encode(batch: EventBatch): Uint8Array;

  /**
   * The events of a chunk. The batch is valid until the next `decode`, and only as long as `plain` is not
   * changed: its bytes may be those of the chunk. Throws `damaged` and nothing else, whatever the bytes are. Takes
   * memory and time in proportion to the length of the chunk, whatever counts it claims.
   */
  decode(plain: Uint8Array): EventBatch;

  /**
   * As `decode`, for who only wants to know that the chunk is sound: every byte of it is read, but where data and
   * metadata lie in the batch is not said, since they need not be put together for it.
   */
  check(plain: Uint8Array): Omit<EventBatch, 'data' | 'metadata'>;
}

const CODECS: Record<
  ChunkFormat,
  {
    readonly encoder: () => (batch: EventBatch) => Uint8Array;
    readonly decoder: () => (plain: Uint8Array, withTexts: boolean) => EventBatch;
  }
> = {
  columns: { encoder: makeColumnsEncoder, decoder: makeColumnsDecoder },
  jsonl: { encoder: makeJsonlEncoder, decoder: makeJsonlDecoder },
  msgpack: { encoder: makeMsgpackEncoder, decoder: makeMsgpackDecoder },
};

/** Offsets in the batch that is decoded from a chunk, which may be twice as long, then fit 32 bits. */
const MAX_CHUNK_BYTES = 0x7fff_ffff;

export function chunkCodec(format: ChunkFormat): ChunkCodec {
  const encode = CODECS[format].encoder();
  const decode = CODECS[format].decoder();
  return {
    format,
    encode(batch) {
      refuseNulls(batch);
      refuseInexactVersions(batch);
      const plain = encode(batch);
      if (plain.length > MAX_CHUNK_BYTES) throw tooLarge(plain.length);
      return plain;
    },
    decode(plain) {
      refuseTooLong(format, plain);
      return decode(plain, true);
    },
    check(plain) {
      refuseTooLong(format, plain);
      return decode(plain, false);
    },
  };
}

function refuseTooLong(format: ChunkFormat, plain: Uint8Array): void {
  if (plain.length > MAX_CHUNK_BYTES) throw chunkDamage(format, 'it goes on', MAX_CHUNK_BYTES);
}

function refuseNulls(batch: EventBatch): void {
  for (const field of ['id', 'stream', 'type'] as const) {
    const row = firstNull(batch[field], batch.count);
    if (row === -1) continue;
    throw new BackupError('store_unsupported', `event ${row} of a batch has no ${field} (SQL NULL)`, {
      hint: 'give the event one, or remove it from the store',
      facts: { row },
    });
  }
}

function firstNull({ lengths }: Spans, count: number): number {
  for (let row = 0; row < count; row += 1) if (lengths[row] === NULL_LENGTH) return row;
  return -1;
}

function refuseInexactVersions({ versions, count }: EventBatch): void {
  for (let row = 0; row < count; row += 1) {
    if (Number.isSafeInteger(versions[row])) continue;
    throw new BackupError('store_unsupported', `version ${versions[row]} is outside ±(2^53 − 1)`, {
      facts: { row },
    });
  }
}
