import type { StoreCursor } from '../core/event-store.ts';
import { CHUNK_FORMATS, type ChunkFormat, COMPRESSIONS, type Compression } from '../core/manifest.ts';
import { isTooDeep } from './json-depth.ts';
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
    if (!isRecord(value) || isTooDeep(value)) return null;
    const { checksum, ...attempt } = value;
    if (checksum !== manifestChecksum(attempt)) return null;
    if (!Buffer.from(`${JSON.stringify(value, null, 2)}\n`).equals(bytes)) return null;
    return isAttempt(attempt) ? attempt : null;
  } catch {
    return null;
  }
}

function isAttempt(value: Record<string, unknown>): value is Record<string, unknown> & Attempt {
  const { attemptVersion, number, level, cursor, reads } = value;
  const texts = [value.backupId, value.startedAt, value.writer];
  return (
    attemptVersion === 1 &&
    isCount(number) &&
    texts.every((text) => typeof text === 'string') &&
    CHUNK_FORMATS.includes(value.format as ChunkFormat) &&
    COMPRESSIONS.includes(value.compression as Compression) &&
    (level === null || isCount(level)) &&
    isRecord(cursor) &&
    typeof cursor.kind === 'string' &&
    Array.isArray(reads) &&
    reads.every(isRange)
  );
}

function isRange(value: unknown): boolean {
  if (!isRecord(value)) return false;
  return isCount(value.part) && isCount(value.file) && typeof value.spec === 'string';
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
