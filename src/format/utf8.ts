import type { ByteSource } from './byte-source.ts';

/** True when the bytes are UTF-8 as RFC 3629 defines it: no overlong forms, no surrogates, none above U+10FFFF. */
export function isUtf8(source: ByteSource, start: number, end: number): boolean {
  let at = asciiEnd(source, start, end);
  while (at < end) {
    at = sequenceEnd(source.bytes, at, end);
    if (at === -1) return false;
    if (at < end && source.bytes[at]! < 0x80) at = asciiEnd(source, at, end);
  }
  return true;
}

/** The place of the first byte that is not ASCII; `end` when all are. */
function asciiEnd({ bytes, view }: ByteSource, start: number, end: number): number {
  let at = start;
  for (; at + 16 <= end; at += 16) {
    const bits =
      view.getInt32(at, true) |
      view.getInt32(at + 4, true) |
      view.getInt32(at + 8, true) |
      view.getInt32(at + 12, true);
    if ((bits & 0x80808080) !== 0) break;
  }
  while (at < end && bytes[at]! < 0x80) at += 1;
  return at;
}

/** The place after the sequence of two to four bytes that starts at `at`; -1 when it is none. */
export function sequenceEnd(bytes: Uint8Array, at: number, end: number): number {
  const lead = bytes[at]!;
  if (lead < 0xc2 || lead > 0xf4) return -1;
  const after = at + (lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4);
  if (after > end) return -1;
  const second = bytes[at + 1]!;
  const lowest = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const highest = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  if (second < lowest || second > highest) return -1;
  for (let i = at + 2; i < after; i += 1) if ((bytes[i]! & 0xc0) !== 0x80) return -1;
  return after;
}
