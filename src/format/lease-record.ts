import crypto from 'node:crypto';
import { isTooDeep } from './json-depth.ts';

/** Says who may change what is in a vault, and for how long (FORMAT.md §15 is normative). */
export interface LeaseRecord {
  /** What the lease is for. */
  readonly lease: string;
  /** The one in the name. */
  readonly number: number;
  /** A UUID: the same in all records of one holding. */
  readonly claim: string;
  /** Which process holds it, for people. */
  readonly holder: string;
  /** RFC 3339, by the holder's clock: when the holding began. */
  readonly acquiredAt: string;
  readonly ttlMs: number;
  readonly state: 'held' | 'released';
}

export const LEASES_PREFIX = 'leases/';
/** A record is small; anything larger is none. */
export const MAX_LEASE_BYTES = 1 << 16;
/** So many digits; numbers end here. */
const DIGITS = 12;
export const MAX_LEASE_NUMBER = 10 ** DIGITS - 1;

export function leaseFolder(lease: string): string {
  return `${LEASES_PREFIX}${lease}/`;
}

export function leaseName(lease: string, number: number): string {
  return `${leaseFolder(lease)}${String(number).padStart(DIGITS, '0')}.json`;
}

/** The number of a record, from the whole name of an object in the lease's folder; null when it is none. */
export function parseLeaseNumber(name: string): number | null {
  const match = /\/(\d{12})\.json$/.exec(name);
  return match === null ? null : Number(match[1]);
}

export function encodeLease(record: LeaseRecord): Buffer {
  const { lease, number, claim, holder, acquiredAt, ttlMs, state } = record;
  const value = { leaseVersion: 1, lease, number, claim, holder, acquiredAt, ttlMs, state };
  const checksum = crypto.hash('sha256', JSON.stringify(value, null, 2), 'hex');
  return Buffer.from(`${JSON.stringify({ ...value, checksum }, null, 2)}\n`);
}

/** Null for anything that is not, byte for byte, what a record of this version encodes to. */
export function decodeLease(bytes: Uint8Array): LeaseRecord | null {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  try {
    const value = JSON.parse(text) as Record<string, unknown>;
    if (isTooDeep(value) || !isRecord(value)) return null;
    return encodeLease(value).equals(bytes) ? value : null;
  } catch {
    return null;
  }
}

function isRecord(value: unknown): value is LeaseRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { lease, number, claim, holder, acquiredAt, ttlMs, state } = value as Record<string, unknown>;
  if (![lease, claim, holder, acquiredAt].every((text) => typeof text === 'string')) return false;
  if (![number, ttlMs].every((count) => Number.isSafeInteger(count) && (count as number) > 0)) return false;
  return state === 'held' || state === 'released';
}
