import type { StoreCursor } from '../core/event-store.ts';
import type { ChunkFormat, Compression } from '../core/manifest.ts';
import { manifestChecksum } from './manifest-codec.ts';

/**
 * What a full backup that is being written says of itself, so that another run can take it up when this one dies: one
 * `attempt-<number>.json` for each run that worked on it (FORMAT.md §2.1 is normative).
 */
export interface Attempt {
  readonly attemptVersion: 1;
  readonly backupId: string;
  /** From 1: the run that began the backup, then those that took it up. */
  readonly number: number;
  /** RFC 3339: when the snapshot of the store was taken. */
  readonly startedAt: string;
  /** Says which process writes, to those who can look it up. */
  readonly writer: string;
  readonly format: ChunkFormat;
  readonly compression: Compression;
  readonly level: number | null;
  /** Of the snapshot. */
  readonly cursor: StoreCursor;
  readonly reads: readonly AttemptRange[];
}

/** A range that a run reads into an event file of its own. */
export interface AttemptRange {
  /** Which of the parts that the first run cut the store into, from 0. */
  readonly part: number;
  /** Number of the event file. */
  readonly file: number;
  readonly spec: string;
}

/** An attempt is small; anything larger is none. */
export const MAX_ATTEMPT_BYTES = 16 << 20;

const NAME = /^attempt-([1-9]\d{0,4})\.json$/;

export function attemptName(number: number): string {
  return `attempt-${number}.json`;
}

/** The number in the name of an attempt, or null when the name is not one's. */
export function parseAttemptName(name: string): number | null {
  const match = NAME.exec(name);
  return match === null ? null : Number(match[1]);
}

/** In the form of a manifest: the last key holds a checksum of all before it. */
export function encodeAttempt(attempt: Attempt): Buffer {
  const checksum = manifestChecksum({ ...attempt });
  return Buffer.from(`${JSON.stringify({ ...attempt, checksum }, null, 2)}\n`);
}

/** Null for anything that is not, byte for byte, what an attempt of this version encodes to. */
export function decodeAttempt(bytes: Uint8Array): Attempt | null {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  try {
    const value: unknown = JSON.parse(text);
    if (!isRecord(value)) return null;
    const { checksum, ...attempt } = value;
    if (checksum !== manifestChecksum(attempt) || text !== `${JSON.stringify(value, null, 2)}\n`) return null;
    return attempt.attemptVersion === 1 ? (attempt as unknown as Attempt) : null;
  } catch {
    return null;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
