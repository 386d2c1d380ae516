import { BackupError } from '../core/errors.ts';

/**
 * A growing output buffer that is used again for the next chunk. Writers call `reserve` for the most that
 * they may write, then write to `bytes` from `at` on without further checks.
 */
export interface ByteWriter {
  bytes: Buffer;
  at: number;
}

/** Offsets in a batch have 32 bits. */
const MAX_BYTES = 0xffff_ffff;

const FIRST_BYTES = 1 << 16;
/** A buffer that grew past this for one huge event is given back after it. */
const KEPT_BYTES = 16 << 20;
/** Up to here copying byte by byte beats the call that copies a block. */
const SHORT_SPAN = 32;

export function makeByteWriter(): ByteWriter {
  return { bytes: Buffer.allocUnsafeSlow(FIRST_BYTES), at: 0 };
}

/** Starts over; what was written before may be overwritten. `expectedBytes` spares growing in steps. */
export function clearWriter(out: ByteWriter, expectedBytes = 0): void {
  out.at = 0;
  if (out.bytes.length > KEPT_BYTES) out.bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
  reserve(out, expectedBytes);
}

/** Makes room for `more` bytes. Throws `store_unsupported` when the chunk would pass 4 GiB. */
export function reserve(out: ByteWriter, more: number): void {
  if (out.at + more > out.bytes.length) grow(out, out.at + more);
}

function grow(out: ByteWriter, neededBytes: number): void {
  if (neededBytes > MAX_BYTES) throw tooLarge(neededBytes);
  const { length } = out.bytes;
  const roomyBytes = Math.min(length * 2, length + KEPT_BYTES, MAX_BYTES);
  const bytes = Buffer.allocUnsafeSlow(Math.max(neededBytes, roomyBytes));
  out.bytes.copy(bytes, 0, 0, out.at);
  out.bytes = bytes;
}

export function tooLarge(sizeBytes: number): BackupError {
  return new BackupError('store_unsupported', `an event of about ${sizeBytes} bytes does not fit a chunk`, {
    hint: 'a chunk holds at most 2 GiB; split or remove this event in the store',
    facts: { sizeBytes },
  });
}

/** What was written, without copying: overwritten once the writer is cleared and used again. */
export function writtenBytes(out: ByteWriter): Uint8Array {
  return out.bytes.subarray(0, out.at);
}

/** Appends a part of `source`; the room must have been reserved. */
export function copySpan(out: ByteWriter, source: Buffer, start: number, length: number): void {
  const { bytes, at } = out;
  out.at = at + length;
  if (length > SHORT_SPAN) {
    source.copy(bytes, at, start, start + length);
    return;
  }
  for (let i = 0; i < length; i += 1) bytes[at + i] = source[start + i]!;
}

/** Appends a short constant; the room must have been reserved. */
export function writeLiteral(out: ByteWriter, literal: Uint8Array): void {
  const { bytes, at } = out;
  const { length } = literal;
  out.at = at + length;
  for (let i = 0; i < length; i += 1) bytes[at + i] = literal[i]!;
}
