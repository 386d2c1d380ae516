import { createHash, timingSafeEqual } from 'node:crypto';
import type { Role } from '../route.ts';

/**
 * A token is `ect_`, 256 random bits in hexadecimal, and the first 32 bits of the SHA-256 of what stands before them: a typing error is found without
 * a look at any list, and programs that search for secrets which lie about know one when they see it.
 */

/** What of a token stands in a configuration: nobody can get in with it. */
export interface TokenEntry {
  /** Who it was given to; stands in the audit log. */
  readonly name: string;
  readonly role: Exclude<Role, 'anyone'>;
  /** `sha256:` and the SHA-256 of the token's text, in hexadecimal. */
  readonly hash: string;
}

export const TOKEN_PREFIX = 'ect_';
const SHAPE = /^ect_[0-9a-f]{72}$/;
export const TOKEN_HASH = /^sha256:[0-9a-f]{64}$/;
export const TOKEN_BYTES = 32;

/** Of `TOKEN_BYTES` random bytes. */
export function makeToken(random: Uint8Array): string {
  const body = `${TOKEN_PREFIX}${Buffer.from(random).toString('hex')}`;
  return `${body}${checksum(body)}`;
}

function checksum(body: string): string {
  return createHash('sha256').update(body).digest('hex').slice(0, 8);
}

/** Whether it can be a token: not a password, not cut off, not mistyped. */
export function isToken(text: string): boolean {
  return SHAPE.test(text) && checksum(text.slice(0, -8)) === text.slice(-8);
}

/** One pass of SHA-256 is enough: 256 random bits cannot be found by trying. */
export function hashToken(token: string): string {
  return `sha256:${createHash('sha256').update(token).digest('hex')}`;
}

/** Compares with all of them in a time that does not tell which one came near. */
export function findToken(token: string, entries: readonly TokenEntry[]): TokenEntry | null {
  if (!isToken(token)) return null;
  const given = Buffer.from(hashToken(token));
  let found: TokenEntry | null = null;
  for (const entry of entries) {
    const known = Buffer.from(entry.hash);
    if (known.length === given.length && timingSafeEqual(known, given)) found = entry;
  }
  return found;
}
