import crypto from 'node:crypto';
import { BackupError } from '../core/errors.ts';
import {
  CHUNK_FORMATS,
  COMPRESSIONS,
  FORMAT_VERSION,
  type Manifest,
  type ManifestFile,
} from '../core/manifest.ts';
import { isTooDeep } from './json-depth.ts';
import { isSignature } from './signature.ts';

/** A manifest is small; anything larger is none. */
export const MAX_MANIFEST_BYTES = 64 << 20;

/**
 * The manifest as it lies in the vault: JSON with two spaces of indent, the keys in the order of FORMAT.md §3,
 * the last key `manifestChecksum` being the SHA-256 of the same document without that key.
 */
export function encodeManifest(manifest: Manifest): Buffer {
  return Buffer.from(
    `${JSON.stringify({ ...manifest, manifestChecksum: manifestChecksum(manifest) }, null, 2)}\n`,
  );
}

/** SHA-256 (hex) of the manifest without this checksum; a child names its parent by it. */
export function manifestChecksum(manifest: Manifest | Record<string, unknown>): string {
  return crypto.hash('sha256', JSON.stringify(manifest, null, 2), 'hex');
}

/**
 * Reads a manifest and proves that not one byte of it has changed: it must be, byte for byte, what its content
 * encodes to. Throws `damaged`, or `store_unsupported` for a format version of the future.
 */
export function decodeManifest(bytes: Uint8Array): Manifest {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new BackupError('damaged', 'the manifest is no JSON', { cause });
  }
  if (!isRecord(value)) throw new BackupError('damaged', 'the manifest is no JSON object');
  if (isTooDeep(value)) throw new BackupError('damaged', 'the manifest is nested too deep');
  const { manifestChecksum: checksum, ...rest } = value;
  if (checksum !== manifestChecksum(rest)) {
    throw new BackupError('damaged', 'the manifest does not have its checksum');
  }
  // Bytes and not text: what is no UTF-8 became text that is.
  if (!Buffer.from(`${JSON.stringify(value, null, 2)}\n`).equals(bytes)) {
    throw new BackupError('damaged', 'the manifest is not in its written form');
  }
  if (rest.formatVersion !== FORMAT_VERSION) {
    throw new BackupError(
      'store_unsupported',
      `the backup has format version ${JSON.stringify(rest.formatVersion)}`,
      {
        hint: `this program reads version ${FORMAT_VERSION}; use a newer one`,
      },
    );
  }
  requireKnownSeal(rest);
  const missing = missingField(rest) ?? (isLinked(rest) ? null : 'place in a chain') ?? missingSeal(rest);
  if (missing !== null) throw new BackupError('damaged', `the manifest has no valid ${missing}`);
  return rest as unknown as Manifest;
}

/** SHA-256 (hex) over a line `name size sha256` for each data file and its table, in the manifest's order. */
export function bundleChecksum(files: readonly ManifestFile[]): string {
  const hash = crypto.createHash('sha256');
  for (const file of files) {
    hash.update(`${file.name} ${file.sizeBytes} ${file.sha256}\n`);
    hash.update(`${file.index.name} ${file.index.sizeBytes} ${file.index.sha256}\n`);
  }
  return hash.digest('hex');
}

const isString = (value: unknown): boolean => typeof value === 'string';
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
const isDigest = (value: unknown): boolean => isString(value) && /^[0-9a-f]{64}$/.test(value as string);
const isKeyId = (value: unknown): boolean => isString(value) && /^[0-9a-f]{32}$/.test(value as string);
const isBoolean = (value: unknown): boolean => typeof value === 'boolean';
const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const orNull =
  (test: (value: unknown) => boolean) =>
  (value: unknown): boolean =>
    value === null || test(value);

/** What seals a backup is known in every part, or the backup is not touched. */
function requireKnownSeal({ sealed, sealing }: Record<string, unknown>): void {
  if (sealed !== true || !isRecord(sealing)) return;
  const unknown = Object.keys(sealing).find((key) => !SEALING_KEYS.includes(key));
  const reason: unknown =
    unknown ?? (sealing.cipher === 'AES-256-GCM' ? null : (sealing.cipher ?? 'no cipher'));
  if (reason === null) return;
  throw new BackupError(
    'store_unsupported',
    `the backup is sealed in a way that is not known: ${JSON.stringify(reason)}`,
    { hint: 'use a newer version of this program' },
  );
}

const SEALING_KEYS = ['cipher', 'keyId', 'memoryKeyId'];

/** A seal and its proof belong together; a signature may be on any manifest. */
function missingSeal({ sealed, sealing, tag, signature }: Record<string, unknown>): string | null {
  if (signature !== undefined && !isSignature(signature)) return 'signature';
  if (sealed === false) return sealing === undefined && tag === undefined ? null : 'sealing';
  if (!isRecord(sealing) || !isKeyId(sealing.keyId) || !orNull(isKeyId)(sealing.memoryKeyId))
    return 'sealing';
  return isDigest(tag) ? null : 'tag';
}

/** A full backup begins a chain; an incremental one names its parent and what it adds to. */
function isLinked({ kind, parentId, chain }: Record<string, unknown>): boolean {
  if (kind === 'full') return parentId === null && chain === undefined;
  return isString(parentId) && isRecord(chain) && isChainLink(chain);
}

function isChainLink({
  baseId,
  parentChecksum,
  length,
  totalEvents,
  totalStreams,
  method,
}: Record<string, unknown>): boolean {
  if (!isString(baseId) || !isDigest(parentChecksum) || !isString(method)) return false;
  return [length, totalEvents, totalStreams].every(isCount);
}

const SHAPE: Record<
  Exclude<keyof Manifest, 'chain' | 'sealing' | 'tag' | 'signature'>,
  (value: unknown) => boolean
> = {
  formatVersion: isCount,
  backupId: isString,
  kind: (value) => value === 'full' || value === 'incremental',
  parentId: orNull(isString),
  createdAt: isString,
  finishedAt: isString,
  durationMs: isCount,
  software: isString,
  format: (value) => (CHUNK_FORMATS as readonly unknown[]).includes(value),
  compression: (value) => (COMPRESSIONS as readonly unknown[]).includes(value),
  level: orNull(isCount),
  sealed: isBoolean,
  store: (value) =>
    isRecord(value) &&
    isString(value.kind) &&
    isString(value.layout) &&
    isCount(value.versionBase) &&
    (value.columns === undefined ||
      (isRecord(value.columns) && Object.values(value.columns).every(isString))),
  totalEvents: isCount,
  totalStreams: isCount,
  sizeBytes: isCount,
  plainBytes: isCount,
  eventRange: orNull(
    (value) => isRecord(value) && isString(value.earliestEvent) && isString(value.latestVersion),
  ),
  cursor: (value) => isRecord(value) && isString(value.kind),
  headsDigest: isString,
  oddities: (value) => isRecord(value) && Object.values(value).every(isCount),
  files: (value) => Array.isArray(value) && value.every(isFile),
  checksum: isString,
};

const FILE_NAME = /^[a-z0-9][a-z0-9.-]{0,100}$/;

function isFile(value: unknown): boolean {
  if (!isRecord(value) || !isRecord(value.index)) return false;
  const { index } = value;
  const names = [value.name, index.name];
  const counts = [value.sizeBytes, value.plainBytes, value.chunks, value.records, index.sizeBytes];
  const digests = [value.sha256, index.sha256];
  return (
    ['events', 'heads', 'companions', 'memory'].includes(value.role as string) &&
    names.every((name) => isString(name) && FILE_NAME.test(name as string)) &&
    counts.every(isCount) &&
    digests.every(isDigest)
  );
}

function missingField(value: Record<string, unknown>): string | null {
  for (const [field, test] of Object.entries(SHAPE)) if (!test(value[field])) return field;
  return null;
}
