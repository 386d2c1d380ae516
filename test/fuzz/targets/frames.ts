import zlib from 'node:zlib';
import { COMPRESSIONS } from '../../../src/core/manifest.ts';
import { decompress } from '../../../src/format/compression.ts';
import type { Random } from '../../../src/testing/random.ts';
import { mutate } from '../engine/mutate.ts';
import { demand, type FuzzTarget } from '../engine/target.ts';

/** A frame as a chunk table announces it: one byte for the kind, four for the plain bytes. */
const HEAD_BYTES = 5;
/** What the table announces may be allocated: it is the limit, so this stays far below that of the fuzzer. */
const MOST_ANNOUNCED = 64 << 20;

function announced(kind: (typeof COMPRESSIONS)[number], plainBytes: number, frame: Uint8Array): Uint8Array {
  const head = Buffer.alloc(HEAD_BYTES);
  head[0] = COMPRESSIONS.indexOf(kind);
  head.writeUInt32LE(plainBytes, 1);
  return Buffer.concat([head, frame]);
}

function seeds(): Uint8Array[] {
  const plain = Buffer.from('{"n":1,"text":"of an event"}\n'.repeat(40));
  const noise = Buffer.from(Array.from({ length: 600 }, (_, i) => (i * i * 31 + (i >> 3)) & 0xff));
  return [plain, noise, Buffer.alloc(0), Buffer.alloc(1 << 20)]
    .flatMap((content) => [
      announced('none', content.length, content.length > 10_000 ? Buffer.alloc(0) : content),
      announced('gzip', content.length, zlib.gzipSync(content)),
      announced('zstd', content.length, zlib.zstdCompressSync(content)),
    ])
    .filter((input) => input[0] !== 0 || Buffer.from(input).readUInt32LE(1) === input.length - HEAD_BYTES);
}

const BOMB = Buffer.alloc(48 << 20);
const BOMBS = [zlib.gzipSync(BOMB), zlib.zstdCompressSync(BOMB)] as const;

const frames: FuzzTarget = {
  name: 'frames',
  refusals: ['damaged'],
  seeds,
  // A frame that yields more than was announced, and one that says by itself how large it is.
  reshape: (random: Random, seed) => {
    if (random.below(20) !== 0) {
      const frame = mutate(random, seed.subarray(HEAD_BYTES), [BOMBS[random.below(2)]!.subarray(0, 400)]);
      return Buffer.concat([seed.subarray(0, HEAD_BYTES), frame]);
    }
    const kind = random.below(2);
    return announced(kind === 0 ? 'gzip' : 'zstd', random.below(4096), BOMBS[kind]!);
  },
  run: (input) => {
    if (input.length < HEAD_BYTES) return false;
    const plainBytes = Buffer.from(input).readUInt32LE(1);
    if (plainBytes > MOST_ANNOUNCED && plainBytes < 2 ** 31) return false;
    const kind = COMPRESSIONS[input[0]! % COMPRESSIONS.length]!;
    const plain = decompress(kind, input.subarray(HEAD_BYTES), plainBytes);
    demand(plain.length === plainBytes, 'as many bytes as announced');
    return true;
  },
};

export const FRAME_TARGETS: readonly FuzzTarget[] = [frames];
