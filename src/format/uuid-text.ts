import { UUID_BYTES } from '../core/uuid-text.ts';
import type { ByteWriter } from './byte-writer.ts';
export const UUID_TEXT_BYTES = 36;

const HYPHEN = 0x2d;
/** The two digits of each byte. */
const DIGITS = Buffer.from(
  Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0')).join(''),
);

/** Appends a UUID's bytes as canonical lower-case UUID text; the room must have been reserved. */
export function writeUuid(out: ByteWriter, source: Uint8Array, start: number): void {
  const { bytes } = out;
  let { at } = out;
  for (let i = 0; i < UUID_BYTES; i += 1) {
    if (i === 4 || i === 6 || i === 8 || i === 10) {
      bytes[at] = HYPHEN;
      at += 1;
    }
    const digits = source[start + i]! * 2;
    bytes[at] = DIGITS[digits]!;
    bytes[at + 1] = DIGITS[digits + 1]!;
    at += 2;
  }
  out.at = at;
}
