/** UUIDs as 16 bytes and as text. */
export const UUID_BYTES = 16;

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** 16 bytes as lower-case UUID text. */
export function formatUuid(bytes: Uint8Array, start: number): string {
  let text = '';
  for (let i = 0; i < UUID_BYTES; i += 1) {
    if (i === 4 || i === 6 || i === 8 || i === 10) text += '-';
    text += HEX[bytes[start + i]!]!;
  }
  return text;
}

/**
 * Reads UUID text in its canonical lower-case form (the one that `formatUuid` gives back byte for byte) into 16
 * bytes at `to`. False, with `out` partly written, when it is anything else.
 */
export function parseUuid(
  bytes: Uint8Array,
  start: number,
  length: number,
  out: Uint8Array,
  to: number,
): boolean {
  if (length !== 36) return false;
  if (bytes[start + 8] !== HYPHEN || bytes[start + 13] !== HYPHEN) return false;
  if (bytes[start + 18] !== HYPHEN || bytes[start + 23] !== HYPHEN) return false;
  let seen = 0;
  for (let i = 0; i < UUID_BYTES; i += 1) {
    const at = start + TEXT_AT[i]!;
    const byte = (HEX_VALUES[bytes[at]!]! << 4) | HEX_VALUES[bytes[at + 1]!]!;
    seen |= byte;
    out[to + i] = byte;
  }
  return seen < NO_DIGIT;
}

const HYPHEN = 0x2d;

/** Where the two digits of each byte stand. */
const TEXT_AT = Uint8Array.from([0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34]);

/** In the place of a byte that is no digit: it shows in whatever it is part of. */
const NO_DIGIT = 0x100;

/** Value of a lower-case hex digit by its byte. */
const HEX_VALUES = Uint16Array.from({ length: 256 }, (_, byte) => {
  const value = '0123456789abcdef'.indexOf(String.fromCharCode(byte));
  return value === -1 ? NO_DIGIT : value;
});

/** As `parseUuid` for text of 36 bytes, two digits a step. `view` and `out` may be of different buffers. */
export function parseUuidPairs(view: DataView, start: number, out: Uint8Array, to: number): boolean {
  if (view.getUint8(start + 8) !== HYPHEN || view.getUint8(start + 13) !== HYPHEN) return false;
  if (view.getUint8(start + 18) !== HYPHEN || view.getUint8(start + 23) !== HYPHEN) return false;
  let seen = 0;
  for (let i = 0; i < UUID_BYTES; i += 1) {
    const byte = PAIR_VALUES[view.getUint16(start + TEXT_AT[i]!)]!;
    seen |= byte;
    out[to + i] = byte;
  }
  return seen >= 0;
}

/** The byte that two digits stand for, by the two as one number; −1 for all that are not. */
const PAIR_VALUES = new Int16Array(0x1_0000).fill(-1);
for (let byte = 0; byte < 256; byte += 1) {
  PAIR_VALUES[(HEX[byte]!.charCodeAt(0) << 8) | HEX[byte]!.charCodeAt(1)] = byte;
}
