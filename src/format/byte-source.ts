/** Bytes to read from, and a view that reads four of them at a time wherever they lie. */
export interface ByteSource {
  readonly bytes: Buffer;
  readonly view: DataView;
}

export function byteSource(bytes: Uint8Array): ByteSource {
  const { buffer, byteOffset, byteLength } = bytes;
  return {
    bytes: Buffer.from(buffer, byteOffset, byteLength),
    view: new DataView(buffer, byteOffset, byteLength),
  };
}

const SHORT_SPAN = 64;

/** True when the `length` bytes at `a` and at `b` are the same. */
export function sameBytes(bytes: Buffer, a: number, b: number, length: number): boolean {
  if (length > SHORT_SPAN) return bytes.compare(bytes, b, b + length, a, a + length) === 0;
  for (let i = 0; i < length; i += 1) if (bytes[a + i] !== bytes[b + i]) return false;
  return true;
}
