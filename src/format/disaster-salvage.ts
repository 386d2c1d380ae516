import type { ManifestFile } from '../core/manifest.ts';
import type { Vault } from '../core/vault.ts';
import { SEALED_SUFFIX } from './bundle.ts';
import { writeObject } from './data-file-writer.ts';
import { runFolder } from './disaster-journal.ts';
import {
  decodeRecord,
  encodeRecord,
  type Fields,
  isCount,
  isFields,
  isInstant,
  isListOf,
  isNullOr,
  isText,
  isTime,
  isUuid,
  type RecordKind,
  readRecord,
} from './record.ts';

/**
 * Says which events only an old store had (FORMAT.md §22), and is written when the files with them are durable: files without it are what
 * a killed run left. It names no stream and nothing of an event.
 */
export interface SalvageRecord {
  readonly planId: string;
  /** From 1; a later one found something else. */
  readonly number: number;
  /** RFC 3339, with milliseconds. */
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
  /** Of all events in the file, in any order; of a sealed salvage it is keyed. */
  readonly contentDigest: string;
  /** Null: not sealed. */
  readonly sealing: { readonly cipher: string; readonly keyId: string } | null;
  /** The events as JSON lines, and what became of each stream. */
  readonly files: readonly [events: SalvageFile, streams: SalvageFile];
}

export type SalvageFile = Omit<ManifestFile, 'role'>;

const SALVAGE: RecordKind<SalvageRecord> = {
  what: 'the record of a salvage',
  versionKey: 'salvageVersion',
  signed: null,
  maxBytes: 64 << 10,
  isOne: isRecord,
  pick: pickRecord,
};

const NAME = /^salvage-([1-9]\d{0,5})(?:-streams)?\.(?:json|jsonl|index)(?:\.sealed)?$/;

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

export function encodeSalvage(record: SalvageRecord): Buffer {
  return encodeRecord(SALVAGE, record, null);
}

/** Throws `damaged`. */
export function decodeSalvage(bytes: Uint8Array): SalvageRecord {
  return decodeRecord(SALVAGE, bytes);
}

export async function writeSalvage(vault: Vault, record: SalvageRecord): Promise<string> {
  const name = runFolder(record.planId) + salvageRecordName(record.number);
  await writeObject(vault, name, encodeSalvage(record));
  return name;
}

/** The salvages of a plan that were finished, in the order of their numbers. Throws `damaged`, naming nothing but the kind of record. */
export async function listSalvages(vault: Vault, planId: string): Promise<SalvageRecord[]> {
  const folder = runFolder(planId);
  const records: SalvageRecord[] = [];
  for await (const { name } of vault.list(`${folder}salvage-`)) {
    if (parseSalvageName(name.slice(folder.length))?.isRecord !== true) continue;
    const bytes = await readRecord(vault, name, SALVAGE.maxBytes);
    if (bytes !== null) records.push(decodeSalvage(bytes));
  }
  return records.sort((a, b) => a.number - b.number);
}

function isRecord(value: Fields): boolean {
  const { planId, number, createdAt, earliest, latest, sealing, files } = value;
  const { software, from, into, contentDigest, events, streams, conflicts, differing } = value;
  return (
    isUuid(planId) &&
    [number, events, streams, conflicts, differing].every(isCount) &&
    number !== 0 &&
    isInstant(createdAt) &&
    [earliest, latest].every(isNullOr(isTime)) &&
    [software, from, into, contentDigest].every(isText) &&
    isNullOr(isSealing)(sealing) &&
    isListOf(files, isFile, 2) &&
    (files as unknown[]).length === 2
  );
}

function isSealing(value: unknown): boolean {
  return isFields(value) && isText(value.cipher) && isText(value.keyId) && /^[0-9a-f]{32}$/.test(value.keyId);
}

function isFile(value: unknown): boolean {
  if (!isFields(value)) return false;
  const { name, sizeBytes, sha256, plainBytes, chunks, records, index } = value;
  if (![sizeBytes, plainBytes, chunks, records].every(isCount)) return false;
  return isOwnName(name) && isDigest(sha256) && isIndex(index);
}

function isIndex(value: unknown): boolean {
  if (!isFields(value)) return false;
  return isOwnName(value.name) && isCount(value.sizeBytes) && isDigest(value.sha256);
}

function isOwnName(name: unknown): boolean {
  return isText(name) && parseSalvageName(name) !== null;
}

function isDigest(value: unknown): boolean {
  return isText(value) && /^[0-9a-f]{64}$/.test(value);
}

function pickRecord(record: SalvageRecord): SalvageRecord {
  const { planId, number, createdAt, software, from, into, events, streams, conflicts } = record;
  const { differing, earliest, latest, contentDigest, sealing, files } = record;
  return {
    ...{ planId, number, createdAt, software, from, into, events, streams, conflicts, differing },
    ...{ earliest, latest, contentDigest },
    sealing: sealing === null ? null : { cipher: sealing.cipher, keyId: sealing.keyId },
    files: [pickFile(files[0]), pickFile(files[1])],
  };
}

function pickFile({ name, sizeBytes, sha256, plainBytes, chunks, records, index }: SalvageFile): SalvageFile {
  return {
    ...{ name, sizeBytes, sha256, plainBytes, chunks, records },
    index: { name: index.name, sizeBytes: index.sizeBytes, sha256: index.sha256 },
  };
}
