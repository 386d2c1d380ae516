/** What the records of recoveries, jobs and alerts share: their form, how they are written once, and checks of their fields. */
import crypto from 'node:crypto';
import { BackupError, isBackupError } from '../core/errors.ts';
import type { Signer } from '../core/key-ring.ts';
import { parseTime } from '../core/time.ts';
import { judgeSignature, type SignatureFinding, type TrustPolicy } from '../core/trust.ts';
import type { Vault } from '../core/vault.ts';
import { writeObject } from './data-file-writer.ts';
import { isTooDeep } from './json-depth.ts';
import { isSignature, isSignedBy, type Signature, signText } from './signature.ts';

/** One kind of record (FORMAT.md §22 and §23 are normative). */
export interface RecordKind<Record extends object> {
  /** For errors: `the plan`. */
  readonly what: string;
  /** Key of the version, which is 1. */
  readonly versionKey: string;
  /** First line of what is signed; null where no signature belongs. */
  readonly signed: string | null;
  readonly maxBytes: number;
  /** Whether all that `pick` touches is there, and is what the type says. */
  isOne(value: Fields): boolean;
  /** All keys in their order and no others, texts that are too long cut. */
  pick(record: Record): Record;
}

export type Signed<Record> = Record & { readonly signature?: Signature };
export type Fields = Readonly<Record<string, unknown>>;

/** In the form of FORMAT.md §3.1, with `checksum` as the last key. */
export function encodeRecord<Record extends object>(
  kind: RecordKind<Record>,
  record: Record,
  signer: Signer | null,
): Buffer {
  const plain = plainOf(kind, kind.pick(record));
  if (signer === null || kind.signed === null) return withChecksum(plain);
  return withChecksum({ ...plain, signature: signText(signer, kind.signed + textOf(plain)) });
}

/** Throws `damaged` for anything that is not, byte for byte, what such a record encodes to. A signature is not judged. */
export function decodeRecord<Record extends object>(
  kind: RecordKind<Record>,
  bytes: Uint8Array,
): Signed<Record> {
  const value = parse(kind, bytes);
  if (value[kind.versionKey] !== 1 || !kind.isOne(value))
    throw new BackupError('damaged', `${kind.what} is not one of this version`);
  const { signature } = value;
  if (signature !== undefined && (kind.signed === null || !isSignature(signature)))
    throw new BackupError('damaged', `${kind.what} has a signature that is none`);
  const picked = kind.pick(value as unknown as Record);
  const record = signature === undefined ? picked : { ...picked, signature };
  // Bytes and not text: what is no UTF-8 became text that is.
  if (withChecksum(plainOf(kind, record)).equals(bytes)) return record;
  throw new BackupError('damaged', `${kind.what} does not have its checksum`);
}

function parse(kind: Pick<RecordKind<object>, 'what' | 'maxBytes'>, bytes: Uint8Array): Fields {
  if (bytes.length > kind.maxBytes) throw new BackupError('damaged', `${kind.what} is too large`);
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
  } catch (cause) {
    throw new BackupError('damaged', `${kind.what} is no JSON`, { cause });
  }
  if (!isFields(value) || isTooDeep(value))
    throw new BackupError('damaged', `${kind.what} is not one of this version`);
  return value;
}

export function findRecordSignature<Record extends object>(
  kind: RecordKind<Record>,
  record: Signed<Record>,
  trust: TrustPolicy,
): SignatureFinding {
  const { signature } = record;
  const text = textOf(plainOf(kind, kind.pick(record)));
  const isValid = signature !== undefined && isSignedBy(signature, kind.signed + text);
  return judgeSignature(signature, isValid, trust);
}

function plainOf(kind: Pick<RecordKind<object>, 'versionKey'>, record: object): object {
  return { [kind.versionKey]: 1, ...record };
}

function withChecksum(fields: object): Buffer {
  const checksum = crypto.hash('sha256', textOf(fields), 'hex');
  return Buffer.from(`${textOf({ ...fields, checksum })}\n`);
}

function textOf(fields: object): string {
  return JSON.stringify(fields, null, 2);
}

/** SHA-256 (hex) of the bytes of a record. */
export function digestRecord(bytes: Uint8Array): string {
  return crypto.hash('sha256', bytes, 'hex');
}

/**
 * Writes a record under a name that nobody has taken. False where somebody has, with other bytes: whoever gets that has lost. The same
 * bytes are one's own, whose answer was lost.
 */
export async function putRecord(vault: Vault, name: string, bytes: Uint8Array): Promise<boolean> {
  try {
    await writeObject(vault, name, bytes);
    return true;
  } catch (error) {
    if (!isBackupError(error, 'vault_object_exists')) throw error;
    // Another one may be of any size.
    if ((await vault.stat(name))?.sizeBytes !== bytes.length) return false;
    const found = await readRecord(vault, name, bytes.length);
    return found !== null && Buffer.from(found).equals(bytes);
  }
}

/** The bytes of an object; null when there is none. Throws `damaged` when it is larger than it can be. */
export async function readRecord(vault: Vault, name: string, maxBytes: number): Promise<Uint8Array | null> {
  const info = await vault.stat(name);
  if (info === null) return null;
  if (info.sizeBytes > maxBytes)
    throw new BackupError('damaged', `${name} is too large to be what it is called`);
  try {
    return await vault.readRange(name, 0, info.sizeBytes);
  } catch (error) {
    if (isBackupError(error, 'vault_object_missing')) return null;
    throw error;
  }
}

/** `2026-11-29T18:13:05.123Z` as it stands in names: they sort by time. */
export function timeInName(time: string): string {
  return time.replaceAll(/[-:.]/g, '');
}

export const UUID = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';
const WHOLE_UUID = new RegExp(`^${UUID}$`);
const MOST_TEXT = 4000;

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isText(value: unknown): value is string {
  return typeof value === 'string';
}

export function isUuid(value: unknown): value is string {
  return isText(value) && WHOLE_UUID.test(value);
}

/** With milliseconds, in UTC: one spelling of each. */
export function isInstant(value: unknown): value is string {
  return isText(value) && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(value) && parseTime(value) !== null;
}

/** As somebody typed it; no infinity. */
export function isTime(value: unknown): value is string {
  return isText(value) && /^\d/.test(value) && parseTime(value) !== null;
}

export function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

export function isLsn(value: unknown): value is string {
  return isText(value) && /^[0-9A-Fa-f]{1,8}\/[0-9A-Fa-f]{1,8}$/.test(value);
}

export function isNullOr(isOne: (value: unknown) => boolean): (value: unknown) => boolean {
  return (value) => value === null || isOne(value);
}

export function isListOf(value: unknown, isOne: (item: unknown) => boolean, most = 10_000): boolean {
  return Array.isArray(value) && value.length <= most && value.every(isOne);
}

export function cut(text: string): string {
  return text.length <= MOST_TEXT ? text : `${text.slice(0, MOST_TEXT - 1)}…`;
}
