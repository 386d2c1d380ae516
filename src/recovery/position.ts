import type { StoreKind } from '../core/event-store.ts';

/** A position as the store's own tools write it: `0/16B3748` for PostgreSQL, else a plain number. */
export function formatPosition(position: bigint, kind: StoreKind): string {
  if (kind !== 'postgres') return String(position);
  const hex = (part: bigint): string => part.toString(16).toUpperCase();
  return `${hex(position >> 32n)}/${hex(position & 0xffff_ffffn)}`;
}

const MAX_POSITION = (1n << 64n) - 1n;

/** Reads what `formatPosition` writes; null when it is no position. */
export function parsePosition(text: string): bigint | null {
  const lsn = /^([0-9a-f]{1,8})\/([0-9a-f]{1,8})$/i.exec(text);
  if (lsn !== null) return (BigInt(`0x${lsn[1]}`) << 32n) | BigInt(`0x${lsn[2]}`);
  if (!/^\d{1,20}$/.test(text)) return null;
  const number = BigInt(text);
  return number <= MAX_POSITION ? number : null;
}
