import crypto from 'node:crypto';
import { BackupError } from '../core/errors.ts';
import type { ManifestFile } from '../core/manifest.ts';
import { parseTime } from '../core/time.ts';
import { SEALED_SUFFIX } from './bundle.ts';
import { isTooDeep } from './json-depth.ts';

/**
 * Says which events only an old store had (FORMAT.md §22 is normative), and is written when the files with them are durable: files
 * without it are what a killed run left. It names no stream and nothing of an event.
 */
export interface SalvageRecord {
  readonly planId: string;
  /** From 1; a later one found something else. */
  readonly number: number;
  /** RFC 3339. */
  readonly createdAt: string;
  readonly software: string;
  /** Addresses of the old store and of the new one, without secrets. */
  readonly from: string;
  readonly into: string;
  readonly events: number;
  readonly streams: number;
  readonly conflicts: number;
  /** Events that both have under one id, with other content: they lie in the file too. */
  readonly differing: number;
  /** Times of the first and last of the events; null when there are none. */
  readonly earliest: string | null;
  readonly latest: string | null;
  /** Of all events in the file, in any order (FORMAT.md §9.2); of a sealed salvage it is keyed. */
  readonly contentDigest: string;
  /** Null: not sealed. */
  readonly sealing: { readonly cipher: string; readonly keyId: string } | null;
  /** The events as JSON lines, and what became of each stream. */
  readonly files: readonly [events: SalvageFile, streams: SalvageFile];
}

export type SalvageFile = Omit<ManifestFile, 'role'>;

/** A record is small; anything larger is none. */
const MAX_RECORD_BYTES = 64 << 10;
const PLAN_ID = /^[0-9a-zA-Z-]{1,64}$/;
const NAME = /^salvage-([1-9]\d{0,5})(?:-streams)?\.(json|jsonl|index)(?:\.sealed)?$/;

export function runFolder(planId: string): string {
  if (PLAN_ID.test(planId)) return `disaster/runs/${planId}/`;
  throw new BackupError('usage', `${JSON.stringify(planId)} is no id of a plan`);
}

export function salvageRecordName(number: number): string {
  return `salvage-${number}.json`;
}

export function salvageFileNames(number: number, isSealed: boolean): { events: string; streams: string } {
  const end = `.jsonl${isSealed ? SEALED_SUFFIX : ''}`;
  return { events: `salvage-${number}${end}`, streams: `salvage-${number}-streams${end}` };
}

/** What a salvage's key is bound to. */
export function salvageScope(planId: string, number: number): string {
  return `${runFolder(planId)}salvage-${number}`;
}

/** The number of the salvage that an object of a run's folder belongs to; null when it is of none. */
export function parseSalvageName(
  name: string,
): { readonly number: number; readonly isRecord: boolean } | null {
  const match = NAME.exec(name);
  if (match === null) return null;
  const number = Number(match[1]);
  return { number, isRecord: name === salvageRecordName(number) };
}

export function encodeSalvageRecord(record: SalvageRecord): Buffer {
  const { planId, number, createdAt, software, from, into, events, streams, conflicts } = record;
  const { differing, earliest, latest, contentDigest, sealing, files } = record;
  const fields = {
    ...{ salvageVersion: 1, planId, number, createdAt, software, from, into, events, streams, conflicts },
    ...{ differing, earliest, latest, contentDigest },
    sealing: sealing === null ? null : { cipher: sealing.cipher, keyId: sealing.keyId },
    files: files.map(fileOf),
  };
  const checksum = crypto.hash('sha256', JSON.stringify(fields, null, 2), 'hex');
  return Buffer.from(`${JSON.stringify({ ...fields, checksum }, null, 2)}\n`);
}

function fileOf({ name, sizeBytes, sha256, plainBytes, chunks, records, index }: SalvageFile): SalvageFile {
  return {
    ...{ name, sizeBytes, sha256, plainBytes, chunks, records },
    index: { name: index.name, sizeBytes: index.sizeBytes, sha256: index.sha256 },
  };
}

/** Null for anything that is not, byte for byte, what a record of this version encodes to. */
export function decodeSalvageRecord(bytes: Uint8Array): SalvageRecord | null {
  if (bytes.length > MAX_RECORD_BYTES) return null;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  try {
    const value = JSON.parse(text) as unknown;
    if (isTooDeep(value) || !isRecord(value)) return null;
    return encodeSalvageRecord(value).equals(bytes) ? value : null;
  } catch {
    return null;
  }
}

function isRecord(value: unknown): value is SalvageRecord {
  if (typeof value !== 'object' || value === null) return false;
  const fields = value as Record<string, unknown>;
  const { planId, number, createdAt, earliest, latest, sealing, files } = fields;
  if (typeof planId !== 'string' || !PLAN_ID.test(planId) || !isCount(number) || number === 0) return false;
  if (!isTime(createdAt) || !(earliest === null || isTime(earliest)) || !(latest === null || isTime(latest)))
    return false;
  const { software, from, into, contentDigest } = fields;
  if (![software, from, into, contentDigest].every((text) => typeof text === 'string')) return false;
  const { events, streams, conflicts, differing } = fields;
  if (![events, streams, conflicts, differing].every(isCount)) return false;
  return isSealing(sealing) && Array.isArray(files) && files.length === 2 && files.every(isFile);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isTime(value: unknown): boolean {
  return typeof value === 'string' && parseTime(value) !== null;
}

function isSealing(value: unknown): boolean {
  if (value === null) return true;
  const { cipher, keyId } = (value ?? {}) as Record<string, unknown>;
  return typeof cipher === 'string' && typeof keyId === 'string' && /^[0-9a-f]{32}$/.test(keyId);
}

function isFile(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { name, sizeBytes, sha256, plainBytes, chunks, records, index } = value as Record<string, unknown>;
  if (![sizeBytes, plainBytes, chunks, records].every(isCount)) return false;
  return isNamed(name) && isDigest(sha256) && isIndex(index);
}

function isIndex(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { name, sizeBytes, sha256 } = value as Record<string, unknown>;
  return isNamed(name) && isCount(sizeBytes) && isDigest(sha256);
}

function isNamed(name: unknown): boolean {
  return typeof name === 'string' && parseSalvageName(name) !== null;
}

function isDigest(value: unknown): boolean {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);
}
