import zlib from 'node:zlib';
import { BackupError } from '../core/errors.ts';
import type { Compression } from '../core/manifest.ts';

/** The levels that each compression takes, and the one it has by default. */
export const LEVELS = {
  none: null,
  gzip: { min: 1, max: 9, default: 1 },
  zstd: { min: 1, max: 19, default: 1 },
} as const satisfies Record<Compression, { min: number; max: number; default: number } | null>;

/** What a data file's name ends with, by compression. */
export const COMPRESSION_SUFFIX = { none: '', gzip: '.gz', zstd: '.zst' } as const satisfies Record<
  Compression,
  string
>;

/** A chunk never has more plain bytes than this; a frame that says otherwise is damaged or hostile. */
export const MAX_PLAIN_BYTES = 2 ** 31 - 1;

export type Compress = (plain: Uint8Array) => Uint8Array | Promise<Uint8Array>;

/**
 * Room for the output is made in steps of this; the 16 KiB default costs a third of the speed. Each step is a way to the
 * thread pool and back. Inline it is only an allocation, and what is not used of it is lost.
 */
const POOL_OUTPUT_BYTES = 1 << 20;
const INLINE_OUTPUT_BYTES = 1 << 16;

/**
 * Compresses a chunk into one frame. `inline` works in the calling thread, which is the quicker way for a worker;
 * otherwise the thread pool does, and `plain` must stay as it is until the promise resolves.
 */
export function makeCompress(kind: Compression, level: number | null, inline: boolean): Compress {
  if (kind === 'none') return (plain) => plain;
  const chosen = level ?? LEVELS[kind].default;
  const chunkSize = inline ? INLINE_OUTPUT_BYTES : POOL_OUTPUT_BYTES;
  if (kind === 'gzip') {
    const options = { level: chosen, chunkSize };
    return inline
      ? (plain) => zlib.gzipSync(plain, options)
      : (plain) => inPool((done) => zlib.gzip(plain, options, done));
  }
  const options = {
    chunkSize,
    params: { [zlib.constants.ZSTD_c_compressionLevel]: chosen },
  };
  return inline
    ? (plain) => zlib.zstdCompressSync(plain, options)
    : (plain) => inPool((done) => zlib.zstdCompress(plain, options, done));
}

function inPool(start: (done: (error: Error | null, result: Buffer) => void) => void): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    start((error, result) => (error === null ? resolve(result) : reject(error)));
  });
}

/**
 * Gives back the plain bytes of a frame that must have exactly `plainBytes` of them. Throws `damaged` for
 * anything else; never allocates more than was announced.
 */
export function decompress(kind: Compression, stored: Uint8Array, plainBytes: number): Uint8Array {
  if (plainBytes > MAX_PLAIN_BYTES)
    throw new BackupError('damaged', `chunk announces ${plainBytes} plain bytes`);
  const plain = kind === 'none' ? stored : decodeFrame(kind, stored, plainBytes);
  if (plain.length === plainBytes) return plain;
  throw new BackupError('damaged', `chunk has ${plain.length} plain bytes instead of ${plainBytes}`);
}

function decodeFrame(kind: 'gzip' | 'zstd', stored: Uint8Array, plainBytes: number): Uint8Array {
  const options = {
    maxOutputLength: Math.max(1, plainBytes),
    chunkSize: Math.min(Math.max(1024, plainBytes + 64), 1 << 22),
  };
  try {
    return kind === 'gzip' ? zlib.gunzipSync(stored, options) : zlib.zstdDecompressSync(stored, options);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new BackupError('damaged', `chunk does not decompress: ${reason}`, { cause });
  }
}
