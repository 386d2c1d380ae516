import { createHash, randomUUID } from 'node:crypto';
import type { S3Address } from './address.ts';
import type { Connection } from './connection.ts';
import { isArchiveClass } from './storage-class.ts';

/**
 * What stays readable in an archive tier: manifests, leases, holds, records of keys. An archive class would ask for a recall to tell
 * what there is, and takes more room for what it notes of an object than objects this small have.
 */
const SMALL_BYTES = 128 << 10;

/** What is said of every object that is written, in the words of the client. `sizeBytes` null: large, or not known yet. */
export function writeOptions(connection: Connection, id: string, sizeBytes: number | null) {
  const { at } = connection;
  const isReadable =
    sizeBytes !== null && sizeBytes <= SMALL_BYTES && isArchiveClass(at.storageClass ?? undefined);
  const storageClass = isReadable ? null : at.storageClass;
  return {
    Metadata: { [WRITE_ID]: id },
    ...(storageClass === null ? {} : { StorageClass: storageClass as 'GLACIER' }),
    ...encryptionOptions(at),
    ...lockOptions(connection),
  };
}

function lockOptions({ at: { lock }, now }: Connection): LockOptions {
  if (lock === null) return {};
  // Whole seconds: not all that carries it has room for more, and less would be taken for a shorter lock.
  const untilMs = Math.ceil((now() + lock.days * DAY_MS) / 1000) * 1000;
  return {
    ObjectLockMode: lock.mode === 'governance' ? 'GOVERNANCE' : 'COMPLIANCE',
    ObjectLockRetainUntilDate: new Date(untilMs),
  };
}

interface LockOptions {
  readonly ObjectLockMode?: 'GOVERNANCE' | 'COMPLIANCE';
  readonly ObjectLockRetainUntilDate?: Date;
}

export function encryptionOptions({ sse, sseKmsKeyId }: Pick<S3Address, 'sse' | 'sseKmsKeyId'>) {
  return {
    ...(sse === null ? {} : { ServerSideEncryption: sse }),
    ...(sseKmsKeyId === null ? {} : { SSEKMSKeyId: sseKmsKeyId }),
  };
}

const DAY_MS = 24 * 60 * 60 * 1000;
/** Tells what this writer wrote from what another did under the same name. */
export const WRITE_ID = 'eventcore-write';

export function makeWriteId(): string {
  return randomUUID();
}

/** How the server is to check what it received: a digest that it keeps, or, where it knows none, one that it compares. */
export function digestOf(bytes: Uint8Array, keepsSha256: boolean) {
  return keepsSha256
    ? { ChecksumSHA256: createHash('sha256').update(bytes).digest('base64') }
    : { ContentMD5: createHash('md5').update(bytes).digest('base64') };
}
