import crypto from 'node:crypto';
import { runLimited } from '../core/concurrency.ts';
import { isBackupError } from '../core/errors.ts';
import { isObjectName } from '../core/object-name.ts';
import { RUNGS, type Rung } from '../core/rungs.ts';
import type { ObjectInfo, Vault } from '../core/vault.ts';
import type { VerifiedUnit } from '../core/verified.ts';
import { writeObject } from './data-file-writer.ts';

/** What a verification found, kept in the vault that it verified (FORMAT.md §18 is normative). */
export interface VerifiedRecord {
  /** A UUID. */
  readonly recordId: string;
  /** RFC 3339 with milliseconds: when it was written, by the clock of who verified. */
  readonly recordedAt: string;
  readonly software: string;
  /** At least one, and no more than `MAX_RECORD_UNITS`. */
  readonly units: readonly VerifiedUnit[];
}

export const VERIFIED_PREFIX = 'integrity/verified/';
export const MAX_RECORD_UNITS = 1000;
/** A record is small; anything larger is none. */
export const MAX_VERIFIED_BYTES = 2 << 20;
/** Of more records than this the newest count. */
const MAX_RECORDS = 20_000;
const MAX_ALL_BYTES = 256 << 20;
const READ_AT_ONCE = 16;

const UUID = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';
const NAME = new RegExp(`^integrity/verified/(\\d{8}T\\d{9}Z)-(${UUID})\\.json$`);
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** Names are in the order of their times. */
export function verifiedName({
  recordId,
  recordedAt,
}: Pick<VerifiedRecord, 'recordId' | 'recordedAt'>): string {
  return `${VERIFIED_PREFIX}${recordedAt.replaceAll(/[-:.]/g, '')}-${recordId}.json`;
}

export function encodeVerified({ recordId, recordedAt, software, units }: VerifiedRecord): Buffer {
  const listed = units.map(({ name, digest, verifiedAt, passed, failed }) => ({
    ...{ name, digest, verifiedAt, passed, failed },
  }));
  const value = { verifiedVersion: 1, recordId, recordedAt, software, units: listed };
  const checksum = crypto.hash('sha256', JSON.stringify(value, null, 2), 'hex');
  return Buffer.from(`${JSON.stringify({ ...value, checksum }, null, 2)}\n`);
}

/** Null for anything that is not, byte for byte, what a record of this version encodes to. */
export function decodeVerified(bytes: Uint8Array): VerifiedRecord | null {
  if (bytes.length > MAX_VERIFIED_BYTES) return null;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) && encodeVerified(value).equals(bytes) ? asRecord(value) : null;
  } catch {
    return null;
  }
}

function asRecord({ recordId, recordedAt, software, units }: VerifiedRecord): VerifiedRecord {
  return { recordId, recordedAt, software, units };
}

/** Nothing that passes is nested deeper than the writing of it can bear. */
function isRecord(value: unknown): value is VerifiedRecord {
  if (!isObject(value)) return false;
  const { recordId, recordedAt, software, units } = value;
  return (
    typeof recordId === 'string' &&
    new RegExp(`^${UUID}$`).test(recordId) &&
    isTime(recordedAt) &&
    typeof software === 'string' &&
    Array.isArray(units) &&
    units.length > 0 &&
    units.length <= MAX_RECORD_UNITS &&
    units.every(isUnit)
  );
}

function isUnit(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { name, digest, verifiedAt, passed, failed } = value;
  if (typeof name !== 'string' || !isUnitName(name) || !isTime(verifiedAt)) return false;
  if (digest !== null && !(typeof digest === 'string' && /^[0-9a-f]{64}$/.test(digest))) return false;
  return isLadder(passed) && isLadder(failed) && !passed.some((rung) => failed.includes(rung));
}

/** An object, or a folder. */
function isUnitName(name: string): boolean {
  return isObjectName(name.endsWith('/') ? name.slice(0, -1) : name);
}

/** Rungs, each once, in the order of the ladder. */
function isLadder(value: unknown): value is Rung[] {
  if (!Array.isArray(value) || value.length > RUNGS.length) return false;
  const places = value.map((rung) => RUNGS.indexOf(rung as Rung));
  return places.every((place, at) => place > (places[at - 1] ?? -1));
}

function isTime(value: unknown): value is string {
  return typeof value === 'string' && TIME.test(value) && !Number.isNaN(Date.parse(value));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Throws what the vault does. */
export async function writeVerified(vault: Vault, record: VerifiedRecord): Promise<void> {
  await writeObject(vault, verifiedName(record), encodeVerified(record));
}

/** A record as it lies in the vault; null where it cannot be read as one. */
export interface StoredVerified {
  readonly info: ObjectInfo;
  readonly record: VerifiedRecord | null;
}

/** All that a vault remembers of verifications, oldest first. What is no record says nothing. */
export async function readVerified(vault: Vault): Promise<StoredVerified[]> {
  const infos: ObjectInfo[] = [];
  for await (const info of vault.list(VERIFIED_PREFIX)) {
    if (NAME.test(info.name)) infos.push(info);
    if (infos.length >= 2 * MAX_RECORDS) infos.splice(0, infos.length - MAX_RECORDS);
  }
  return runLimited(newest(infos), READ_AT_ONCE, async (info) => ({
    info,
    record: await readOne(vault, info),
  }));
}

/** Whoever can write into a vault can fill it up: so much is read, and no more. */
function newest(infos: readonly ObjectInfo[]): ObjectInfo[] {
  let bytes = 0;
  return infos
    .slice(-MAX_RECORDS)
    .reverse()
    .filter(({ sizeBytes }) => {
      bytes += sizeBytes;
      return bytes <= MAX_ALL_BYTES;
    })
    .reverse();
}

async function readOne(vault: Vault, { name, sizeBytes }: ObjectInfo): Promise<VerifiedRecord | null> {
  if (sizeBytes > MAX_VERIFIED_BYTES) return null;
  try {
    const record = decodeVerified(await vault.readRange(name, 0, sizeBytes));
    return record !== null && verifiedName(record) === name ? record : null;
  } catch (error) {
    if (isBackupError(error, 'damaged', 'vault_object_missing', 'object_archived')) return null;
    throw error;
  }
}
