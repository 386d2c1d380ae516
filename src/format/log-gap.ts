import crypto from 'node:crypto';
import { BackupError } from '../core/errors.ts';
import type { Vault } from '../core/vault.ts';
import { writeObject } from './data-file-writer.ts';
import { gapFileName, parsePosition, positionText } from './log-name.ts';

/** Says that commits between two positions may be missing from the log. No recovery crosses it (FORMAT.md §11.6). */
export interface GapMarker {
  readonly from: bigint;
  readonly to: bigint;
  /** Stable, for programs. */
  readonly reason: string;
  readonly message: string;
  /** RFC 3339. */
  readonly noticedAt: string;
}

/** A marker is small; anything larger is none. */
export const MAX_GAP_BYTES = 1 << 20;

export function encodeGap({ from, to, reason, message, noticedAt }: GapMarker): Buffer {
  const gap = { gapVersion: 1, from: positionText(from), to: positionText(to), reason, message, noticedAt };
  const checksum = crypto.hash('sha256', JSON.stringify(gap, null, 2), 'hex');
  return Buffer.from(`${JSON.stringify({ ...gap, checksum }, null, 2)}\n`);
}

/** Null for anything that is not, byte for byte, what a marker encodes to. */
export function decodeGap(bytes: Uint8Array): GapMarker | null {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  try {
    const value = JSON.parse(text) as Record<string, unknown>;
    const from = parsePosition(value.from);
    const to = parsePosition(value.to);
    const { reason, message, noticedAt } = value;
    if (from === null || to === null || typeof reason !== 'string') return null;
    if (typeof message !== 'string' || typeof noticedAt !== 'string') return null;
    const gap = { from, to, reason, message, noticedAt };
    return encodeGap(gap).equals(bytes) ? gap : null;
  } catch {
    return null;
  }
}

/** Marks a gap in a log, durably. A marker that is there already stays as it is. */
export async function writeGap(vault: Vault, folder: string, gap: GapMarker): Promise<void> {
  if (gap.from > gap.to) throw new BackupError('internal', `no gap: ${gap.from} to ${gap.to}`);
  const name = folder + gapFileName(gap.from, gap.to);
  if ((await vault.stat(name)) === null) await writeObject(vault, name, encodeGap(gap));
}
