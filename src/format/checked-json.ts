import crypto from 'node:crypto';
import { isTooDeep } from './json-depth.ts';

/**
 * Whether an object has the form of FORMAT.md §3.1 with its last key `checksum`, and that checksum: as key records, gap markers,
 * epoch records and holds have. So nothing else needs to be known of it to tell that it is as it was written.
 */
export function hasOwnChecksum(bytes: Uint8Array): boolean {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return false;
  }
  if (typeof value !== 'object' || value === null || isTooDeep(value)) return false;
  const { checksum, ...rest } = value as Record<string, unknown>;
  if (checksum !== crypto.hash('sha256', JSON.stringify(rest, null, 2), 'hex')) return false;
  // Bytes and not text: what is no UTF-8 became text that is.
  return Buffer.from(`${JSON.stringify({ ...rest, checksum }, null, 2)}\n`).equals(bytes);
}
