import type { ByteWriter } from './byte-writer.ts';

const MINUS = 0x2d;
const ZERO = 0x30;
const LARGEST_INT32 = 0x7fff_ffff;

/** Appends an exact integer in decimal, at most 17 bytes; the room must have been reserved. */
export function writeInteger(out: ByteWriter, value: number): void {
  if (value < 0) {
    out.bytes[out.at] = MINUS;
    out.at += 1;
  }
  const magnitude = Math.abs(value);
  if (magnitude <= LARGEST_INT32) writeDigits(out, magnitude);
  else out.at += out.bytes.write(String(magnitude), out.at, 'ascii');
}

function writeDigits(out: ByteWriter, value: number): void {
  const { bytes, at } = out;
  let after = at + 1;
  for (let rest = value; rest >= 10; rest = (rest / 10) | 0) after += 1;
  let rest = value;
  for (let place = after - 1; place >= at; place -= 1) {
    const shorter = (rest / 10) | 0;
    bytes[place] = ZERO + rest - shorter * 10;
    rest = shorter;
  }
  out.at = after;
}
