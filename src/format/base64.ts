import { type ByteWriter, reserve } from './byte-writer.ts';

/** Base64 (RFC 4648 §4, with padding) in pieces, since no string holds the largest values. */
const PIECE_BYTES = 3 << 14;
const PIECE_CHARS = 4 << 14;

export function writeBase64(out: ByteWriter, bytes: Buffer, start: number, end: number): void {
  reserve(out, Math.ceil((end - start) / 3) * 4);
  for (let at = start; at < end; at += PIECE_BYTES) {
    const text = bytes.toString('base64', at, Math.min(at + PIECE_BYTES, end));
    out.at += out.bytes.write(text, out.at, 'latin1');
  }
}

/** Appends what the text stands for. False when it is not the text that `writeBase64` writes for any bytes. */
export function readBase64(bytes: Buffer, start: number, end: number, out: ByteWriter): boolean {
  reserve(out, Math.ceil((end - start) / 4) * 3);
  for (let at = start; at < end; at += PIECE_CHARS) {
    const text = bytes.toString('latin1', at, Math.min(at + PIECE_CHARS, end));
    const piece = Buffer.from(text, 'base64');
    if (piece.toString('base64') !== text) return false;
    piece.copy(out.bytes, out.at);
    out.at += piece.length;
  }
  return true;
}
