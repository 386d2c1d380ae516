import type { HeadObjectCommandOutput } from '@aws-sdk/client-s3';
import { BackupError } from '../../core/errors.ts';
import type { ObjectInfo } from '../../core/vault.ts';
import { type AskOptions, ask, type Connection, keyOf } from './connection.ts';
import { statusOf } from './errors.ts';
import { isArchiveClass } from './storage-class.ts';
import { WRITE_ID } from './write-options.ts';

export type Head = HeadObjectCommandOutput;

interface HeadOptions extends AskOptions {
  readonly versionId?: string;
  /** It has just answered. */
  readonly isBucketThere?: boolean;
}

/** What the server says of an object, or null when there is none. Throws `vault_refused` where the bucket itself has gone. */
export async function headObject(
  connection: Connection,
  name: string,
  options: HeadOptions = {},
): Promise<Head | null> {
  const { s3, at } = connection;
  const { versionId, isBucketThere = false, ...asking } = options;
  const request = {
    ...keyOf(connection, name),
    ...(versionId === undefined ? {} : { VersionId: versionId }),
  };
  const head = await ask(
    connection,
    `look at "${name}" in ${at.text}`,
    (abortSignal) => s3.headObject(request, { abortSignal }).catch(nullWhereMissing),
    asking,
  );
  // The answer to a HEAD has no words: nothing else tells a missing object from a missing bucket.
  if (head === null && !isBucketThere) await assertBucketThere(connection, asking);
  return head;
}

function nullWhereMissing(error: unknown): null {
  if (statusOf(error) === 404) return null;
  throw error;
}

async function assertBucketThere(connection: Connection, asking: AskOptions): Promise<void> {
  const { s3, at } = connection;
  await ask(
    connection,
    `find the bucket of ${at.text}`,
    (abortSignal) => s3.listObjectsV2({ Bucket: at.bucket, Prefix: at.root, MaxKeys: 1 }, { abortSignal }),
    asking,
  );
}

/** Where an archived object stands: the header says so while it is being recalled and once it was. */
export function recallState({
  StorageClass,
  ArchiveStatus,
  Restore,
}: Head): 'readable' | 'archived' | 'under_way' {
  if (!isArchiveClass(StorageClass) && ArchiveStatus === undefined) return 'readable';
  if (Restore === undefined) return 'archived';
  return Restore.includes('ongoing-request="true"') ? 'under_way' : 'readable';
}

export function infoOfHead(name: string, head: Head): ObjectInfo {
  return {
    ...{ name, sizeBytes: head.ContentLength ?? 0, modifiedAtMs: wholeSeconds(head.LastModified) },
    ...versionOf(head.VersionId),
    ...(recallState(head) === 'readable' ? {} : { isArchived: true as const }),
  };
}

/** A listing knows the time more exactly than a header: both say whole seconds. */
export function wholeSeconds(time: Date | undefined): number {
  return Math.floor((time?.getTime() ?? 0) / 1000) * 1000;
}

/** "null", the word, names the version of a bucket that keeps none. */
export function versionOf(versionId: string | undefined): { versionId?: string } {
  return versionId === undefined || versionId === 'null' ? {} : { versionId };
}

/** True when the object is there and the writer of that id wrote it. */
export async function isWrittenBy(connection: Connection, name: string, id: string): Promise<boolean> {
  const head = await headObject(connection, name, { attempts: LOOK_ATTEMPTS });
  return head?.Metadata?.[WRITE_ID] === id;
}

const LOOK_ATTEMPTS = 3;

export function missing({ at }: Connection, name: string): BackupError {
  return new BackupError('vault_object_missing', `there is no object "${name}" in ${at.text}`);
}

export function alreadyExists({ at }: Connection, name: string): BackupError {
  return new BackupError('vault_object_exists', `"${name}" in ${at.text} already exists`, {
    hint: 'nothing in a vault is overwritten',
  });
}
