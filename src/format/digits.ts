/** Decimal digits in byte buffers. */
export const ZERO = 0x30;

export function writeTwoDigits(bytes: Uint8Array, at: number, value: number): void {
  const tens = (value / 10) | 0;
  bytes[at] = ZERO + tens;
  bytes[at + 1] = ZERO + value - tens * 10;
}

export function writeThreeDigits(bytes: Uint8Array, at: number, value: number): void {
  const hundreds = (value / 100) | 0;
  bytes[at] = ZERO + hundreds;
  writeTwoDigits(bytes, at + 1, value - hundreds * 100);
}

/** What reading two digits gives when there are not two: more than any sum of digits that it is part of. */
export const NO_DIGITS = 1e6;

export function readTwoDigits(bytes: Uint8Array, at: number): number {
  const tens = bytes[at]! - ZERO;
  const ones = bytes[at + 1]! - ZERO;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : NO_DIGITS;
}

export function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= ZERO + 9;
}
