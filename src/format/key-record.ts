import crypto from 'node:crypto';
import { BackupError } from '../core/errors.ts';
import type { KeyRing, Signer, WrappedKey } from '../core/key-ring.ts';
import type { Vault } from '../core/vault.ts';
import { writeObject } from './data-file-writer.ts';
import { exportSealKey, importSealKey, type SealKey, sealKeyId } from './seal.ts';
import { isSignature, isSignedBy, type Signature, signText } from './signature.ts';

/** A key for those who may open what it seals; lies where that lies (FORMAT.md §13.3 is normative). */
export interface KeyRecord {
  readonly keyId: string;
  /** From 1; a later one says who may open it now. */
  readonly number: number;
  /** What the key seals: id of a backup, or name of a log's folder. */
  readonly scope: string;
  /** RFC 3339. */
  readonly createdAt: string;
  readonly software: string;
  readonly recipients: readonly WrappedKey[];
  readonly signature?: Signature;
}

/** A record is small; anything larger is none. */
const MAX_RECORD_BYTES = 4 << 20;
const NAME = /^key-([0-9a-f]{32})-([1-9]\d{0,4})\.json$/;
const SIGNED = 'eventcore key record 1\n';

export function keyRecordName(keyId: string, number: number): string {
  return `key-${keyId}-${number}.json`;
}

/** What the name of an object in a folder says of the key record in it; null when it is none. */
export function parseKeyRecordName(name: string): { keyId: string; number: number } | null {
  const match = NAME.exec(name);
  return match === null ? null : { keyId: match[1]!, number: Number(match[2]) };
}

export function encodeKeyRecord(record: Omit<KeyRecord, 'signature'>, signer: Signer | null): Buffer {
  const fields = fieldsOf(record);
  const signed =
    signer === null ? fields : { ...fields, signature: signText(signer, SIGNED + textOf(fields)) };
  return encodeFields(signed);
}

function encodeFields(fields: object): Buffer {
  const checksum = crypto.hash('sha256', textOf(fields), 'hex');
  return Buffer.from(`${textOf({ ...fields, checksum })}\n`);
}

function fieldsOf(record: Omit<KeyRecord, 'signature'>) {
  const { keyId, number, scope, createdAt, software } = record;
  const recipients = record.recipients.map(({ kind, recipient, wrapped }) => ({ kind, recipient, wrapped }));
  return { keyRecordVersion: 1, keyId, number, scope, createdAt, software, recipients };
}

function textOf(value: object): string {
  return JSON.stringify(value, null, 2);
}

/** Reads a record and proves that it is as it was written. Throws `damaged`; a signature is not looked at. */
export function decodeKeyRecord(bytes: Uint8Array): KeyRecord {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(text) as Record<string, unknown>;
  } catch (cause) {
    throw new BackupError('damaged', 'a key record is no JSON', { cause });
  }
  if (!isKeyRecord(value)) throw new BackupError('damaged', 'a key record is not one of this version');
  const { signature } = value;
  const record = signature === undefined ? fieldsOf(value) : { ...fieldsOf(value), signature };
  // Bytes and not text: what is no UTF-8 became text that is.
  if (encodeFields(record).equals(bytes)) return record;
  throw new BackupError('damaged', 'a key record does not have its checksum');
}

function isKeyRecord(value: unknown): value is KeyRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { keyRecordVersion, keyId, number, scope, createdAt, software, recipients, signature } =
    value as Record<string, unknown>;
  if (keyRecordVersion !== 1 || typeof number !== 'number') return false;
  if (![keyId, scope, createdAt, software].every((text) => typeof text === 'string')) return false;
  if (parseKeyRecordName(`key-${keyId}-${number}.json`) === null) return false;
  if (!Array.isArray(recipients) || !recipients.every(isWrappedKey)) return false;
  return signature === undefined || isSignature(signature);
}

function isWrappedKey(value: unknown): value is WrappedKey {
  if (typeof value !== 'object' || value === null) return false;
  const { kind, recipient, wrapped } = value as Record<string, unknown>;
  return [kind, recipient, wrapped].every((text) => typeof text === 'string');
}

/** Whether a record's signature, if it has one, is what its signer made of it. */
export function isKeyRecordForged({ signature, ...record }: KeyRecord): boolean {
  return signature !== undefined && !isSignedBy(signature, SIGNED + textOf(fieldsOf(record)));
}

export interface NewKey {
  readonly folder: string;
  readonly scope: string;
  readonly createdAt: string;
  readonly software: string;
}

/** Wraps a new key for the recipients and writes its first record, before anything is sealed with it. */
export async function writeNewKey(
  vault: Vault,
  key: SealKey,
  ring: KeyRing,
  signer: Signer | null,
  { folder, ...about }: NewKey,
): Promise<string> {
  const keyId = sealKeyId(key);
  const recipients = await ring.wrap(exportSealKey(key), keyId);
  if (recipients.length === 0) throw new BackupError('key_missing', 'there is nobody to seal for');
  const bytes = encodeKeyRecord({ keyId, number: 1, recipients, ...about }, signer);
  await writeObject(vault, folder + keyRecordName(keyId, 1), bytes);
  return keyId;
}

/** The records of a folder, or of one key in it, by key, the newest of each first. Throws `damaged`, naming the record. */
export async function readKeyRecords(
  vault: Vault,
  folder: string,
  keyId = '',
): Promise<Map<string, KeyRecord[]>> {
  const byKey = new Map<string, KeyRecord[]>();
  for await (const { name, sizeBytes } of vault.list(`${folder}key-${keyId}`)) {
    const named = parseKeyRecordName(name.slice(folder.length));
    if (named === null) continue;
    const record = await readKeyRecord(vault, name, sizeBytes);
    if (record.keyId !== named.keyId || record.number !== named.number) {
      throw new BackupError('damaged', `${name} is the record of another key`, { facts: { file: name } });
    }
    byKey.set(named.keyId, [...(byKey.get(named.keyId) ?? []), record]);
  }
  for (const records of byKey.values()) records.sort((a, b) => b.number - a.number);
  return byKey;
}

async function readKeyRecord(vault: Vault, name: string, sizeBytes: number): Promise<KeyRecord> {
  const facts = { file: name };
  if (sizeBytes > MAX_RECORD_BYTES) throw new BackupError('damaged', `${name} is no key record`, { facts });
  try {
    return decodeKeyRecord(await vault.readRange(name, 0, sizeBytes));
  } catch (cause) {
    if (!(cause instanceof BackupError) || cause.code !== 'damaged') throw cause;
    throw new BackupError('damaged', `${name}: ${cause.message}`, { facts, cause });
  }
}

/**
 * The key that a folder's records give to who holds this ring; the newest record counts first, older ones as well. Throws
 * `key_missing` or `key_wrong` when none opens, `damaged` when there is no record or it holds another key.
 */
export async function unwrapKey(
  records: readonly KeyRecord[] | undefined,
  { keyId, scope }: { readonly keyId: string; readonly scope: string },
  ring: KeyRing,
): Promise<SealKey> {
  const own = (records ?? []).filter((record) => record.scope === scope);
  if (own.length === 0) {
    throw new BackupError('damaged', `the record of key ${keyId} is missing`, {
      hint: 'take key-*.json of this folder from another copy of the vault: without it nothing can be opened',
      facts: { keyId, scope },
    });
  }
  // One ring may open what only an older record names; all are tried as one, so that the error names all recipients.
  const bytes = await ring.unwrap(
    own.flatMap(({ recipients }) => recipients),
    keyId,
  );
  const key = importSealKey(bytes);
  if (sealKeyId(key) === keyId) return key;
  throw new BackupError('damaged', `the record of key ${keyId} holds another key`, {
    facts: { keyId, scope },
  });
}
