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
  let at = start;
  for (let i = 0; i < UUID_BYTES; i += 1) {
    if (i === 4 || i === 6 || i === 8 || i === 10) {
      if (bytes[at] !== 0x2d) return false;
      at += 1;
    }
    const high = HEX_VALUES[bytes[at]!]!;
    const low = HEX_VALUES[bytes[at + 1]!]!;
    if (high > 15 || low > 15) return false;
    out[to + i] = (high << 4) | low;
    at += 2;
  }
  return true;
}

/** Value of a lower-case hex digit by its byte; 255 for any other byte. */
const HEX_VALUES = Uint8Array.from({ length: 256 }, (_, byte) => {
  const value = '0123456789abcdef'.indexOf(String.fromCharCode(byte));
  return value === -1 ? 255 : value;
});
