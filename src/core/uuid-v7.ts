import { timeFromUnixMs } from './time.ts';
import { formatUuid } from './uuid-text.ts';

const COUNTER_LIMIT = 0x1000;
/** A fresh millisecond starts its counter in the lower half, which leaves room for at least 2048 more ids. */
const COUNTER_START_MASK = 0x7ff;

/**
 * Makes UUIDs of version 7 (RFC 9562 §6.2, method 1): milliseconds since 1970, a 12-bit counter, 62 random bits.
 * Each one is greater than the one before, also within a millisecond and when the clock steps back.
 */
export function uuidV7Source(now: () => number, random: (sizeBytes: number) => Uint8Array): () => string {
  let lastMs = -1;
  let counter = 0;
  return () => {
    const bytes = random(16);
    const nowMs = Math.floor(now());
    counter += 1;
    if (nowMs > lastMs || counter === COUNTER_LIMIT) {
      lastMs = Math.max(nowMs, lastMs + 1);
      counter = (bytes[6]! * 256 + bytes[7]!) & COUNTER_START_MASK;
    }
    return formatUuid(withTimeAndCounter(Uint8Array.from(bytes), lastMs, counter), 0);
  };
}

function withTimeAndCounter(bytes: Uint8Array, unixMs: number, counter: number): Uint8Array {
  let rest = unixMs;
  for (let i = 5; i >= 0; i -= 1) {
    bytes[i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  bytes[6] = 0x70 | (counter >> 8);
  bytes[7] = counter & 0xff;
  bytes[8] = 0x80 | (bytes[8]! & 0x3f);
  return bytes;
}

/** When such an id says that it was made, in microseconds since 2000; null when these 16 bytes are no UUID of version 7. */
export function timeOfUuidV7(bytes: Uint8Array): bigint | null {
  if (bytes[6]! >> 4 !== 7 || bytes[8]! >> 6 !== 2) return null;
  let unixMs = 0;
  for (let i = 0; i < 6; i += 1) unixMs = unixMs * 256 + bytes[i]!;
  return timeFromUnixMs(unixMs);
}
