import crypto from 'node:crypto';
import { S3Error } from './s3-error.ts';

/** All that the server remembers. */
export interface World {
  readonly users: Map<string, User>;
  readonly buckets: Map<string, Bucket>;
  readonly settings: Settings;
  /** No fewer than are stored; exact when it was last counted. */
  storedBytesBound: number;
  /** The time by the server's clock, days that a test let pass included. */
  now(): number;
}

export interface Settings {
  /** What the server does as if it had never heard of it. */
  readonly ignores: ReadonlySet<Ignorable>;
  /** Until an archived object that was asked for can be read. */
  restoreMs: number;
  readonly minPartBytes: number;
  /** Copies in one request are refused beyond this. */
  readonly maxCopyBytes: number;
  readonly maxStoredBytes: number;
}

export type Ignorable =
  | 'if-none-match'
  | 'if-none-match-on-complete'
  | 'if-match'
  | 'checksums'
  /** Answered with 501 NotImplemented, as some servers do, rather than ignored. */
  | 'conditions-refused';

export interface User {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  session: { readonly token: string; expiresAtMs: number } | null;
  /** Rights, named as in a policy without `s3:`, that the user has not. */
  readonly denied: ReadonlySet<string>;
}

export interface Bucket {
  readonly name: string;
  readonly createdAtMs: number;
  versioning: 'Enabled' | 'Suspended' | null;
  /** Null where the bucket has no Object Lock. */
  lock: { defaultRetention: DefaultRetention | null } | null;
  /** Newest first. No key has an empty list. */
  readonly objects: Map<string, Version[]>;
  readonly uploads: Map<string, Upload>;
  /** What listings show in place of `objects`, while they lag behind. */
  staleObjects: ReadonlyMap<string, readonly Version[]> | null;
}

export interface DefaultRetention {
  readonly mode: LockMode;
  readonly days: number;
}

export type LockMode = 'GOVERNANCE' | 'COMPLIANCE';

export interface Version extends Content {
  readonly key: string;
  /** `null`, the word, where the bucket keeps no versions. */
  readonly versionId: string;
  readonly modifiedAtMs: number;
  readonly isMarker: boolean;
  readonly etag: string;
  readonly traits: Traits;
  retention: { readonly mode: LockMode; readonly untilMs: number } | null;
  legalHold: boolean;
  /** Of an archived object: from when until when it can be read. */
  restored: { readonly fromMs: number; readonly untilMs: number } | null;
}

/** Bytes in pieces that are never changed, so that copies and completed uploads share them. */
export interface Content {
  pieces: readonly Buffer[];
  readonly sizeBytes: number;
}

/** What was said of an object when it was written, and is said with it when it is read. */
export interface Traits {
  /** Answer headers: content type, metadata, encryption. */
  readonly headers: Readonly<Record<string, string>>;
  readonly storageClass: string;
  /** By algorithm, in lower case, as `x-amz-checksum-*` has it. */
  readonly checksums: Readonly<Record<string, string>>;
}

export interface Upload {
  readonly id: string;
  readonly key: string;
  readonly startedAtMs: number;
  readonly traits: Traits;
  readonly retention: Version['retention'];
  readonly legalHold: boolean;
  readonly checksumAlgorithm: string | null;
  readonly parts: Map<number, Part>;
}

export interface Part extends Content {
  readonly number: number;
  readonly md5: Buffer;
  readonly checksums: Readonly<Record<string, string>>;
  readonly modifiedAtMs: number;
}

const ARCHIVED_CLASSES = ['GLACIER', 'DEEP_ARCHIVE'];
const NOTHING: Content = { pieces: [], sizeBytes: 0 };

export function findBucket(world: World, name: string): Bucket {
  const bucket = world.buckets.get(name);
  if (bucket !== undefined) return bucket;
  throw new S3Error('NoSuchBucket', 'The specified bucket does not exist', { facts: { BucketName: name } });
}

/** The version that a request names, or the current one; markers are refused as S3 does it. */
export function findVersion(bucket: Bucket, key: string, versionId: string | null): Version {
  const versions = bucket.objects.get(key) ?? [];
  if (versionId === null) {
    const current = versions[0];
    if (current === undefined || current.isMarker) throw noSuchKey(key, current);
    return current;
  }
  const found = versions.find((version) => version.versionId === versionId);
  if (found === undefined) {
    throw new S3Error('NoSuchVersion', 'The specified version does not exist.', {
      facts: { Key: key, VersionId: versionId },
    });
  }
  if (!found.isMarker) return found;
  throw new S3Error('MethodNotAllowed', 'The specified method is not allowed against this resource.', {
    headers: { 'x-amz-delete-marker': 'true', 'x-amz-version-id': versionId },
  });
}

function noSuchKey(key: string, marker: Version | undefined): S3Error {
  const headers: Record<string, string> =
    marker === undefined ? {} : { 'x-amz-delete-marker': 'true', 'x-amz-version-id': marker.versionId };
  return new S3Error('NoSuchKey', 'The specified key does not exist.', { facts: { Key: key }, headers });
}

/** The current version, or null where the key has none or is deleted. */
export function currentVersion(bucket: Bucket, key: string): Version | null {
  const current = bucket.objects.get(key)?.[0];
  return current === undefined || current.isMarker ? null : current;
}

export type NewVersion = Omit<Version, 'versionId' | 'modifiedAtMs' | 'restored' | 'isMarker'>;

/** Makes it the current version of its key; the one before is kept where the bucket keeps versions. */
export function addVersion(world: World, bucket: Bucket, made: NewVersion): Version {
  return push(bucket, {
    ...made,
    versionId: newVersionId(bucket),
    ...{ modifiedAtMs: world.now(), restored: null, isMarker: false },
  });
}

export function addMarker(world: World, bucket: Bucket, key: string): Version {
  return push(bucket, {
    ...{
      key,
      versionId: newVersionId(bucket),
      modifiedAtMs: world.now(),
      isMarker: true,
      etag: '',
      ...NOTHING,
    },
    ...{ traits: { headers: {}, storageClass: 'STANDARD', checksums: {} } },
    ...{ retention: null, legalHold: false, restored: null },
  });
}

function push(bucket: Bucket, version: Version): Version {
  const before = bucket.objects.get(version.key) ?? [];
  const kept = before.filter(({ versionId }) => versionId !== version.versionId);
  if (before.length === 0) KEY_ORDER.delete(bucket.objects);
  bucket.objects.set(version.key, [version, ...kept]);
  return version;
}

export function dropVersion(bucket: Bucket, { key, versionId }: Version): void {
  const left = (bucket.objects.get(key) ?? []).filter((version) => version.versionId !== versionId);
  if (left.length === 0) dropKey(bucket, key);
  else bucket.objects.set(key, left);
}

export function dropKey(bucket: Bucket, key: string): void {
  if (bucket.objects.delete(key)) KEY_ORDER.delete(bucket.objects);
}

function newVersionId(bucket: Bucket): string {
  return bucket.versioning === 'Enabled' ? crypto.randomBytes(24).toString('base64url') : 'null';
}

/** Archived, and not restored for now. */
export function isFrozen(version: Version, nowMs: number): boolean {
  if (!ARCHIVED_CLASSES.includes(version.traits.storageClass)) return false;
  const { restored } = version;
  return restored === null || nowMs < restored.fromMs || nowMs >= restored.untilMs;
}

export function isArchiveClass(storageClass: string): boolean {
  return ARCHIVED_CLASSES.includes(storageClass);
}

export function storedBytes(world: World): number {
  const pieces = new Set<Buffer>();
  for (const { objects, uploads } of world.buckets.values()) {
    for (const version of [...objects.values()].flat()) for (const piece of version.pieces) pieces.add(piece);
    for (const { parts } of uploads.values()) {
      for (const part of parts.values()) for (const piece of part.pieces) pieces.add(piece);
    }
  }
  return [...pieces].reduce((sum, { length }) => sum + length, 0);
}

/** Keys in byte order of their UTF-8, as listings show them. */
export function sortedKeys(
  objects: Bucket['objects'] | NonNullable<Bucket['staleObjects']>,
): readonly string[] {
  const known = KEY_ORDER.get(objects);
  if (known !== undefined) return known;
  const sorted = sortUtf8([...objects.keys()]);
  KEY_ORDER.set(objects, sorted);
  return sorted;
}

export function sortUtf8(texts: readonly string[]): string[] {
  const pairs = texts.map((text) => ({ text, bytes: Buffer.from(text) }));
  return pairs.sort((a, b) => Buffer.compare(a.bytes, b.bytes)).map(({ text }) => text);
}

const KEY_ORDER = new WeakMap<object, readonly string[]>();

/** `from` up to `to`, without copying. */
export function slicePieces(content: Content, from: number, to: number): Buffer[] {
  const slices: Buffer[] = [];
  let start = 0;
  for (const piece of content.pieces) {
    const end = start + piece.length;
    if (end > from && start < to)
      slices.push(piece.subarray(Math.max(0, from - start), Math.min(piece.length, to - start)));
    start = end;
  }
  return slices;
}
